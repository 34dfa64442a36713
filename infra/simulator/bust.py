"""The head as a mesh: skin and hair, ears, and what is worn on it. Pure.

Head frame, metres: x to the picture's right for a face that looks at the viewer, y down, z out of
the face, origin at eye height on the axis about which the head turns.
"""

from functools import lru_cache

import numpy as np

from infra.simulator import head
from infra.simulator.atlas import region
from infra.simulator.mesh import Mesh, grid, joined
from infra.simulator.pixels import Floats, blur, floats

#: The eyes lie this far before the axis, the plane of the ears (`head.LANDMARKS_MM`, pupils).
EYES_FORWARD_M = 0.085

#: The atlas on the middle of the face: 256 px over a quarter turn at 0.1 m.
TEXELS_PER_M = 1_800.0

#: A child of 6 to 9 years: the skull is nearly grown, the face is not. Breadth and depth at the
#: face and at the crown, height below and above the eyes, against an adult's (Farkas 1994, ages 6
#: to 9: pupils 0.86, nasion to gnathion 0.86, nasal protrusion 0.78, head breadth 0.95).
CHILD_FACE, _CHILD_CROWN = 0.87, 0.95
_CHILD_BELOW, _CHILD_ABOVE = 0.85, 0.93

#: Half the pinna's height, depth and thickness (mm), and how far its rear edge stands out.
_EAR_MM = (30.0, 17.0, 6.0)
_EAR_OUT_DEG = 28.0

#: A surgical mask: its edges by the angle from straight ahead (mm below the eyes), how far it
#: stands off, and how far round it goes.
_MASK_ANGLE = [0, 20, 40, 66]
_MASK_TOP = [9, 17, 24, 32]
_MASK_BOTTOM = [113, 111, 98, 76]
_MASK_DEG = 66.0

#: A cap: its rim (mm below the eyes) in front and behind, and its brim's length and slope.
_CAP_RIM_MM = (-30.0, -12.0)
_BRIM_MM = 72.0
_BRIM_SLOPE_DEG = 16.0
_BRIM_HALF_DEG = 58.0


@lru_cache(maxsize=32)
def bust(*, child: bool = False, hat: bool = False, mask: bool = False, fine: bool = True) -> Mesh:
    """A head with what it wears: about 11,000 triangles, or 3,000 when not `fine`."""
    parts = [_skin(fine), _ear(1), _ear(-1)]
    if mask:
        parts.append(_mask())
    if hat:
        parts += _cap()
    whole = joined(parts)
    return _as_child(whole) if child else whole


def _as_child(mesh: Mesh) -> Mesh:
    x, y, z = mesh.points.T
    above = np.clip(-y / 0.09, 0.0, 1.0)
    wide = CHILD_FACE + (_CHILD_CROWN - CHILD_FACE) * above
    tall = np.where(y > 0, _CHILD_BELOW, _CHILD_ABOVE)
    return Mesh(
        floats(np.column_stack([x * wide, y * tall, z * wide])),
        mesh.normals,
        mesh.uv,
        mesh.triangles,
    )


@lru_cache(maxsize=2)
def _skin(fine: bool) -> Mesh:
    # Every second ring and column; their last ones stay.
    step = 1 if fine else 2
    angles, rows = head.angles_rad()[::step], head.rows_mm()[::step]
    points = head.surface_m(angles[None, :], rows[:, None])
    # The lowest ring is drawn together to a point, within the neck.
    points[-1] = [0.0, rows[-1] / 1000.0, 0.061]
    return grid(points, region("face"))


