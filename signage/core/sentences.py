"""Why a screen shows what it shows, in one plain sentence: about shelves, never about a person."""

from streams.contracts.layout import Zone
from streams.contracts.policy import Moment
from streams.contracts.signage import Creative, ZoneAttention

#: A name longer than this is cut, so that a sentence always fits its field of 500 characters.
_MAX_NAME = 80

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


def rotation(creative: Creative, left_ms: int, *, control: bool) -> str:
    """Why the rotation chose `creative`, which has `left_ms` of its turn left."""
    turn = f"{_cut(creative.title)} for the next {max(1, round(left_ms / 1000))} s"
    if control:
        return (
            "This is a control period, in which the screen follows its rotation "
            f"whoever looks: {turn}."
        )
    return (
        "Nobody is looking at a shelf with a creative of its own, so the screen follows its "
        f"rotation: {turn}."
    )


def _shelf(name: str) -> str:
    return name.lower() if name.lower().startswith("the ") else f"the {name.lower()} shelf"


def _cut(name: str) -> str:
    return name if len(name) <= _MAX_NAME else f"{name[: _MAX_NAME - 1]}…"
