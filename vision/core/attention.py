"""Gazes: a face is directed at one target, from the fixation on. Pure.

A person has at most one open gaze, and at most one candidate that is not yet fixated. Attention is
the sum of the facing intervals: what lies between a glance away and the glance back is part of the
gaze but not of its attention. A picture that shows no face, or none clear enough, is no
observation: an interval may bridge it, but only for `bridge_ms`.

A fixation begins and ends between two pictures. Where exactly is not known, but it is as likely
before as after the middle, so an interval reaches half-way to the last picture before it and to
the first after it that show the person in the target's zone and not facing. Counted from facing
picture to facing picture every look would be one period too short on average (200 ms of a one
second look at 5 pictures a second); so it is right on average, at any rate. It never reaches out
of the zone, so that attention stays within the stay it belongs to.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace


@dataclass(frozen=True, slots=True)
class TargetRules:
    """`fixation_ms` of attention make a gaze; without facing for `gap_ms` it is over."""

    fixation_ms: int
    gap_ms: int


@dataclass(frozen=True, slots=True)
class AttentionRules:
    """Hysteresis: a target is named from `name_probability` on and kept from `keep_probability`."""

    name_probability: float
    keep_probability: float
    bridge_ms: int
    targets: Mapping[str, TargetRules]


@dataclass(frozen=True, slots=True)
class Aim:
    """How probable it is that the gaze rests on a target, and how far the head is from it."""

    probability: float
    distance_m: float


@dataclass(frozen=True, slots=True)
class Glance:
    """What one picture says of one person's gaze.

    `aims` by target, None if no face is seen; `inside`: the targets in whose zone the picture shows
    the person, none if it does not show the person at all.
    """

    at_ms: int
    aims: Mapping[str, Aim] | None
    inside: Collection[str] = ()


@dataclass(frozen=True, slots=True)
class Look:
    """A gaze, or a candidate for one.

    `faced_at_ms`: the last picture that faced the target; `attention_ms` up to there; `away_at_ms`:
    the first after it that shows the person there and not facing; `facing`: no picture since has
    shown the face directed elsewhere. `ended_at_ms` is set once it is over.
    """

    target_id: str
    started_at_ms: int
    faced_at_ms: int
    attention_ms: int
    facing: bool
    probability: float
    faced: int
    distance_m: float
    away_at_ms: int | None = None
    ended_at_ms: int | None = None


@dataclass(frozen=True, slots=True)
class Attention:
    """What a person looks at: the gaze that was told, and the target that may become one.

    `at_ms`: the last picture; `inside`: the targets in whose zone it showed the person.
    """

    at_ms: int = -1
    inside: Collection[str] = ()
    gaze: Look | None = None
    candidate: Look | None = None


@dataclass(frozen=True, slots=True)
class GazeBegan:
    """The face has been directed at the target for its fixation time."""

    look: Look


@dataclass(frozen=True, slots=True)
class GazeOver:
    """The gaze ended; `look.ended_at_ms` says when, `censored` that its end was not seen."""

    look: Look
    censored: bool


GazeEvent = GazeBegan | GazeOver


def step(
    state: Attention, glance: Glance, rules: AttentionRules
) -> tuple[Attention, tuple[GazeEvent, ...]]:
    """The state after one more picture. One that is not later than the last changes nothing.

    >>> rules = AttentionRules(0.5, 0.35, 600, {"tea": TargetRules(300, 700)})
    >>> state, looks = Attention(), {0: 0.0, 200: 0.9, 400: 0.9, 600: 0.0, 2000: 0.0}
    >>> told = []
    >>> for at_ms, odds in looks.items():
    ...     state, events = step(state, Glance(at_ms, {"tea": Aim(odds, 1.5)}, ("tea",)), rules)
    ...     told.extend(events)
    >>> [(e.look.started_at_ms, e.look.ended_at_ms, e.look.attention_ms) for e in told]
    [(100, None, 300), (100, 500, 400)]
    """
    at_ms = glance.at_ms
    if at_ms <= state.at_ms:
        return state, ()
    gaze, candidate, events = _expired(state, at_ms, rules)
    aims = glance.aims
    if aims is None:
        gaze, candidate = _missed(gaze, glance), _missed(candidate, glance)
        return Attention(at_ms, glance.inside, gaze, candidate), events
    target_id = _faced(gaze, candidate, aims, rules)
    aim = aims[target_id] if target_id is not None else None
    if gaze is not None:
        gaze = _extended(gaze, glance, state, target_id, aim, rules)
    if gaze is not None and target_id == gaze.target_id:
        candidate = None
    elif candidate is not None and target_id in (None, candidate.target_id):
        candidate = _extended(candidate, glance, state, target_id, aim, rules)
    elif target_id is not None and aim is not None:
        begin_ms = at_ms - _head_ms(state, target_id, at_ms, rules)
        candidate = Look(
            target_id, begin_ms, at_ms, at_ms - begin_ms, True, aim.probability, 1, aim.distance_m
        )
    if candidate is not None and _fixated(candidate, rules):
        if gaze is not None:
            events = (*events, _over(gaze, rules))
        return Attention(at_ms, glance.inside, candidate), (*events, GazeBegan(candidate))
    return Attention(at_ms, glance.inside, gaze, candidate), events


def close(
    state: Attention, rules: AttentionRules, *, censored: bool
) -> tuple[Attention, tuple[GazeEvent, ...]]:
    """End the open gaze: its end is not seen (`censored`), or the person no longer counts."""
    over = () if state.gaze is None else (_over(state.gaze, rules, censored=censored),)
    return Attention(state.at_ms, state.inside), over


def _faced(
    gaze: Look | None, candidate: Look | None, aims: Mapping[str, Aim], rules: AttentionRules
) -> str | None:
    """The target that is faced now: the held one while it may be, else the one that is named."""
    named: str | None = None
    best = 0.0
    for name, aim in aims.items():
        if name in rules.targets and (named is None or (aim.probability, name) > (best, named)):
            named, best = name, aim.probability
    if best < rules.name_probability:
        named = None
    for held in (gaze, candidate):
        if held is None or named not in (None, held.target_id):
            continue
        aim_held = aims.get(held.target_id)
        if aim_held is not None and aim_held.probability >= rules.keep_probability:
            return held.target_id
    return named


def _extended(
    look: Look,
    glance: Glance,
    state: Attention,
    target_id: str | None,
    aim: Aim | None,
    rules: AttentionRules,
) -> Look:
    """The look after a picture that shows the face; `state` is that before the picture."""
    at_ms = glance.at_ms
    if target_id != look.target_id or aim is None:
        return replace(_missed(look, glance) or look, facing=False)
    since_ms = at_ms - look.faced_at_ms
    if not look.facing or since_ms > _longest_ms(look.target_id, rules):
        since_ms = _tail_ms(look, rules) + _head_ms(state, look.target_id, at_ms, rules)
    return Look(
        target_id=look.target_id,
        started_at_ms=look.started_at_ms,
        faced_at_ms=at_ms,
        attention_ms=look.attention_ms + since_ms,
        facing=True,
        probability=(look.probability * look.faced + aim.probability) / (look.faced + 1),
        faced=look.faced + 1,
        distance_m=aim.distance_m,
    )


def _missed(look: Look | None, glance: Glance) -> Look | None:
    """The look after a picture that does not show it."""
    if look is None or look.away_at_ms is not None or look.target_id not in glance.inside:
        return look
    return replace(look, away_at_ms=glance.at_ms)


def _longest_ms(target_id: str, rules: AttentionRules) -> int:
    """What an interval may bridge: no more than the target's own gap."""
    return min(rules.bridge_ms, rules.targets[target_id].gap_ms)


