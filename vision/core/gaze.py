"""From a head's direction to the targets it may be looking at. Pure; never imports an adapter.

Angles are seen from the head, in the world frame: yaw 0 looks straight at the shelf (towards -y),
+ to the right as the camera sees it; pitch + upwards. What is computed is facing, an estimate of
attention: eyes may look elsewhere, which is what `gaze_sigma_deg` stands for.
"""

import math
from dataclasses import dataclass

import numpy as np

from streams.contracts.layout import Face
from vision.core.geometry import Vector

#: A ray that leaves the shelf's normal by more than this meets the plane too far away to matter.
_WIDEST_RAD = math.radians(85.0)

#: Nodes of the Gauss-Legendre rule over a face's width: within 2e-3 for all that the tests try.
_NODES, _WEIGHTS = np.polynomial.legendre.leggauss(16)

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
    """The probability that the gaze of `head_m` along `direction` rests on `face`.

    A Gaussian in yaw and pitch, of the measured sigmas and `gaze_sigma_deg` together, integrated
    over the rectangle as the head sees it.

    >>> ahead = Direction(0.0, 0.0, 0.0, 0.0, 0)
    >>> round(face_probability((0.0, 1.0, 1.5), ahead, (-9.0, -9.0, 9.0, 9.0), 5.0), 3)
    1.0
    >>> round(face_probability((0.0, 1.0, 1.5), ahead, (0.0, -9.0, 9.0, 9.0), 5.0), 3)
    0.5
    """
    away_m = head_m[1]
    if away_m <= 0 or abs(math.radians(direction.yaw_deg)) > _WIDEST_RAD:
        return 0.0
    yaw_sigma = math.radians(math.hypot(direction.yaw_sigma_deg, gaze_sigma_deg))
    pitch_sigma = math.radians(math.hypot(direction.pitch_sigma_deg, gaze_sigma_deg))
    yaw, pitch = math.radians(direction.yaw_deg), math.radians(direction.pitch_deg)
    x0, z0, x1, z1 = face
    # Beyond 5 sigma there is nothing to add; cutting there keeps the nodes where the mass is.
    left = max(math.atan2(x0 - head_m[0], away_m), yaw - 5 * yaw_sigma)
    right = min(math.atan2(x1 - head_m[0], away_m), yaw + 5 * yaw_sigma)
    if right <= left:
        return 0.0
    angles = (left + right) / 2 + (right - left) / 2 * _NODES
    reach = np.cos(angles) / away_m
    share = [
        _normal((math.atan((z1 - head_m[2]) * r) - pitch) / pitch_sigma)
        - _normal((math.atan((z0 - head_m[2]) * r) - pitch) / pitch_sigma)
        for r in reach
    ]
    density = np.exp(-0.5 * ((angles - yaw) / yaw_sigma) ** 2) / (
        yaw_sigma * math.sqrt(2 * math.pi)
    )
    total = float((right - left) / 2 * np.sum(_WEIGHTS * density * np.asarray(share)))
    return min(1.0, max(0.0, total))


def _normal(z: float) -> float:
    """The standard normal distribution function."""
    return 0.5 * (1.0 + math.erf(z / math.sqrt(2)))


def can_see(head_m: Vector, direction: Direction, face: Face, half_angle_deg: float) -> bool:
    """Whether the head's place and heading let it see `face`: opportunity to see.

    The face lies before it and its nearest edge is no further aside than `half_angle_deg`.
    """
    if head_m[1] <= 0:
        return False
    left = math.degrees(math.atan2(face[0] - head_m[0], head_m[1]))
    right = math.degrees(math.atan2(face[2] - head_m[0], head_m[1]))
    return left - half_angle_deg <= direction.yaw_deg <= right + half_angle_deg
