"""Lines at a door: who crosses one, in which direction, and when. Pure.

Somebody is on one side until they are clearly on the other: who stands on the line, or steps over
it and back within the band, has not crossed. A crossing counts where the way from the one side to
the other leads between the line's ends.
"""

import math
from dataclasses import dataclass, replace
from typing import Literal

from streams.contracts.layout import Point

Side = Literal["inside", "outside"]
Direction = Literal["in", "out"]

#: A way may lead past an end by this part of the line's length: places are not that exact.
_BEYOND = 0.05


@dataclass(frozen=True, slots=True)
class DoorLine:
    """A line from `a` to `b`, and any point on its inner side, all in one unit: metres on the
    floor, or parts of one camera's picture where `in_picture`. `band`: half its width.
    """

    line_id: str
    a: Point
    b: Point
    inward: Point
    band: float
    in_picture: bool


@dataclass(frozen=True, slots=True)
class Crosser:
    """Where somebody was last clearly on one side, and what led on from there."""

    side: Side
    at_ms: int
    point: Point
    depth: float
    over: tuple[int, float] | None = None


@dataclass(frozen=True, slots=True)
class Crossed:
    """Somebody crossed the line; when is interpolated between two detections."""

    line_id: str
    direction: Direction
    at_ms: int


def step(
    crosser: Crosser | None, line: DoorLine, point: Point, at_ms: int, sigma: float = 0.0
) -> tuple[Crosser | None, Crossed | None]:
    """After one more detection at `point`, known to within one `sigma`. A detection that is not
    later than the last on a side changes nothing.

    >>> line = DoorLine("door", (0.0, 0.0), (2.0, 0.0), (1.0, 1.0), 0.2, False)
    >>> crosser, _ = step(None, line, (1.0, -0.5), 0)
    >>> crosser, nothing = step(crosser, line, (1.0, 0.1), 200)  # on the line
    >>> step(crosser, line, (1.0, 0.6), 400)[1]
    Crossed(line_id='door', direction='in', at_ms=167)
    """
    depth = _depth(line, point)
    if crosser is not None and at_ms <= crosser.at_ms:
        return crosser, None
    side: Side = "inside" if depth > 0 else "outside"
    # A vague place must be further over: it may jump by its sigma while nobody moves.
    if abs(depth) < max(line.band, min(sigma, 2 * line.band)):
        if crosser is None:
            return None, None
        over = None if side == crosser.side else crosser.over or (at_ms, depth)
        if over is None:
            return replace(crosser, at_ms=at_ms, depth=depth, point=point, over=None), None
        return replace(crosser, over=over), None
    now = Crosser(side, at_ms, point, depth)
    if crosser is None or side == crosser.side:
        return now, None
    if not _between_the_ends(line, crosser.point, point):
        return now, None
    over_ms, over_depth = crosser.over or (at_ms, depth)
    part = crosser.depth / (crosser.depth - over_depth)
    crossed_ms = crosser.at_ms + round(part * (over_ms - crosser.at_ms))
    return now, Crossed(line.line_id, "in" if side == "inside" else "out", crossed_ms)


def _depth(line: DoorLine, point: Point) -> float:
    """How far inward of the line `point` lies; negative outside it."""
    (ax, ay), (bx, by), (ix, iy) = line.a, line.b, line.inward
    across, up = bx - ax, by - ay
    length = math.hypot(across, up)
    if length == 0.0:
        return 0.0
    depth = (across * (point[1] - ay) - up * (point[0] - ax)) / length
    inner = across * (iy - ay) - up * (ix - ax)
    return depth if inner >= 0 else -depth


def _between_the_ends(line: DoorLine, start: Point, end: Point) -> bool:
    before, after = _depth(line, start), _depth(line, end)
    if before == after:
        return False
    part = before / (before - after)
    x, y = start[0] + part * (end[0] - start[0]), start[1] + part * (end[1] - start[1])
    across, up = line.b[0] - line.a[0], line.b[1] - line.a[1]
    along = ((x - line.a[0]) * across + (y - line.a[1]) * up) / (across * across + up * up)
    return -_BEYOND <= along <= 1 + _BEYOND