def _ear(side: int) -> Mesh:
    """A flat ellipsoid whose front edge lies at the ear's opening."""
    up, deep, thick = (value / 1000.0 for value in _EAR_MM)
    polar = np.linspace(0.02, np.pi - 0.02, 13)[:, None]
    around = np.linspace(-np.pi, np.pi, 21)[None, :]
    # Its own frame: the outer face looks out along the third axis.
    a = deep * np.sin(polar) * np.sin(around)
    b = -up * np.cos(polar) + 0 * around
    c = thick * np.sin(polar) * np.cos(around)
    out = np.radians(_EAR_OUT_DEG)
    x0, y0, z0 = (value / 1000.0 for value in head.EAR_MM)
    # The outer face points sideways; the rear edge (a > 0) goes back and out.
    x = x0 + c * np.cos(out) + a * np.sin(out)
    z = z0 + c * np.sin(out) - a * np.cos(out)
    points = floats(np.stack([x, y0 + b, z], -1))
    u0, v0, u1, v1 = region("ear")
    if side < 0:
        points = floats(points[:, ::-1] * [-1.0, 1.0, 1.0])
        u0, u1 = u1, u0
    return grid(points, (u0, v0, u1, v1))


def _mask() -> Mesh:
    angles = np.radians(np.linspace(-_MASK_DEG, _MASK_DEG, 41))
    along = np.linspace(0.0, 1.0, 29)[:, None]
    degrees = np.degrees(np.abs(angles))
    top = np.interp(degrees, _MASK_ANGLE, _MASK_TOP)
    bottom = np.interp(degrees, _MASK_ANGLE, _MASK_BOTTOM)
    y = top + (bottom - top) * along
    skin = head.radius_mm(angles[None, :], y)
    # Cloth spans what lies between nose, cheeks and chin.
    cloth = np.maximum(blur(skin, 3.0, 5.0) + 4.0, skin + 2.5)
    rim = np.minimum(np.minimum(along, 1 - along) * 8, (_MASK_DEG - degrees) / 8.0)
    radius = (skin + 1.0 + (cloth - skin - 1.0) * np.clip(rim, 0.0, 1.0)) / 1000.0
    z = radius * np.cos(angles) + head.middle_mm(y) / 1000.0
    points = floats(np.stack([radius * np.sin(angles), y / 1000.0, z], -1))
    return grid(points, region("mask"), closed=False)


def _cap() -> list[Mesh]:
    angles = head.angles_rad(48)
    front = (1.0 + np.cos(angles)) / 2.0
    rim = _CAP_RIM_MM[1] + (_CAP_RIM_MM[0] - _CAP_RIM_MM[1]) * front
    rows = head.rows_mm()[0] + 0.0
    y = rim + (rows - rim) * np.linspace(1.0, 0.0, 16)[:, None] ** 1.6
    dome = head.surface_m(angles[None, :], y)
    skull = head.surface_m(angles[None, :], y, hair=False)
    outward = skull - floats(np.stack([0 * y, y / 1000, head.middle_mm(y) / 1000.0], -1))
    length = np.linalg.norm(outward, axis=-1, keepdims=True)
    dome = floats(skull + 0.018 * outward / np.maximum(length, 1e-6))
    rise = 0.018 * np.clip((-y - 40.0) / 60.0, 0.0, 1.0)
    dome[..., 1] -= rise
    return [grid(dome, region("hat")), *_brim()]


def _brim() -> list[Mesh]:
    """A curved plate forward from the cap's rim, seen from above and from below."""
    angles = np.radians(np.linspace(-_BRIM_HALF_DEG, _BRIM_HALF_DEG, 25))
    base = head.surface_m(angles, _CAP_RIM_MM[0] - 4.0, hair=False)
    base[:, 2] += 0.008
    reach = (_BRIM_MM / 1000.0) * np.cos(angles * 90.0 / _BRIM_HALF_DEG)[None, :] ** 0.6
    along = np.linspace(0.0, 1.0, 7)[:, None]
    slope = np.radians(_BRIM_SLOPE_DEG)
    z = base[:, 2] + along * reach * np.cos(slope)
    droop = 0.5 * base[:, 0] ** 2 / 0.1 * along
    y = base[:, 1] + along * reach * np.sin(slope) + droop
    x = base[:, 0] * (1.0 + 0.05 * along)
    upper: Floats = floats(np.stack([x, y, z], -1))
    lower = floats(upper[:, ::-1] + [0.0, 0.002, 0.0])
    return [grid(s, region("brim"), closed=False) for s in (upper, lower)]
