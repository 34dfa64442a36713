"""The body as a mesh: who stands, walks or sits in a wheelchair. Pure.

Figure frame, metres: x to the picture's right for a body that faces the viewer, y down with the
floor at 0 (so heights are negative), z out of the chest, origin on the floor below the head's axis.
Proportions are those of an adult of 1.70 m (Drillis and Contini 1966: hip 0.53, knee 0.285,
shoulder 0.818 of the height), scaled.
"""

import math
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import numpy.typing as npt

from infra.simulator.atlas import region
from infra.simulator.mesh import Mesh, grid, joined
from infra.simulator.pixels import Floats, floats

#: The height that the tables below are for.
_STANDARD_M = 1.70

#: Positions kept of a stride of two steps.
STRIDE_PHASES = 24

#: A seat's height, and how high an adult sits on it (sitting height, NASA-STD-3000: 0.86 to 0.93).
_SEAT_M = 0.5
_SITTING_M = 0.88

#: The coat from its hem to the collar: height, half width, half depth.
_COAT = [
    (1.455, 0.062, 0.062), (1.43, 0.09, 0.075), (1.405, 0.135, 0.09), (1.375, 0.178, 0.102),
    (1.33, 0.198, 0.112), (1.24, 0.195, 0.12), (1.12, 0.176, 0.115), (1.02, 0.168, 0.112),
    (0.92, 0.18, 0.122), (0.84, 0.187, 0.126), (0.78, 0.188, 0.124),
]  # fmt: skip

_SHOULDER = (0.186, 1.365, -0.01)
_HIP_M, _KNEE_M, _ANKLE_M = 0.9, 0.485, 0.085

#: How far a foot swings before and behind the hip, and how high it is lifted.
_SWING_M = 0.27
_LIFT_M = 0.05

#: Rings of a limb have so many corners.
_LIMB_COLUMNS = 12

Place = tuple[float, float, float]


@dataclass(frozen=True, slots=True)
class Posture:
    """What a body's shape depends on. `phase` counts through a stride, None stands."""

    height_m: float
    seated: bool
    phase: int | None
    apron: bool


def posture(height_m: float, *, seated: bool, stride: float | None, apron: bool) -> Posture:
    """The posture of a person; heights are rounded to 1 cm, so that bodies can be kept."""
    phase = None if stride is None else int(stride * STRIDE_PHASES) % STRIDE_PHASES
    return Posture(round(height_m, 2), seated, phase, apron)


def shoulder_height_m(pose: Posture) -> float:
    """How high the base of the neck is."""
    return -_collar(pose)[1]


@lru_cache(maxsize=256)
def body(pose: Posture) -> Mesh:
    """All of the body but head and neck, about 3,000 triangles."""
    parts = _seated(pose) if pose.seated else _upright(pose)
    return joined(parts)


def neck(pose: Posture, top: npt.NDArray[np.float64], scale: float) -> Mesh:
    """From the collar to a place within the head, (3,) in the figure frame; rings stay level."""
    x, y, z = _collar(pose)
    start, end = np.array([x, y + 0.03, z], np.float32), floats(top)
    upright = _upright_neck(scale)
    along = -upright.points[:, 1:2]
    level = upright.points * np.array([1.0, 0.0, 1.0], np.float32)
    points = level + start + along * (end - start)
    return Mesh(points, upright.normals, upright.uv, upright.triangles)


@lru_cache(maxsize=2)
def _upright_neck(scale: float) -> Mesh:
    """A neck of height 1 on the origin."""
    along = np.linspace(1.0, 0.0, 5)
    wide = scale * np.array([0.052, 0.053, 0.054, 0.058, 0.066])
    return tube(np.column_stack([0 * along, -along, 0 * along]), wide, wide, "skin", columns=16)


def tube(
    centres: npt.ArrayLike,
    half_widths: npt.ArrayLike,
    half_depths: npt.ArrayLike,
    part: str,
    columns: int = _LIMB_COLUMNS,
    *,
    capped: bool = False,
) -> Mesh:
    """Rings round a path, (K, 3) from its upper to its lower end, as a closed surface; `capped`
    draws both ends together."""
    path = np.asarray(centres, float)
    wide, deep = np.asarray(half_widths, float), np.asarray(half_depths, float)
    if capped:
        path = np.concatenate([path[:1], path, path[-1:]])
        wide, deep = (np.concatenate([[1e-4], v, [1e-4]]) for v in (wide, deep))
    tangent = np.gradient(path, axis=0)
    tangent /= np.maximum(np.linalg.norm(tangent, axis=1, keepdims=True), 1e-9)
    side = np.array([1.0, 0.0, 0.0]) - tangent[:, :1] * tangent
    side /= np.linalg.norm(side, axis=1, keepdims=True)
    front = np.cross(side, tangent)
    around = np.linspace(-np.pi, np.pi, columns + 1)[None, :, None]
    points = path[:, None] + wide[:, None, None] * np.sin(around) * side[:, None]
    points = points + deep[:, None, None] * np.cos(around) * front[:, None]
    return grid(floats(points), region(part))


