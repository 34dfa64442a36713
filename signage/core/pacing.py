"""When a screen may change: a minimum display, no flapping, no waiting for an asset's end. Pure.

A creative that somebody looked for stays for its minimum whatever happens; one that only filled its
turn gives way to attention early, in the middle of a film if need be. What may no longer be shown
goes at once.
"""

from dataclasses import dataclass

from signage.errors import PolicyError
from streams.contracts.policy import Moment
from streams.contracts.signage import ReasonCode

#: A choice outlives this many rotation slots before the screen helps itself: one until it is told
#: anew, one for a processor that restarts, one to spare.
HOLD_SLOTS = 3


@dataclass(frozen=True, slots=True)
class Pacing:
    """How long things stay.

    `min_display_ms`: a creative that somebody looked for stays this long whatever happens.
    `min_rotation_ms`: one that only filled its turn gives way to attention after this long, since
    who looks now will not look for long; shorter would flash. `slot_ms`: a creative's turn.
    """

    min_display_ms: int = 3_000
    min_rotation_ms: int = 1_000
    slot_ms: int = 10_000

    def __post_init__(self) -> None:
        if not 0 < self.min_rotation_ms <= self.min_display_ms <= self.slot_ms:
            raise PolicyError(
                f"min_rotation_ms is {self.min_rotation_ms}, min_display_ms {self.min_display_ms} "
                f"and slot_ms {self.slot_ms}, but a turn in the rotation cannot be shorter than "
                "the minimum display; give 0 < min_rotation_ms <= min_display_ms <= slot_ms"
            )


def may_change(moment: Moment, reason: ReasonCode, pacing: Pacing) -> bool:
    """Whether what is on show has stayed long enough to give way to something for `reason`."""
    return _stayed(moment, moment.shown_since_ms, reason, pacing)


def may_draw(moment: Moment, *, looked_for: bool, pacing: Pacing) -> bool:
    """Whether chance may choose again.

    At the end of the turn; or when somebody looks for something else than what is on show
    (`looked_for`), once the last draw has stayed as long as it must. Never more often: whoever
    draws until it likes the outcome has drawn with another probability than the one it logs.
    """
    decided_ms = moment.decided_ms
    if moment.showing is None or decided_ms is None or moment.now_ms < decided_ms:
        return True
    if moment.now_ms - decided_ms >= pacing.slot_ms:
        return True
    return looked_for and _stayed(moment, decided_ms, "attention", pacing)


def _stayed(moment: Moment, since_ms: int | None, reason: ReasonCode, pacing: Pacing) -> bool:
    if moment.showing is None or since_ms is None:
        return True
    shown_ms = moment.now_ms - since_ms
    if shown_ms < 0:  # the clock was set back: its old stamps say nothing any more
        return True
    looked_for = moment.shown_reason in (None, "attention") or reason != "attention"
    return shown_ms >= (pacing.min_display_ms if looked_for else pacing.min_rotation_ms)
