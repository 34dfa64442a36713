"""The rotation that a screen follows when nobody's attention decides. Pure.

It hangs on the clock alone, so that every screen, the control arm and a player cut off from the
processor all show the same creative at the same moment.
"""

from collections.abc import Sequence

from streams.contracts.signage import Creative


def slot_end_ms(at_ms: int, slot_ms: int) -> int:
    """The end of the rotation slot that holds `at_ms`.

    >>> slot_end_ms(12_000, 10_000)
    20000
    """
    return at_ms - at_ms % slot_ms + slot_ms


def in_rotation(creatives: Sequence[Creative], at_ms: int, slot_ms: int) -> Creative | None:
    """The creative whose turn it is at `at_ms`; None where there are none."""
    if not creatives:
        return None
    return creatives[at_ms // slot_ms % len(creatives)]
