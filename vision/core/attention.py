"""Gazes: a face is directed at one target, from the fixation on. Pure.

A person has at most one open gaze, and at most one candidate that is not yet fixated. Attention is
the sum of the intervals whose both ends face the target: what lies between a glance away and the
glance back is part of the gaze but not of its attention. A picture that shows no face, or none
clear enough, is no observation: an interval may bridge it, but only for `bridge_ms`.
"""

from collections.abc import Mapping
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
    """What one picture says of one person's gaze; `aims` by target, None if no face is seen."""

    at_ms: int
    aims: Mapping[str, Aim] | None


@dataclass(frozen=True, slots=True)
class Look:
    """A gaze, or a candidate for one. `facing`: the last observation faced the target."""

    target_id: str
    started_at_ms: int
    faced_at_ms: int
    attention_ms: int
    facing: bool
    probability: float
    faced: int
    distance_m: float


@dataclass(frozen=True, slots=True)
class Attention:
    """What a person looks at: the gaze that was told, and the target that may become one."""

    at_ms: int = -1
    gaze: Look | None = None
    candidate: Look | None = None


@dataclass(frozen=True, slots=True)
class GazeBegan:
    """The face has been directed at the target for its fixation time."""

    look: Look


@dataclass(frozen=True, slots=True)
class GazeOver:
    """The gaze ended when the face was last directed at the target."""

    look: Look
    censored: bool


GazeEvent = GazeBegan | GazeOver


def step(
    state: Attention, glance: Glance, rules: AttentionRules
) -> tuple[Attention, tuple[GazeEvent, ...]]:
    """The state after one more picture. One that is not later than the last changes nothing."""
    if glance.at_ms <= state.at_ms:
        return state, ()
    at_ms = glance.at_ms
    state, events = _expire(replace(state, at_ms=at_ms), rules)
    if glance.aims is None:
        return state, events
    target_id = _faced(state, glance.aims, rules)
    aim = glance.aims[target_id] if target_id is not None else None
    gaze, candidate = state.gaze, state.candidate
    if gaze is not None:
        gaze = _extend(gaze, at_ms, target_id, aim, rules)
    if gaze is not None and target_id == gaze.target_id:
        candidate = None
    elif candidate is not None and target_id in (None, candidate.target_id):
        candidate = _extend(candidate, at_ms, target_id, aim, rules)
    elif target_id is not None and aim is not None:
        candidate = Look(target_id, at_ms, at_ms, 0, True, aim.probability, 1, aim.distance_m)
    if candidate is not None and _fixated(candidate, rules):
        if gaze is not None:
            events = (*events, GazeOver(gaze, censored=False))
        return Attention(at_ms, candidate, None), (*events, GazeBegan(candidate))
    return Attention(at_ms, gaze, candidate), events


def close(state: Attention, *, censored: bool) -> tuple[Attention, tuple[GazeEvent, ...]]:
    """End the open gaze: its end is not seen (`censored`), or the person no longer counts."""
    over = () if state.gaze is None else (GazeOver(state.gaze, censored),)
    return Attention(state.at_ms), over


def _faced(state: Attention, aims: Mapping[str, Aim], rules: AttentionRules) -> str | None:
    """The target that is faced now: the held one while it may be, else the one that is named."""
    known = {name: aim.probability for name, aim in aims.items() if name in rules.targets}
    named = max(known, key=lambda name: (known[name], name), default=None)
    if named is not None and known[named] < rules.name_probability:
        named = None
    for held in (state.gaze, state.candidate):
        if held is None or named not in (None, held.target_id):
            continue
        if known.get(held.target_id, 0.0) >= rules.keep_probability:
            return held.target_id
    return named


def _extend(
    look: Look, at_ms: int, target_id: str | None, aim: Aim | None, rules: AttentionRules
) -> Look:
    if target_id != look.target_id or aim is None:
        return replace(look, facing=False)
    since_ms = at_ms - look.faced_at_ms
    longest_ms = min(rules.bridge_ms, rules.targets[look.target_id].gap_ms)
    whole = look.facing and since_ms <= longest_ms
    return replace(
        look,
        faced_at_ms=at_ms,
        attention_ms=look.attention_ms + (since_ms if whole else 0),
        facing=True,
        probability=(look.probability * look.faced + aim.probability) / (look.faced + 1),
        faced=look.faced + 1,
        distance_m=aim.distance_m,
    )


def _fixated(look: Look, rules: AttentionRules) -> bool:
    return look.facing and look.attention_ms >= rules.targets[look.target_id].fixation_ms


def _expire(state: Attention, rules: AttentionRules) -> tuple[Attention, tuple[GazeEvent, ...]]:
    events: tuple[GazeEvent, ...] = ()
    gaze, candidate = state.gaze, state.candidate
    if gaze is not None and state.at_ms - gaze.faced_at_ms > rules.targets[gaze.target_id].gap_ms:
        events, gaze = (GazeOver(gaze, censored=False),), None
    if candidate is not None and state.at_ms - candidate.faced_at_ms > rules.bridge_ms:
        candidate = None
    return Attention(state.at_ms, gaze, candidate), events


def attention_so_far(state: Attention, target_id: str) -> int:
    """Attention of the open gaze, if it is on `target_id`."""
    if state.gaze is None or state.gaze.target_id != target_id:
        return 0
    return state.gaze.attention_ms