def _head_ms(state: Attention, target_id: str, at_ms: int, rules: AttentionRules) -> int:
    """How long before `at_ms` facing began: half the time since a picture that did not show it."""
    since_ms = at_ms - state.at_ms
    if target_id not in state.inside or since_ms > _longest_ms(target_id, rules):
        return 0
    return since_ms // 2


def _tail_ms(look: Look, rules: AttentionRules) -> int:
    """How long after its last picture facing went on: half the time to the next one."""
    if look.away_at_ms is None:
        return 0
    since_ms = look.away_at_ms - look.faced_at_ms
    return since_ms // 2 if since_ms <= _longest_ms(look.target_id, rules) else 0


def _over(look: Look, rules: AttentionRules, *, censored: bool = False) -> GazeOver:
    tail_ms = _tail_ms(look, rules)
    ended = replace(
        look,
        ended_at_ms=look.faced_at_ms + tail_ms,
        attention_ms=look.attention_ms + tail_ms,
    )
    return GazeOver(ended, censored)


def _fixated(look: Look, rules: AttentionRules) -> bool:
    # One picture alone is no fixation, however long its half intervals are.
    long_enough = look.attention_ms >= rules.targets[look.target_id].fixation_ms
    return look.facing and look.away_at_ms is None and look.faced > 1 and long_enough


def _expired(
    state: Attention, at_ms: int, rules: AttentionRules
) -> tuple[Look | None, Look | None, tuple[GazeEvent, ...]]:
    gaze, candidate = state.gaze, state.candidate
    events: tuple[GazeEvent, ...] = ()
    if gaze is not None and at_ms - gaze.faced_at_ms > rules.targets[gaze.target_id].gap_ms:
        events, gaze = (_over(gaze, rules),), None
    if candidate is not None and at_ms - candidate.faced_at_ms > rules.bridge_ms:
        candidate = None
    return gaze, candidate, events


def attention_so_far(state: Attention, target_id: str) -> int:
    """Attention of the open gaze, if it is on `target_id`."""
    if state.gaze is None or state.gaze.target_id != target_id:
        return 0
    return state.gaze.attention_ms
