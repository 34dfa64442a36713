"""The words of the stage: what can be shown, what is asked for, what is on the glass. Pure."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from signage.player.repertoire import Repertoire
from streams.contracts.base import Trace
from streams.contracts.signage import Arm, Creative, Play, PriceShown, ReasonCode

Why = Literal["expired", "too far ahead", "another screen", "unknown creative", "no price"]

#: The prices that a creative would show; None where one of them is not known.
PricesOf = Callable[[Creative], tuple[PriceShown, ...] | None]


@dataclass(frozen=True, slots=True)
class Now:
    """One instant on both clocks: UTC epoch for stamps, monotonic for durations."""

    wall_ms: int
    mono_ms: int


@dataclass(frozen=True, slots=True)
class Place:
    """Where the stage stands; a part of every play."""

    store_id: str
    area_id: str
    screen_id: str
    player_id: str


@dataclass(frozen=True, slots=True)
class Programme:
    """Something to show: a decision's content, or a turn of the stage's own rotation."""

    decision_id: str
    creative: Creative
    scheduled_at_ms: int
    expires_at_ms: int
    reason: ReasonCode
    sentence: str
    arm: Arm | None = None
    trace: Trace | None = None


@dataclass(frozen=True, slots=True)
class Ask:
    """The page is asked to show `programme`; it answers with `play_id`."""

    play_id: str
    programme: Programme
    prices: tuple[PriceShown, ...] = ()


@dataclass(frozen=True, slots=True)
class Refusal:
    """A content that is not shown, and why."""

    decision_id: str
    why: Why


@dataclass(frozen=True, slots=True)
class Playing:
    """A play that the page has painted."""

    play_id: str
    programme: Programme
    rendered_at_ms: int
    rendered_mono_ms: int
    prices: tuple[PriceShown, ...] = ()

    def duration_ms(self, now: Now) -> int:
        """How long it has been on the glass."""
        return max(0, now.mono_ms - self.rendered_mono_ms)


@dataclass(frozen=True, slots=True)
class State:
    """All that the stage knows. `asked` are shows that the page has not answered, oldest first;
    `repertoire` None is the one that the stage was made with."""

    repertoire: Repertoire | None = None
    page: bool = False
    content: Programme | None = None
    waiting: Programme | None = None
    fallback: Programme | None = None
    asked: tuple[Ask, ...] = ()
    playing: Playing | None = None
    avoid: tuple[tuple[str, int], ...] = ()
    seen: tuple[str, ...] = ()


Output = Ask | Play | Refusal
Step = tuple[State, tuple[Output, ...]]
