"""From a head's direction to the targets it may be looking at. Pure; never imports an adapter.

Angles are seen from the head, in the world frame: yaw 0 looks straight at the shelf (towards -y),
+ to the right as the camera sees it; pitch + upwards. What is computed is facing, an estimate of
attention: eyes may look elsewhere, which is what `gaze_sigma_deg` stands for.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.special import ndtr

from streams.contracts.layout import Face
from vision.core.geometry import Floats, Vector

#: Who turns this far from the shelf's normal looks at nothing on the shelf.
_WIDEST_DEG = 100.0

#: Top left, top right, bottom right and bottom left as viewers see it, in metres.
Corners = tuple[Vector, Vector, Vector, Vector]

# How eyes leave the head: it covers a part of a shift of gaze, and people differ in how much.
# Fitted to 2,000 looks in the simulated aisle (tuning seeds 1900 to 1903: shoppers after Freedman
# 2008 and Stahl 1999, heads measured with errors of 3 degrees) and checked on seeds 1904 to 1906;
# they are no measurement of real shoppers.

#: Part of the looks that go far aside, and by how many times the usual sigma.
ASIDE, ASIDE_TIMES = 0.15, 2.2
#: A head's usual pitch, one sigma of it, the eyes' pitch in such a head, how much further the eyes
#: go than the head, and one sigma of what is left as a part of the yaw's.
HEAD_PITCH_DEG, HEAD_PITCH_SIGMA_DEG = -4.0, 8.0
EYE_PITCH_DEG, EYE_PITCH_GAIN = -5.5, 0.6
EYE_PITCH_SHARE = 0.6

#: The corner after each.
_NEXT = [1, 2, 3, 0]

#: Nodes of the Gauss-Legendre rule between two bends: within 2e-3 for all that the tests try.
_NODES, _WEIGHTS = np.polynomial.legendre.leggauss(12)

#: Where a head turns by more than this between two pictures it is followed at once: smoothing is
#: for a keypoint's jitter of a few degrees, not to delay a real turn.
_JUMP_DEG = 20.0

#: A direction older than this says nothing about the next one.
_STALE_MS = 600


@dataclass(frozen=True, slots=True)
class Direction:
    """Where a face points, with one sigma of each angle."""

    yaw_deg: float
    pitch_deg: float
    yaw_sigma_deg: float
    pitch_sigma_deg: float
    at_ms: int


def direction_of(
    direction: Vector, yaw_sigma_deg: float, pitch_sigma_deg: float, at_ms: int
) -> Direction:
    """A unit vector in the world, as angles.

    >>> direction_of((0.0, -1.0, 0.0), 5.0, 5.0, 0).yaw_deg
    0.0
    """
    x, y, z = direction
    return Direction(
        yaw_deg=math.degrees(math.atan2(x, -y)),
        pitch_deg=math.degrees(math.atan2(z, math.hypot(x, y))),
        yaw_sigma_deg=yaw_sigma_deg,
        pitch_sigma_deg=pitch_sigma_deg,
        at_ms=at_ms,
    )


def smooth(before: Direction | None, now: Direction, time_constant_ms: float) -> Direction:
    """`now`, with the jitter taken out: an exponential mean in time, which a turn cuts short.

    The sigmas stay as they are measured: most of the error is the same in the next picture.
    """
    if before is None or now.at_ms - before.at_ms > _STALE_MS:
        return now
    turned = max(abs(now.yaw_deg - before.yaw_deg), abs(now.pitch_deg - before.pitch_deg))
    if turned > _JUMP_DEG or time_constant_ms <= 0:
        return now
    keep = math.exp(-(now.at_ms - before.at_ms) / time_constant_ms)
    return Direction(
        yaw_deg=keep * before.yaw_deg + (1 - keep) * now.yaw_deg,
        pitch_deg=keep * before.pitch_deg + (1 - keep) * now.pitch_deg,
        yaw_sigma_deg=now.yaw_sigma_deg,
        pitch_sigma_deg=now.pitch_sigma_deg,
        at_ms=now.at_ms,
    )


def face_probability(
    head_m: Vector, direction: Direction, face: Face, gaze_sigma_deg: float
) -> float:
    """How much of where the eyes of `head_m` may look is on `face` of the shelf.

    As `corners_probability`, for a rectangle in the plane y = 0.
    """
    return corners_probability(head_m, direction, corners_of(face), gaze_sigma_deg)


def corners_of(face: Face) -> Corners:
    """A rectangle of the shelf as its viewers see it, who have +x on the left."""
    x0, z0, x1, z1 = face
    return (x1, 0.0, z1), (x0, 0.0, z1), (x0, 0.0, z0), (x1, 0.0, z0)


def corners_probability(
    head_m: Vector, direction: Direction, corners: Corners, gaze_sigma_deg: float
) -> float:
    """How much of where the eyes of `head_m` may look, given `direction`, is on the quadrilateral
    with these `corners`: top left, top right, bottom right and bottom left as its viewers see it,
    in metres. `aim` makes probabilities of these shares.

    `gaze_sigma_deg`: how far the eyes' yaw strays from the head's, one sigma. From behind a plane
    nothing on it is seen.

    >>> ahead = Direction(0.0, 0.0, 0.0, 0.0, 0)
    >>> wide = ((99.0, 0.0, 99.0), (-99.0, 0.0, 99.0), (-99.0, 0.0, -99.0), (99.0, 0.0, -99.0))
    >>> round(corners_probability((0.0, 1.0, 1.5), ahead, wide, 5.0), 3)
    1.0
    """
    return shares(head_m, direction, [corners], gaze_sigma_deg)[0]


def shares(
    head_m: Vector, direction: Direction, targets: Sequence[Corners], gaze_sigma_deg: float
) -> list[float]:
    """The same of several quadrilaterals, all in one evaluation."""
    gazes = gazes_of(direction, gaze_sigma_deg)
    found = [0.0] * len(targets)
    numbers: list[int] = []
    yaws: list[list[float]] = []
    for number, corners in enumerate(targets):
        if not _before(head_m, corners) or _turned_away(direction, corners):
            continue
        aside = [_aside(corner, head_m, gazes.yaw_deg) for corner in corners]
        # Beyond 5 sigma there is nothing to add.
        if min(aside) < 5.0 * gazes.far_deg and max(aside) > -5.0 * gazes.far_deg:
            numbers.append(number)
            yaws.append(aside)
    if numbers:
        places = np.array([targets[number] for number in numbers]) - head_m
        for number, share in zip(numbers, _integrals(places, yaws, gazes), strict=True):
            found[number] = share
    return found


def _aside(place: Vector, head_m: Vector, yaw_deg: float) -> float:
    """How far to the right of that yaw a place is seen, in degrees."""
    seen_deg = math.degrees(math.atan2(place[0] - head_m[0], head_m[1] - place[1]))
    return (seen_deg - yaw_deg + 180.0) % 360.0 - 180.0


def _turned_away(direction: Direction, corners: Corners) -> bool:
    """Whether the head has its back to the shelf on which the quadrilateral is."""
    on_shelf = all(corner[1] == 0.0 for corner in corners)
    return on_shelf and abs(direction.yaw_deg) > _WIDEST_DEG


def _before(head_m: Vector, corners: Corners) -> bool:
    """Whether a head is on the side from which the quadrilateral is seen."""
    (ax, ay, az), (bx, by, bz), _, (dx, dy, dz) = corners
    ux, uy, uz, vx, vy, vz = dx - ax, dy - ay, dz - az, bx - ax, by - ay, bz - az
    off = (head_m[0] - ax, head_m[1] - ay, head_m[2] - az)
    normal = (uy * vz - uz * vy, uz * vx - ux * vz, ux * vy - uy * vx)
    return sum(n * o for n, o in zip(normal, off, strict=True)) > 0


@dataclass(frozen=True, slots=True)
class Gazes:
    """Where the eyes may look: Gaussians in yaw round one middle, of two widths, and in pitch; all
    in degrees. `aside` is the weight of the wider one."""

    yaw_deg: float
    pitch_deg: float
    near_deg: float
    far_deg: float
    pitch_sigma_deg: float
    aside: float = ASIDE


def gazes_of(direction: Direction, gaze_sigma_deg: float) -> Gazes:
    """Where the eyes may look while the head points along `direction`."""
    lift = HEAD_PITCH_SIGMA_DEG**2
    kept = lift / (lift + direction.pitch_sigma_deg**2)
    nod = HEAD_PITCH_DEG + kept * (direction.pitch_deg - HEAD_PITCH_DEG)
    blur = (1.0 + EYE_PITCH_GAIN) * math.sqrt(kept) * direction.pitch_sigma_deg
    return Gazes(
        yaw_deg=direction.yaw_deg,
        pitch_deg=nod + EYE_PITCH_DEG + EYE_PITCH_GAIN * (nod - HEAD_PITCH_DEG),
        near_deg=math.hypot(direction.yaw_sigma_deg, gaze_sigma_deg),
        far_deg=math.hypot(direction.yaw_sigma_deg, ASIDE_TIMES * gaze_sigma_deg),
        pitch_sigma_deg=math.hypot(blur, EYE_PITCH_SHARE * gaze_sigma_deg),
    )


def _integrals(places: Floats, yaws_deg: Sequence[Sequence[float]], gazes: Gazes) -> list[float]:
    """How much of `gazes` falls on each of the convex quadrilaterals `places` (T, 4, 3), relative
    to the head, whose corners are seen so far aside of the gazes' middle.

    Gauss-Legendre over yaw, between the corners and where the densities bend; over pitch the normal
    distribution's own integral.
    """
    furthest, bend = 5.0 * gazes.far_deg, 2.5 * gazes.near_deg
    cuts = np.array([_cuts(yaws, furthest, bend) for yaws in yaws_deg])
    half = (cuts[:, 1:] - cuts[:, :-1])[:, :, None] / 2
    aside = (cuts[:, :-1, None] + half * (1.0 + _NODES)).reshape(len(cuts), -1)
    weights = (half * _WEIGHTS).reshape(len(cuts), -1)
    low, high = _heights(places, np.radians(aside + gazes.yaw_deg))
    share = ndtr((high - gazes.pitch_deg) / gazes.pitch_sigma_deg)
    share -= ndtr((low - gazes.pitch_deg) / gazes.pitch_sigma_deg)
    square = -0.5 * aside**2
    density = (1.0 - gazes.aside) / gazes.near_deg * np.exp(square / gazes.near_deg**2)
    density += gazes.aside / gazes.far_deg * np.exp(square / gazes.far_deg**2)
    totals = (weights * density * share).sum(axis=1) / math.sqrt(2 * math.pi)
    return [min(1.0, max(0.0, total)) for total in totals.tolist()]


def _cuts(yaws_deg: Sequence[float], furthest_deg: float, bend_deg: float) -> list[float]:
    """Where the integral over yaw is cut, in order, always as many: some pieces may be empty."""
    first = max(min(yaws_deg), -furthest_deg)
    last = min(max(yaws_deg), furthest_deg)
    return sorted(min(last, max(first, cut)) for cut in (*yaws_deg, -bend_deg, bend_deg))


def _heights(places: Floats, yaws_rad: Floats) -> tuple[Floats, Floats]:
    """The lowest and highest pitch in degrees, (T, N) each, at which a look along each yaw (T, N)
    meets its quadrilateral: where the upright plane of that yaw cuts its edges."""
    sine, cosine = np.sin(yaws_rad)[:, None], np.cos(yaws_rad)[:, None]
    x, y, z = places.transpose(2, 0, 1)[..., None]  # (T, 4, 1) each
    start = x * cosine + y * sine  # how far beside that plane, (T, 4, N)
    reach = x * sine - y * cosine  # how far ahead
    with np.errstate(divide="ignore", invalid="ignore"):
        along = start / (start - start[:, _NEXT])
        met = (along >= -1e-9) & (along <= 1 + 1e-9)
        reach = reach + along * (reach[:, _NEXT] - reach)
        slope = (z + along * (z[:, _NEXT] - z)) / reach
    met &= reach > 0
    low = np.where(met, slope, np.inf).min(axis=1)
    high = np.where(met, slope, -np.inf).max(axis=1)
    missed = low > high
    low[missed] = high[missed] = 0.0
    return np.degrees(np.arctan(low)), np.degrees(np.arctan(high))


def can_see(head_m: Vector, direction: Direction, face: Face, half_angle_deg: float) -> bool:
    """Whether the head's place and heading let it see `face`: opportunity to see.

    The face lies before it and its nearest edge is no further aside than `half_angle_deg`.
    """
    if head_m[1] <= 0:
        return False
    left = math.degrees(math.atan2(face[0] - head_m[0], head_m[1]))
    right = math.degrees(math.atan2(face[2] - head_m[0], head_m[1]))
    return left - half_angle_deg <= direction.yaw_deg <= right + half_angle_deg