def _collar(pose: Posture) -> Place:
    if pose.seated:
        scale = (pose.height_m - _SEAT_M) / _SITTING_M
        return 0.0, -(_SEAT_M + 0.625 * scale), -0.02
    return 0.0, -1.44 * pose.height_m / _STANDARD_M, -0.02


def _upright(pose: Posture) -> list[Mesh]:
    scale = pose.height_m / _STANDARD_M
    swing = 0.0 if pose.phase is None else math.sin(2 * math.pi * pose.phase / STRIDE_PHASES)
    turn = 0.0 if pose.phase is None else math.cos(2 * math.pi * pose.phase / STRIDE_PHASES)
    parts = [_coat(scale, 0.0, pose.apron)]
    for side in (-1, 1):
        forward = side * swing
        lift = _LIFT_M * max(0.0, side * turn) if pose.phase is not None else 0.0
        parts += _leg(side, forward, lift, scale)
        parts += _arm(side, -0.55 * forward, scale, 0.0)
    return parts


def _coat(scale: float, lower_by_m: float, apron: bool) -> Mesh:
    rows = np.array(_COAT) * scale
    centres = np.column_stack([0 * rows[:, 0], lower_by_m - rows[:, 0], 0 * rows[:, 0] - 0.02])
    return tube(centres, rows[:, 1], rows[:, 2], "apron" if apron else "coat", 24, capped=True)


def _leg(side: int, forward: float, lift: float, scale: float) -> list[Mesh]:
    hip = (0.088 * side, -_HIP_M, -0.02)
    z = _SWING_M * forward
    ankle = (0.085 * side, -_ANKLE_M - lift, z - 0.04)
    knee = (0.09 * side, -_KNEE_M - 0.4 * lift, 0.5 * z + 0.02 + 1.2 * lift)
    path = _bent(hip, knee, ankle) * scale
    parts = [tube(path, *_round(scale, 0.092, 0.062, 0.047), "trousers")]
    parts.append(_shoe((ankle[0] * scale, -(lift + 0.045) * scale, ankle[2] * scale), scale))
    return parts


def _shoe(at: Place, scale: float) -> Mesh:
    x, y, z = at
    reach = np.array([-0.065, -0.03, 0.03, 0.1, 0.15, 0.175]) * scale
    path = np.column_stack([0 * reach + x, y + np.array([0, 0, 0, 8, 14, 20]) / 1000, z + reach])
    high = np.array([0.03, 0.045, 0.045, 0.036, 0.028, 0.018]) * scale
    wide = np.array([0.03, 0.038, 0.042, 0.048, 0.042, 0.02]) * scale
    return tube(path, wide, high, "shoe", capped=True)


def _arm(side: int, forward: float, scale: float, lower_by_m: float) -> list[Mesh]:
    x, up, z = _SHOULDER
    shoulder = (x * side, -up, z)
    elbow = (0.235 * side, -1.09, -0.035 + 0.16 * forward)
    wrist = (0.222 * side, -0.87 - 0.03 * abs(forward), 0.05 + 0.3 * forward)
    hand = (0.212 * side, -0.77 - 0.03 * abs(forward), 0.085 + 0.34 * forward)
    path = _bent(shoulder, elbow, wrist) * scale + [0.0, lower_by_m, 0.0]
    sleeve = tube(path, *_round(scale, 0.058, 0.047, 0.036), "sleeve", capped=True)
    return [sleeve, _hand(wrist, hand, scale, lower_by_m)]


def _hand(wrist: Place, hand: Place, scale: float, lower_by_m: float) -> Mesh:
    along = np.linspace(0.0, 1.0, 5)[:, None]
    path = np.array(wrist) + (np.array(hand) - np.array(wrist)) * along
    path = path * scale + [0.0, lower_by_m, 0.0]
    wide = np.array([0.024, 0.028, 0.034, 0.034, 0.02]) * scale
    return tube(path, 0.65 * wide, wide, "skin", 8, capped=True)


