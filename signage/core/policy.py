"""What a screen shows: eligibility, candidates, choice, pacing. Pure.

It must never import anything that reads a clock, a file or the network: the same moment gives the
same choice, so that decisions can be replayed.
"""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import msgspec

from signage.core import sentences
from signage.core.bandit import Model, drawn
from signage.core.context import FEATURES, features
from signage.core.eligibility import NOTHING_GIVEN, Given, eligible
from signage.core.pacing import HOLD_SLOTS, Pacing, may_change, may_draw
from signage.core.rotation import in_rotation, slot_end_ms
from signage.core.rule import leader
from signage.core.scene import Scene, Wish, priced, shown, stock_seen
from signage.core.schedule import LocalTime
from signage.errors import PolicyError
from streams.contracts.layout import Zone
from streams.contracts.learning import PolicySnapshot
from streams.contracts.policy import Choice, Moment
from streams.contracts.signage import (
    Barred,
    Candidate,
    Creative,
)

#: Bars that hang on where a screen is alone: they are not worth a line on every decision.
_PLACED = frozenset({"screen", "zone"})


@dataclass(frozen=True, slots=True)
class RuleSettings:
    """How attention is weighed, and how long things stay.

    `threshold_ms`: less attention than this moves no screen (the default is a zone's fixation
    time). `lead_share`: a rival zone must hold this share more attention than the one on show. The
    others are those of `Pacing`.
    """

    threshold_ms: int = 300
    min_display_ms: int = 3_000
    min_rotation_ms: int = 1_000
    lead_share: float = 0.25
    slot_ms: int = 10_000

    def __post_init__(self) -> None:
        Pacing(self.min_display_ms, self.min_rotation_ms, self.slot_ms)
        if self.threshold_ms <= 0 or self.lead_share < 0.0:
            raise PolicyError(
                f"threshold_ms is {self.threshold_ms} and lead_share {self.lead_share}, but "
                "attention can be neither free nor negative; give 1 or more and 0 or more"
            )

    @property
    def pacing(self) -> Pacing:
        """How long things stay."""
        return Pacing(self.min_display_ms, self.min_rotation_ms, self.slot_ms)


