"""From a moment to what a screen is told: the decision whole, and the content. Pure.

It must never import the policy that decides; that is handed in.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, tzinfo
from typing import NamedTuple

from streams.contracts.base import Trace
from streams.contracts.ids import event_id
from streams.contracts.layout import Screen, Zone
from streams.contracts.policy import Choice, ContentPolicy, Moment
from streams.contracts.signage import Content, Creative, Decision, ZoneAttention
from streams.core import attention_now
from streams.core.attention_now import AreaState
from streams.react.arms import Arms, Drawn

#: A choice that stays the same is told anew once a third of its hold is over: early enough for a
#: processor that is away for a while, late enough not to tell it at every glance.
_RENEW_AT_SHARE_LEFT = 2 / 3


@dataclass(frozen=True, slots=True)
class Place:
    """A screen and the zones of its area; `clock` is the store's time zone."""

    store_id: str
    screen: Screen
    zones: tuple[Zone, ...]
    clock: tzinfo = UTC


@dataclass(frozen=True, slots=True)
class Sight:
    """How attention is looked at: the stretch that counts as now, and a gateway's silence."""

    window_ms: int
    silence_ms: int


class Told(NamedTuple):
    """What a screen is told, the decision behind it, and the categories of the creative."""

    content: Content
    decision: Decision
    categories: tuple[str, ...]


def decide(
    place: Place,
    state: AreaState,
    showing: Content | None,
    now_ms: int,
    *,
    policy: ContentPolicy,
    arms: Arms,
    sight: Sight,
) -> Told | None:
    """What the screen shall be told at `now_ms`; None where it goes on as it is."""
    if showing is not None and showing.expires_at_ms <= now_ms:
        showing = None
    attention = attention_now.moment(
        state,
        [zone.zone_id for zone in place.zones],
        now_ms,
        window_ms=sight.window_ms,
        silence_ms=sight.silence_ms,
    )
    drawn = arms.drawn(place.store_id, place.screen.screen_id, now_ms)
    local = datetime.fromtimestamp(now_ms / 1_000, place.clock)
    moment = Moment(
        store_id=place.store_id,
        area_id=place.screen.area_id,
        screen_id=place.screen.screen_id,
        now_ms=now_ms,
        arm=drawn.arm,
        attention=attention,
        showing=showing.creative_id if showing else None,
        shown_since_ms=_shown_since_ms(showing) if showing else None,
        shown_reason=showing.reason if showing else None,
        decided_ms=showing.not_before_ms if showing else None,
        weekday=local.isoweekday(),
        minute=local.hour * 60 + local.minute,
    )
    choice = policy.choose(moment)
    if choice is None or _goes_on(showing, choice, moment):
        return None
    trace = _trace(place.zones, state, choice, moment, sight.silence_ms)
    content, decision = _told(moment, choice, showing, trace, policy.version, drawn)
    return Told(content, decision, choice.creative.categories)


def _shown_since_ms(content: Content) -> int:
    return content.not_before_ms if content.shown_since_ms is None else content.shown_since_ms


def _goes_on(showing: Content | None, choice: Choice, moment: Moment) -> bool:
    """Whether the screen already shows the choice, in this arm, and long enough to come.

    A creative that somebody now looks for is told anew, even if its turn had brought it: from now
    on it keeps its minimum display, and says why. What chance drew is told whatever it is: a draw
    that is not logged because it changed nothing would belie the probabilities of those that are.
    """
    if (
        showing is None
        or choice.drawn
        or (choice.reason == "attention" and showing.reason != "attention")
    ):
        return False
    if (showing.creative_id, showing.creative_version, showing.arm) != (
        choice.creative.creative_id,
        choice.creative.version,
        moment.arm,
    ):
        return False
    return showing.expires_at_ms - moment.now_ms > choice.hold_ms * _RENEW_AT_SHARE_LEFT


def _told(
    moment: Moment,
    choice: Choice,
    showing: Content | None,
    trace: Trace | None,
    policy_version: str,
    drawn: Drawn,
) -> tuple[Content, Decision]:
    creative = choice.creative
    renews = moment.showing == creative.creative_id
    # The decision before is part of the id, or the time where there is none: one gaze may cause the
    # same choice twice.
    decision_id = event_id(
        moment.screen_id,
        trace.cause_id if trace else moment.now_ms,
        creative.creative_id,
        creative.version,
        showing.decision_id if showing else moment.now_ms,
    )
    content = Content(
        decision_id=decision_id,
        store_id=moment.store_id,
        area_id=moment.area_id,
        screen_id=moment.screen_id,
        creative_id=creative.creative_id,
        creative_version=creative.version,
        not_before_ms=moment.now_ms,
        expires_at_ms=moment.now_ms + choice.hold_ms,
        arm=moment.arm,
        reason=choice.reason,
        sentence=choice.sentence,
        shown_since_ms=_shown_since_ms(showing) if showing and renews else None,
        trace=trace,
    )
    decision = Decision(
        decision_id=decision_id,
        store_id=moment.store_id,
        area_id=moment.area_id,
        screen_id=moment.screen_id,
        decided_at_ms=moment.now_ms,
        slot_start_ms=drawn.slot_start_ms,
        arm=moment.arm,
        arm_probability=drawn.probability,
        policy_version=policy_version,
        context=moment.attention,
        showing=moment.showing,
        shown_since_ms=moment.shown_since_ms,
        shown_reason=moment.shown_reason,
        candidates=choice.candidates,
        creative_id=creative.creative_id,
        creative_version=creative.version,
        reason=choice.reason,
        sentence=choice.sentence,
        trace=trace,
        algorithm=choice.algorithm,
        snapshot=choice.snapshot,
        features=choice.features,
        experiment_id=drawn.experiment_id,
        before_ms=moment.decided_ms,
        weekday=moment.weekday,
        minute=moment.minute,
        stock=choice.stock,
        priced=choice.priced,
        shown=choice.shown,
        barred=choice.barred,
        adaptive=choice.adaptive,
    )
    return content, decision


def _trace(
    zones: Sequence[Zone], state: AreaState, choice: Choice, moment: Moment, silence_ms: int
) -> Trace | None:
    """The trace of the newest gaze that is open on the zone that won, if attention decided."""
    if choice.reason != "attention":
        return None
    zone_id = _winning_zone(zones, choice.creative, moment.attention)
    if zone_id is None:
        return None
    gaze = attention_now.newest_open_gaze(state, zone_id, moment.now_ms, silence_ms=silence_ms)
    return gaze.trace if gaze else None


def _winning_zone(
    zones: Sequence[Zone], creative: Creative, attention: Sequence[ZoneAttention]
) -> str | None:
    """The zone that the creative was chosen for: of those it is made for (by name, else by
    category, else any), the one that is watched most.
    """
    watched = [entry for entry in attention if entry.attention_ms > 0 or entry.watchers > 0]
    category = {zone.zone_id: zone.category for zone in zones}
    made_for = [entry for entry in watched if entry.zone_id in creative.zones] or [
        entry for entry in watched if category.get(entry.zone_id) in creative.categories
    ]
    most = max(
        made_for or watched,
        key=lambda entry: (entry.watchers > 0, entry.attention_ms, entry.zone_id),
        default=None,
    )
    return most.zone_id if most else None