def _seated(pose: Posture) -> list[Mesh]:
    scale = (pose.height_m - _SEAT_M) / _SITTING_M
    # The standing coat's hip comes down onto the seat.
    lower = (0.82 * scale) - _SEAT_M
    parts = [_coat(scale, lower, pose.apron)]
    for side in (-1, 1):
        hip, knee = (0.1 * side, -_SEAT_M - 0.07, 0.0), (0.115 * side, -_SEAT_M - 0.06, 0.43)
        ankle = (0.1 * side, -0.17, 0.5)
        parts.append(tube(_bent(hip, knee, ankle), *_round(1.0, 0.088, 0.066, 0.045), "trousers"))
        parts.append(_shoe((0.1 * side, -0.12, 0.53), 1.0))
        shoulder = (_SHOULDER[0] * side * scale, lower - _SHOULDER[1] * scale, -0.02)
        elbow = (0.25 * side, -_SEAT_M - 0.2 * scale, 0.0)
        wrist = (0.21 * side, -_SEAT_M - 0.16, 0.24)
        arm = _bent(shoulder, elbow, wrist)
        parts.append(tube(arm, *_round(scale, 0.056, 0.046, 0.036), "sleeve", capped=True))
        parts.append(_hand(wrist, (0.17 * side, -_SEAT_M - 0.14, 0.32), 1.0, 0.0))
    return [*parts, *_chair()]


def _chair() -> list[Mesh]:
    """Wheels, seat, back, arm rests and foot plates."""
    parts: list[Mesh] = []
    for side in (-1, 1):
        x = 0.29 * side
        parts += [_wheel(x, 0.3, -0.04, "tyre", 0.017), _wheel(x + 0.02 * side, 0.26, -0.04)]
        parts.append(_wheel(0.24 * side, 0.07, 0.42, "tyre", 0.014))
        parts.append(_bar((x, -0.72, -0.16), (x, -0.72, 0.22), 0.018))
        parts.append(_bar((x, -0.72, 0.22), (x, -0.45, 0.24), 0.012))
        parts.append(_bar((0.24 * side, -0.95, -0.2), (0.24 * side, -0.4, -0.18), 0.013))
        parts.append(_bar((0.24 * side, -0.45, 0.3), (0.14 * side, -0.1, 0.56), 0.013))
        for spoke in range(3):
            a = math.pi * spoke / 3
            dy, dz = 0.29 * math.cos(a), 0.29 * math.sin(a)
            parts.append(_bar((x, -0.3 - dy, -0.04 - dz), (x, -0.3 + dy, -0.04 + dz), 0.006))
    cushion = [(0.0, -_SEAT_M + 0.02, -0.17), (0.0, -_SEAT_M + 0.02, 0.27)]
    parts.append(tube(cushion, [0.23, 0.23], [0.03, 0.03], "seat", capped=True))
    back = [(0.0, -0.92, -0.21), (0.0, -0.46, -0.18)]
    parts.append(tube(back, [0.23, 0.23], [0.02, 0.02], "seat", capped=True))
    plate = [(0.0, -0.07, 0.47), (0.0, -0.06, 0.66)]
    parts.append(tube(plate, [0.17, 0.17], [0.012, 0.012], "metal", capped=True))
    return parts


def _wheel(x: float, radius: float, z: float, part: str = "metal", thick: float = 0.009) -> Mesh:
    a = np.linspace(0.0, 2 * np.pi, 33)
    path = np.column_stack([0 * a + x, -radius + radius * np.cos(a), z + radius * np.sin(a)])
    path[:, 1] -= 0.004
    return tube(path, 0 * a + thick, 0 * a + thick, part, 6)


def _bar(start: Place, end: Place, radius: float) -> Mesh:
    return tube([start, end], [radius] * 2, [radius] * 2, "metal", 6, capped=True)


def _bent(*places: Place, between: int = 5) -> npt.NDArray[np.float64]:
    """A path through places, (K, 3), its bends a little rounded."""
    corners = np.array(places)
    at = np.linspace(0, len(corners) - 1, (len(corners) - 1) * between + 1)
    path = np.column_stack([np.interp(at, range(len(corners)), c) for c in corners.T])
    smooth = path.copy()
    smooth[1:-1] = 0.25 * path[:-2] + 0.5 * path[1:-1] + 0.25 * path[2:]
    return smooth


def _round(scale: float, *radii: float, between: int = 5) -> tuple[Floats, Floats]:
    """Radii along a path of `_bent`, the same across and deep."""
    at = np.linspace(0, len(radii) - 1, (len(radii) - 1) * between + 1)
    value = floats(np.interp(at, range(len(radii)), radii) * scale)
    return value, value
