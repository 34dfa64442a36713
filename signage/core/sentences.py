"""Why a screen shows what it shows, in one plain sentence: about shelves, never about a person."""

from typing import Literal

from streams.contracts.layout import Zone
from streams.contracts.learning import PolicySnapshot, RewardKind
from streams.contracts.policy import Moment
from streams.contracts.signage import Creative, ZoneAttention

#: A name longer than this is cut, so that a sentence always fits its field of 500 characters.
_MAX_NAME = 80

#: Why a screen follows its rotation: nobody looks (`idle`), or nobody's look may decide.
WhyRotation = Literal["idle", "control", "rotation", "off", "unapproved"]

_WHY_ROTATION: dict[WhyRotation, str] = {
    "idle": "Nobody is looking at a shelf with a creative of its own, so the screen follows its "
    "rotation",
    "control": "This is a control period, in which the screen follows its rotation whoever looks",
    "rotation": "The policy approved for this store is the rotation",
    "off": "Adaptive content is switched off in this store, so the screen follows its rotation",
    "unapproved": "Nobody has approved an adaptive policy for this store, so the screen follows "
    "its rotation",
}

_REWARDS: dict[RewardKind, str] = {
    "attention": "attention to the screen",
    "sales": "sales of what it advertises",
    "basket": "units a basket",
}

#: What a player says when no decision tells it what to show.
FALLBACK = "No decision has arrived for this screen, so it follows its own rotation."


def attention(zone: Zone, held: ZoneAttention, moment: Moment) -> str:
    """Why attention chose the creative of `zone`."""
    seconds = f"{held.attention_ms / 1000:.1f} s"
    who = f"{held.watchers} people have" if held.watchers > 1 else "Someone has"
    together = " together" if held.watchers > 1 else ""
    name = _cut(zone.name)
    changed = ""
    if moment.showing is not None and moment.shown_since_ms is not None:
        ago = max(0, moment.now_ms - moment.shown_since_ms) / 1000
        changed = f" (the screen had last changed {ago:.0f} s before)"
    return (
        f"{who} looked at {_shelf(name)} for {seconds}{together}; "
        f"this is the creative for {name.lower()}{changed}."
    )


def rotation(creative: Creative, left_ms: int, why: WhyRotation) -> str:
    """Why the rotation chose `creative`, which has `left_ms` of its turn left."""
    turn = f"{_cut(creative.title)} for the next {max(1, round(left_ms / 1000))} s"
    return f"{_WHY_ROTATION[why]}: {turn}."


def learned(
    creative: Creative,
    snapshot: PolicySnapshot,
    *,
    chance: float,
    estimate: float,
    among: int,
    looked: tuple[Zone, ZoneAttention] | None,
) -> str:
    """Why chance chose `creative` among so many, by what a snapshot has learned; `looked`: the zone
    that holds the most attention.
    """
    seen = "Nobody is looking at a shelf with a creative of its own"
    if looked is not None:
        zone, held = looked
        who = f"{held.watchers} people have" if held.watchers > 1 else "Someone has"
        seen = f"{who} looked at {_shelf(_cut(zone.name))} for {held.attention_ms / 1000:.1f} s"
    worth = f"{max(0.0, estimate):.2f} of 1 in {_REWARDS[snapshot.reward]}"
    return (
        f"{seen}; of {among} creatives that may be shown here {_cut(creative.title)} was drawn "
        f"with a chance of {chance:.0%}, expected to be worth {worth} by what {snapshot.rewards} "
        f"earlier decisions taught ({_cut(snapshot.name)})."
    )


def _shelf(name: str) -> str:
    return name.lower() if name.lower().startswith("the ") else f"the {name.lower()} shelf"


def _cut(name: str) -> str:
    return name if len(name) <= _MAX_NAME else f"{name[: _MAX_NAME - 1]}…"