class StorePolicy:
    """Implements `streams.contracts.policy.ContentPolicy` for one store.

    In the adaptive arm it follows `snapshot`; in the control arm, without one, and where
    `adaptive` is False, all screens follow their rotation. It chooses what is on show as long as
    that is right, so whoever asks decides how often an unchanged choice is told anew; None means
    that nothing may change now. `languages` by screen, where a screen does not take all.
    """

    def __init__(
        self,
        creatives: Sequence[Creative],
        zones: Sequence[Zone],
        settings: RuleSettings | None = None,
        *,
        snapshot: PolicySnapshot | None = None,
        adaptive: bool = True,
        languages: Mapping[str, Sequence[str]] | None = None,
    ) -> None:
        self._settings = settings or RuleSettings()
        self._creatives = tuple(sorted(creatives, key=lambda c: c.creative_id))
        self._zones = tuple(sorted(zones, key=lambda zone: zone.zone_id))
        self._snapshot = snapshot
        self._adaptive = adaptive
        self._languages = languages or {}
        self._model: Model | None = None
        if snapshot is not None and snapshot.algorithm == "bandit":
            if snapshot.features != FEATURES:
                raise PolicyError(
                    f"the snapshot {snapshot.name} was learned over other features than this "
                    "program has; let a learner of this version begin anew"
                )
            self._model = Model(snapshot)
        self._version = self._name()

    @property
    def version(self) -> str:
        """Names the algorithm, its snapshot, its settings and the zones it knows."""
        return self._version

    @property
    def snapshot(self) -> PolicySnapshot | None:
        """The snapshot that it follows in the adaptive arm."""
        return self._snapshot

    def choose(self, moment: Moment, given: Given = NOTHING_GIVEN) -> Choice | None:
        """The creative to show now, or None to leave the screen as it is.

        `given`: stock, prices and plays so far; the moment brings time and place.
        """
        zones = {z.zone_id: z for z in self._zones if z.area_id == moment.area_id}
        known = self._known(moment, given)
        allowed, barred = eligible(self._creatives, moment.screen_id, list(zones.values()), known)
        first = leader(
            moment,
            allowed,
            zones,
            threshold_ms=self._settings.threshold_ms,
            lead_share=self._settings.lead_share,
        )
        scene = Scene(moment, zones, allowed, known, first)
        wish = self._wish(scene)
        return None if wish is None else self._choice(scene, wish, barred)

    def _known(self, moment: Moment, given: Given) -> Given:
        local = None
        if moment.weekday is not None and moment.minute is not None:
            local = LocalTime(moment.weekday, moment.minute)
        languages = self._languages.get(moment.screen_id, ())
        return replace(given, now_ms=moment.now_ms, local=local, languages=languages)

    def _wish(self, scene: Scene) -> Wish | None:
        follows = self._adaptive and scene.moment.arm == "adaptive" and self._snapshot is not None
        algorithm = self._snapshot.algorithm if follows and self._snapshot else "rotation"
        if algorithm == "bandit" and self._model is not None:
            return self._by_chance(scene, self._model)
        wish = self._by_attention(scene) if algorithm == "rule" else None
        wish = wish or self._by_rotation(scene)
        if wish is None or wish.creative.creative_id == scene.moment.showing:
            return wish
        if scene.may_stay and not may_change(scene.moment, wish.reason, self._settings.pacing):
            return None
        return wish

    def _by_attention(self, scene: Scene) -> Wish | None:
        if scene.leader is None:
            return None
        made = scene.for_the_leader
        kept = next((c for c in made if c.creative_id == scene.moment.showing), None)
        creative = kept or in_rotation(made, scene.moment.now_ms, self._settings.slot_ms)
        if creative is None:
            return None
        zone = scene.zones[scene.leader.zone_id]
        return Wish(
            creative=creative,
            reason="attention",
            sentence=sentences.attention(zone, scene.leader, scene.moment),
            hold_ms=HOLD_SLOTS * self._settings.slot_ms,
            algorithm="rule",
        )

    def _by_rotation(self, scene: Scene) -> Wish | None:
        slot_ms, now_ms = self._settings.slot_ms, scene.moment.now_ms
        creative = in_rotation(scene.allowed, now_ms, slot_ms)
        if creative is None:
            return None
        left_ms = slot_end_ms(now_ms, slot_ms) - now_ms
        control = scene.moment.arm == "control"
        return Wish(
            creative=creative,
            reason="control" if control else "rotation",
            sentence=sentences.rotation(creative, left_ms, self._why_rotation(control=control)),
            hold_ms=left_ms + (HOLD_SLOTS - 1) * slot_ms,
            algorithm="rotation",
        )

    def _why_rotation(self, *, control: bool) -> sentences.WhyRotation:
        if not self._adaptive:
            return "off"
        if control:
            return "control"
        if self._snapshot is None:
            return "unapproved"
        return "rotation" if self._snapshot.algorithm == "rotation" else "idle"

    def _by_chance(self, scene: Scene, model: Model) -> Wish | None:
        moment = scene.moment
        wanted = [creative.creative_id for creative in scene.for_the_leader]
        looked_for = scene.leader is not None and moment.showing not in wanted
        due = may_draw(moment, looked_for=looked_for, pacing=self._settings.pacing)
        if not scene.allowed or not (due or not scene.may_stay):
            return None
        seen = features(moment, scene.allowed, list(scene.zones.values()), scene.given.stock)
        names = [creative.creative_id for creative in scene.allowed]
        estimates, chances = model.probabilities(names, seen)
        index = drawn(
            chances.tolist(), f"{moment.store_id}\x1f{moment.screen_id}\x1f{moment.now_ms}"
        )
        creative = scene.allowed[index]
        return Wish(
            creative=creative,
            reason="attention" if scene.leader is not None else "rotation",
            sentence=self._learned(scene, creative, float(chances[index]), float(estimates[index])),
            hold_ms=HOLD_SLOTS * self._settings.slot_ms,
            algorithm="bandit",
            chances=dict(zip(names, chances.tolist(), strict=True)),
            features=tuple(seen[index].tolist()),
        )

    def _learned(self, scene: Scene, creative: Creative, chance: float, estimate: float) -> str:
        if self._snapshot is None:
            raise AssertionError("a model comes from a snapshot")
        zone = None if scene.leader is None else scene.zones[scene.leader.zone_id]
        return sentences.learned(
            creative,
            self._snapshot,
            chance=chance,
            estimate=estimate,
            among=len(scene.allowed),
            looked=None if zone is None or scene.leader is None else (zone, scene.leader),
        )

    def _choice(self, scene: Scene, wish: Wish, barred: Sequence[Barred]) -> Choice:
        chances = wish.chances or {wish.creative.creative_id: 1.0}
        considered = [b for b in barred if b.why not in _PLACED]
        names = {b.creative_id for b in considered} | {c.creative_id for c in scene.allowed}
        asked = [creative for creative in self._creatives if creative.creative_id in names]
        # Whoever chose: what it saw is what a bandit may learn from.
        seen = wish.features or self._seen(scene, wish.creative)
        return Choice(
            creative=wish.creative,
            candidates=tuple(
                Candidate(
                    creative_id=creative.creative_id,
                    creative_version=creative.version,
                    propensity=min(1.0, max(0.0, chances.get(creative.creative_id, 0.0))),
                )
                for creative in scene.allowed
            ),
            reason=wish.reason,
            sentence=wish.sentence,
            hold_ms=wish.hold_ms,
            drawn=wish.chances is not None,
            algorithm=wish.algorithm,
            snapshot=None if self._snapshot is None else self._snapshot.name,
            features=seen,
            barred=tuple(considered),
            adaptive=self._adaptive,
            stock=stock_seen(asked, scene.given),
            priced=priced(asked, scene.given),
            shown=shown(asked, scene.given),
        )

    def _seen(self, scene: Scene, creative: Creative) -> tuple[float, ...]:
        zones = list(scene.zones.values())
        seen = features(scene.moment, [creative], zones, scene.given.stock)
        return tuple(seen[0].tolist())

    def _name(self) -> str:
        by_zone = [(z.zone_id, z.area_id, z.name, z.category or "") for z in self._zones]
        languages = sorted((screen, list(taken)) for screen, taken in self._languages.items())
        snapshot = None if self._snapshot is None else self._snapshot.name
        told = msgspec.json.encode([by_zone, self._settings, languages, snapshot, self._adaptive])
        digest = hashlib.sha256(told).hexdigest()[:12]
        algorithm = "rotation" if self._snapshot is None else self._snapshot.algorithm
        return f"{algorithm}-2-{digest}"
