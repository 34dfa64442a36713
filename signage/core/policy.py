"""The first content policy: the creative of the zone that holds the most attention. Pure.

It must never import anything that reads a clock, a file or the network: the same moment gives the
same choice, so that decisions can be replayed.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

import msgspec

from signage.core import sentences
from signage.core.eligibility import eligible, made_for
from signage.core.rotation import in_rotation, slot_end_ms
from signage.errors import PolicyError
from streams.contracts.layout import Zone
from streams.contracts.policy import Choice, Moment
from streams.contracts.signage import Candidate, Creative, ReasonCode, ZoneAttention

#: A choice outlives this many rotation slots before the screen helps itself: one until it is told
#: anew, one for a processor that restarts, one to spare.
_HOLD_SLOTS = 3


@dataclass(frozen=True, slots=True)
class RuleSettings:
    """How the rule weighs attention.

    `threshold_ms`: less attention than this moves no screen (the default is a zone's fixation
    time). `min_display_ms`: a creative that somebody looked for stays this long whatever happens.
    `min_rotation_ms`: one that only filled its turn gives way to attention after this long, since
    who looks now will not look for long; shorter would flash. `lead_share`: a rival zone must hold
    this share more attention than the one on show. `slot_ms`: a creative's turn in the rotation.
    """

    threshold_ms: int = 300
    min_display_ms: int = 3_000
    min_rotation_ms: int = 1_000
    lead_share: float = 0.25
    slot_ms: int = 10_000

    def __post_init__(self) -> None:
        if not 0 < self.min_rotation_ms <= self.min_display_ms <= self.slot_ms:
            raise PolicyError(
                f"min_rotation_ms is {self.min_rotation_ms}, min_display_ms {self.min_display_ms} "
                f"and slot_ms {self.slot_ms}, but a turn in the rotation cannot be shorter than "
                "the minimum display; give 0 < min_rotation_ms <= min_display_ms <= slot_ms"
            )
        if self.threshold_ms <= 0 or self.lead_share < 0.0:
            raise PolicyError(
                f"threshold_ms is {self.threshold_ms} and lead_share {self.lead_share}, but "
                "attention can be neither free nor negative; give 1 or more and 0 or more"
            )


@dataclass(frozen=True, slots=True)
class _Wish:
    """What the rule would show if the screen were free to change."""

    creative: Creative
    candidates: tuple[Creative, ...]
    reason: ReasonCode
    sentence: str
    hold_ms: int


class RulePolicy:
    """Implements `streams.contracts.policy.ContentPolicy`.

    A zone that is watched now comes before one that was only watched in the last seconds; among
    equals the most attention wins, and the zone on show keeps its screen unless a rival clearly
    leads. It chooses what is on show as long as it is right, so whoever asks decides how often an
    unchanged choice is told anew; None means that the minimum display forbids the change.
    """

    def __init__(
        self,
        creatives: Sequence[Creative],
        zones: Sequence[Zone],
        settings: RuleSettings | None = None,
    ) -> None:
        self._settings = settings or RuleSettings()
        self._creatives = tuple(sorted(creatives, key=lambda c: c.creative_id))
        self._zones = {zone.zone_id: zone for zone in zones}
        self._version = _version(self._creatives, zones, self._settings)

    @property
    def version(self) -> str:
        """Names the rule, its settings, the creatives and the zones it knows."""
        return self._version

    def choose(self, moment: Moment) -> Choice | None:
        """The creative to show now, or None to leave the screen as it is."""
        zones = [z for z in self._zones.values() if z.area_id == moment.area_id]
        allowed = eligible(self._creatives, moment.screen_id, zones)
        wish = None if moment.arm == "control" else self._by_attention(moment, allowed)
        wish = wish or self._by_rotation(moment, allowed)
        if wish is None or not self._due(moment, wish):
            return None
        return Choice(
            creative=wish.creative,
            candidates=tuple(
                Candidate(
                    creative_id=creative.creative_id,
                    creative_version=creative.version,
                    propensity=1.0 if creative == wish.creative else 0.0,
                )
                for creative in wish.candidates
            ),
            reason=wish.reason,
            sentence=wish.sentence,
            hold_ms=wish.hold_ms,
        )

    def _due(self, moment: Moment, wish: _Wish) -> bool:
        """Whether the screen may show the wish now: what it shows already, it may go on showing."""
        if moment.showing is None or moment.shown_since_ms is None:
            return True
        shown_ms = moment.now_ms - moment.shown_since_ms
        if shown_ms < 0:  # the clock was set back: its old stamps say nothing any more
            return True
        if wish.creative.creative_id == moment.showing:
            return True
        looked_for = moment.shown_reason in (None, "attention") or wish.reason != "attention"
        least_ms = self._settings.min_display_ms if looked_for else self._settings.min_rotation_ms
        return shown_ms >= least_ms

    def _by_attention(self, moment: Moment, allowed: tuple[Creative, ...]) -> _Wish | None:
        leader = self._leader(moment, allowed)
        if leader is None:
            return None
        zone = self._zones[leader.zone_id]
        made = [c for c in allowed if made_for(c, zone)]
        kept = next((c for c in made if c.creative_id == moment.showing), None)
        creative = kept or in_rotation(made, moment.now_ms, self._settings.slot_ms)
        if creative is None:
            return None
        return _Wish(
            creative=creative,
            candidates=allowed,
            reason="attention",
            sentence=sentences.attention(zone, leader, moment),
            hold_ms=_HOLD_SLOTS * self._settings.slot_ms,
        )

    def _leader(self, moment: Moment, allowed: tuple[Creative, ...]) -> ZoneAttention | None:
        """The zone whose creative should be on show, None where no zone holds enough attention."""
        held: list[ZoneAttention] = []
        on_show: ZoneAttention | None = None
        for entry in sorted(moment.attention, key=lambda e: e.zone_id):
            zone = self._zones.get(entry.zone_id)
            if zone is None or entry.attention_ms < self._settings.threshold_ms:
                continue
            made = [c.creative_id for c in allowed if made_for(c, zone)]
            if not made:
                continue
            held.append(entry)
            if moment.showing in made and (on_show is None or _rank(entry) > _rank(on_show)):
                on_show = entry
        if not held:
            return None
        leader = max(held, key=_rank)
        return leader if on_show is None or self._leads(leader, on_show) else on_show

    def _leads(self, rival: ZoneAttention, on_show: ZoneAttention) -> bool:
        """Whether `rival` leads the zone on show clearly enough to take its screen."""
        if (rival.watchers > 0) != (on_show.watchers > 0):
            return rival.watchers > 0
        return rival.attention_ms > on_show.attention_ms * (1.0 + self._settings.lead_share)

    def _by_rotation(self, moment: Moment, allowed: tuple[Creative, ...]) -> _Wish | None:
        slot_ms = self._settings.slot_ms
        creative = in_rotation(allowed, moment.now_ms, slot_ms)
        if creative is None:
            return None
        left_ms = slot_end_ms(moment.now_ms, slot_ms) - moment.now_ms
        control = moment.arm == "control"
        return _Wish(
            creative=creative,
            candidates=allowed,
            reason="control" if control else "rotation",
            sentence=sentences.rotation(creative, left_ms, control=control),
            hold_ms=left_ms + (_HOLD_SLOTS - 1) * slot_ms,
        )


def _rank(entry: ZoneAttention) -> tuple[bool, int]:
    return entry.watchers > 0, entry.attention_ms


def _version(creatives: Sequence[Creative], zones: Sequence[Zone], settings: RuleSettings) -> str:
    by_zone = sorted((z.zone_id, z.area_id, z.category or "") for z in zones)
    snapshot = msgspec.json.encode([list(creatives), by_zone, settings])
    return f"rule-1-{hashlib.sha256(snapshot).hexdigest()[:12]}"
