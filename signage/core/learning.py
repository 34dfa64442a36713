"""What a decision was worth, once that can be known, added to what was learned. Pure.

A reward comes late: the play must end, the till must close. So a decision stays open until the log
has gone on for the horizon, takes what the log said of it until then, and is learned once, in order
of the decisions' times. What is learned is thus a function of the log alone, however often whoever
reads it stops and begins again.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal

import numpy as np

from signage.core.bandit import Sums, arms_of, gamma_after, sums_of
from signage.core.context import FEATURES
from signage.core.reward import by_attention, by_basket, by_sales
from streams.contracts.attention import Exposure
from streams.contracts.learning import PolicySnapshot, RewardKind
from streams.contracts.pos import Basket
from streams.contracts.signage import Decision

#: What sells usually: the mean of so many stretches before a decision.
USUAL_STRETCHES = 12


@dataclass(frozen=True, slots=True)
class Lesson:
    """What is learned from: which store, what reward, and how long a decision waits for it.

    For sales and baskets `horizon_ms` is also the stretch after the decision that counts.
    """

    policy_id: str
    store_id: str
    reward: RewardKind = "attention"
    horizon_ms: int = 120_000


@dataclass(slots=True)
class _Open:
    """A decision that is not learned yet, and what was told of its plays, each with the log's time;
    either may be told first.
    """

    since_ms: int
    decision: Decision | None = None
    told: list[tuple[int, Exposure]] = field(default_factory=list)

    def plays(self, until_ms: int) -> list[Exposure]:
        """The newest row of each play that the log had by then."""
        newest: dict[str, Exposure] = {}
        for logged_ms, row in self.told:
            known = newest.get(row.play_id)
            if logged_ms <= until_ms and (
                known is None or row.through_offset >= known.through_offset
            ):
                newest[row.play_id] = row
        return list(newest.values())


@dataclass(frozen=True, slots=True)
class _Sold:
    at_ms: int
    transactions: int
    units: Decimal
    by_sku: Mapping[str, Decimal]


class Learner:
    """Takes the log's records in any order of the topics, and learns what has become certain."""

    def __init__(self, lesson: Lesson, begun: PolicySnapshot | None = None) -> None:
        self._lesson = lesson
        if begun is not None and begun.features != FEATURES:
            begun = None  # learned over other features: nothing of it can be used
        self._names = [arm.creative_id for arm in begun.arms] if begun else []
        self._sums = sums_of(begun) if begun and begun.arms else Sums.nothing(0, len(FEATURES))
        self.through_ms = (begun.learned_through_ms or 0) if begun else 0
        self.rewards = begun.rewards if begun else 0
        #: Decisions that were closed without a reward: never shown, or nobody could tell.
        self.unknown = 0
        self._open: dict[str, _Open] = {}
        self._skus: dict[str, tuple[str, ...]] = {}
        self._sold: dict[str, _Sold] = {}

    @property
    def open(self) -> int:
        """Decisions that wait for their reward."""
        return sum(each.decision is not None for each in self._open.values())

    def advertises(self, creative_id: str, skus: tuple[str, ...]) -> None:
        """What a creative sells; asked for where sales are the reward."""
        self._skus[creative_id] = skus

    def decided(self, decision: Decision, logged_ms: int) -> None:
        """A decision; one that is learned already is known by its time."""
        if decision.store_id == self._lesson.store_id and decision.decided_at_ms >= self.through_ms:
            found = self._open.setdefault(decision.decision_id, _Open(logged_ms))
            found.decision = decision

    def exposed(self, exposure: Exposure, logged_ms: int) -> None:
        """What is known of a play; of its rows the one with the greatest `through_offset` holds."""
        if exposure.store_id != self._lesson.store_id:
            return
        found = self._open.setdefault(exposure.decision_id, _Open(logged_ms))
        found.told.append((logged_ms, exposure))

    def paid(self, basket: Basket) -> None:
        """A basket; a repeat changes nothing."""
        if basket.store_id != self._lesson.store_id:
            return
        by_sku: dict[str, Decimal] = {}
        for line in basket.lines:
            by_sku[line.sku] = by_sku.get(line.sku, Decimal(0)) + line.units
        units = sum(by_sku.values(), Decimal(0))
        self._sold[basket.basket_id] = _Sold(basket.closed_at_ms, 1, units, by_sku)

    def close(self, log_ms: int) -> int:
        """The log has gone on until `log_ms`, and all before it was told: learns what is certain by
        then. How many rewards that were.
        """
        through_ms = log_ms - self._lesson.horizon_ms
        if through_ms <= self.through_ms:
            return 0
        due = [
            (each.decision.decided_at_ms, decision_id, each.decision, each)
            for decision_id, each in self._open.items()
            if each.decision is not None and each.decision.decided_at_ms < through_ms
        ]
        sold = sorted(self._sold.values(), key=lambda each: each.at_ms)
        times = [each.at_ms for each in sold]
        learned = 0
        for at_ms, decision_id, decision, told in sorted(due, key=lambda each: each[:2]):
            del self._open[decision_id]
            plays = told.plays(at_ms + self._lesson.horizon_ms)
            reward = self._reward(decision, plays, sold, times)
            if reward is None or len(decision.features) != len(FEATURES):
                self.unknown += 1
                continue
            self._learn(decision, reward)
            learned += 1
        self.through_ms = through_ms
        self.rewards += learned
        self._forget(log_ms)
        return learned

    def snapshot(self, version: int, made_at_ms: int, *, simulated: bool) -> PolicySnapshot:
        """All of it, approved by nobody."""
        return PolicySnapshot(
            policy_id=self._lesson.policy_id,
            version=version,
            algorithm="bandit",
            made_at_ms=made_at_ms,
            store_id=self._lesson.store_id,
            reward=self._lesson.reward,
            features=FEATURES,
            arms=arms_of(self._sums, self._names),
            gamma=gamma_after(self.rewards),
            rewards=self.rewards,
            learned_through_ms=self.through_ms or None,
            simulated=simulated,
        )

    def _reward(
        self,
        decision: Decision,
        plays: Sequence[Exposure],
        sold: list[_Sold],
        times: list[int],
    ) -> float | None:
        if not plays:  # it was never on the glass
            return None
        if self._lesson.reward == "attention":
            if any(play.watchers is None for play in plays):
                return None
            shown_ms = sum(play.ended_at_ms - play.started_at_ms for play in plays)
            return by_attention(sum(play.attention_ms for play in plays), shown_ms)
        at_ms, stretch_ms = decision.decided_at_ms, self._lesson.horizon_ms
        here = bisect_right(times, at_ms)
        after = sold[here : bisect_right(times, at_ms + stretch_ms)]
        if self._lesson.reward == "basket":
            return by_basket(sum((s.units for s in after), Decimal(0)), len(after))
        skus = self._skus.get(decision.creative_id, ())
        if not skus:
            return None
        before = sold[bisect_left(times, at_ms - USUAL_STRETCHES * stretch_ms) : here]
        return by_sales(_units(after, skus), _units(before, skus) / USUAL_STRETCHES)

    def _learn(self, decision: Decision, reward: float) -> None:
        if decision.creative_id not in self._names:
            d = len(FEATURES)
            self._names.append(decision.creative_id)
            self._sums = Sums(
                np.concatenate([self._sums.a, np.zeros((1, d, d))]),
                np.concatenate([self._sums.b, np.zeros((1, d))]),
                np.append(self._sums.n, 0.0),
            )
        index = self._names.index(decision.creative_id)
        x = np.array(decision.features)
        self._sums.a[index] += np.outer(x, x)
        self._sums.b[index] += reward * x
        self._sums.n[index] += 1.0

    def _forget(self, log_ms: int) -> None:
        horizon_ms = self._lesson.horizon_ms
        # Plays of decisions that were learned before, or of none (a player's own rotation).
        self._open = {
            decision_id: each
            for decision_id, each in self._open.items()
            if each.decision is not None or each.since_ms >= log_ms - 2 * horizon_ms
        }
        oldest_ms = log_ms - (USUAL_STRETCHES + 2) * horizon_ms
        self._sold = {k: sold for k, sold in self._sold.items() if sold.at_ms >= oldest_ms}


def _units(sold: list[_Sold], skus: tuple[str, ...]) -> Decimal:
    return sum((s.by_sku.get(sku, Decimal(0)) for s in sold for sku in skus), Decimal(0))
