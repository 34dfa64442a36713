"""A logged decision, decided again from what it recorded: is it the same? Pure."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from signage.core.eligibility import Given, budget_key
from signage.core.policy import RuleSettings, StorePolicy
from signage.errors import PolicyError
from streams.contracts.layout import StoreLayout
from streams.contracts.learning import PolicySnapshot
from streams.contracts.policy import Choice, Moment
from streams.contracts.signage import Creative, Decision

#: Sums of products may end in another last digit on another machine.
_CLOSE = 1e-9

#: What was found, and for whom it is: `equal`; `different`, a fault; `unknown`, the log no longer
#: holds what the decision was made from.
Verdict = Literal["equal", "different", "unknown"]


@dataclass(frozen=True, slots=True)
class Outcome:
    """Of one decision, and why it is not equal."""

    decision_id: str
    verdict: Verdict
    why: str = ""


@dataclass(slots=True)
class History:
    """What was published: every version of each creative, in order, and every snapshot by name."""

    creatives: dict[str, dict[int, Creative]] = field(default_factory=dict)
    snapshots: dict[str, PolicySnapshot] = field(default_factory=dict)

    def published(self, creative: Creative) -> None:
        """A version of a creative; it never changes."""
        self.creatives.setdefault(creative.creative_id, {})[creative.version] = creative

    def learned(self, snapshot: PolicySnapshot) -> None:
        """A snapshot of a policy."""
        self.snapshots[snapshot.name] = snapshot


class Replayer:
    """Decides again; a policy is made once for all decisions that had the same."""

    def __init__(
        self, layout: StoreLayout, history: History, settings: RuleSettings | None = None
    ) -> None:
        self._layout = layout
        self._history = history
        self._settings = settings
        self._languages = {s.screen_id: s.languages for s in layout.screens if s.languages}
        self._made: dict[tuple[object, ...], StorePolicy] = {}

    def replayed(self, decision: Decision) -> Outcome:
        """The verdict on one decision."""

        def unknown(why: str) -> Outcome:
            return Outcome(decision.decision_id, "unknown", why)

        if decision.algorithm is None:
            return unknown("it was logged by an older version, which recorded less")
        creatives = self._creatives(decision)
        if creatives is None:
            return unknown("the log no longer holds its creatives")
        if decision.snapshot is not None and decision.snapshot not in self._history.snapshots:
            return unknown(f"the log no longer holds the snapshot {decision.snapshot}")
        try:
            policy = self._policy(decision, creatives)
        except PolicyError as error:
            return unknown(str(error))
        if policy.version != decision.policy_version:
            return unknown("the store's layout or the policy's settings were others then")
        choice = policy.choose(_moment(decision), _given(decision, creatives))
        why = "nothing would change now" if choice is None else _difference(decision, choice)
        return Outcome(decision.decision_id, "different" if why else "equal", why)

    def _creatives(self, decision: Decision) -> tuple[Creative, ...] | None:
        """Those that were considered; of a barred one the newest version will do."""
        known = self._history.creatives
        found: list[Creative | None] = [
            known.get(each.creative_id, {}).get(each.creative_version)
            for each in decision.candidates
        ]
        for barred in decision.barred:
            versions = known.get(barred.creative_id, {})
            found.append(versions[max(versions)] if versions else None)
        return None if None in found else tuple(c for c in found if c is not None)

    def _policy(self, decision: Decision, creatives: Sequence[Creative]) -> StorePolicy:
        names = tuple(sorted((c.creative_id, c.version) for c in creatives))
        key = (names, decision.snapshot, decision.adaptive)
        if key not in self._made:
            if len(self._made) > 1_000:  # a store that publishes all day
                self._made.clear()
            snapshots = self._history.snapshots
            self._made[key] = StorePolicy(
                creatives,
                self._layout.zones,
                self._settings,
                snapshot=None if decision.snapshot is None else snapshots[decision.snapshot],
                adaptive=decision.adaptive,
                languages=self._languages,
            )
        return self._made[key]


def _moment(decision: Decision) -> Moment:
    return Moment(
        store_id=decision.store_id,
        area_id=decision.area_id,
        screen_id=decision.screen_id,
        now_ms=decision.decided_at_ms,
        arm=decision.arm,
        attention=decision.context,
        showing=decision.showing,
        shown_since_ms=decision.shown_since_ms,
        shown_reason=decision.shown_reason,
        decided_ms=decision.before_ms,
        weekday=decision.weekday,
        minute=decision.minute,
    )


def _given(decision: Decision, creatives: Sequence[Creative]) -> Given:
    known: Mapping[str, Creative] = {c.creative_id: c for c in creatives}
    return Given(
        stock={seen.sku: seen.units for seen in decision.stock},
        prices=frozenset(decision.priced),
        plays_last_hour={shown.creative_id: shown.last_hour for shown in decision.shown},
        campaign_plays={
            budget_key(known[shown.creative_id]): shown.campaign
            for shown in decision.shown
            if shown.creative_id in known
        },
    )


def _difference(decision: Decision, choice: Choice) -> str:
    """What is not the same, in a few words; nothing where all is."""
    same = {
        "creative": (decision.creative_id, decision.creative_version)
        == (choice.creative.creative_id, choice.creative.version),
        "algorithm": decision.algorithm == choice.algorithm,
        "reason": decision.reason == choice.reason,
        "sentence": decision.sentence == choice.sentence,
        "candidates": [(c.creative_id, c.creative_version) for c in decision.candidates]
        == [(c.creative_id, c.creative_version) for c in choice.candidates],
        "probabilities": _close(
            [c.propensity for c in decision.candidates], [c.propensity for c in choice.candidates]
        ),
        "features": _close(decision.features, choice.features),
        "barred": decision.barred == choice.barred,
    }
    others = [name for name, holds in same.items() if not holds]
    return f"another {', '.join(others)}" if others else ""


def _close(one: Sequence[float], other: Sequence[float]) -> bool:
    return len(one) == len(other) and all(
        math.isclose(a, b, rel_tol=_CLOSE, abs_tol=_CLOSE) for a, b in zip(one, other, strict=True)
    )
