"""A shopper in three dimensions: the head exactly where and as turned as the truth says, and a body
below it that can carry it. Pure but for kept meshes.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from infra.simulator.body import body, neck, posture, shoulder_height_m
from infra.simulator.bust import CHILD_FACE, EYES_FORWARD_M, bust
from infra.simulator.clothes import WARDROBE, Appearance
from infra.simulator.mesh import Mesh, joined
from infra.simulator.people import Person

#: Head and figure frames (x right, y down, z out of the face) to the world for a face that looks at
#: the shelf squarely: x along the shelf, y into the aisle, z up.
SQUARE = np.array([[1.0, 0.0, 0.0], [0.0, 0.0, -1.0], [0.0, -1.0, 0.0]])

#: A neck turns a head so far at the most (degrees); the body follows the rest, and who stands turns
#: it by this part of the head's turn besides.
_NECK_DEG = 70.0
_BODY_FOLLOWS = 0.3

#: The neck ends here within the head (head frame, m).
_NECK_TOP = np.array([0.0, 0.035, -0.018])

#: The shoulders stay this far behind the upper end of the neck.
_SHOULDERS_BACK_M = 0.012

_Matrix = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class Figure:
    """A shopper's meshes in the world, metres. The body is drawn before the head."""

    head: Mesh
    body: Mesh


def turn(yaw_deg: float, pitch_deg: float, roll_deg: float = 0.0) -> _Matrix:
    """The rotation of a head, (3, 3), in the frame x right, y down, z to the viewer.

    Yaw + turns the face to the picture's right, pitch + upwards, roll + tilts the crown to the
    right. Roll comes first, then pitch, then yaw.
    """
    cy, cp, cr = np.cos(np.radians([yaw_deg, pitch_deg, roll_deg]))
    sy, sp, sr = np.sin(np.radians([yaw_deg, pitch_deg, roll_deg]))
    about_y = np.array([[cy, 0.0, sy], [0.0, 1.0, 0.0], [-sy, 0.0, cy]])
    about_x = np.array([[1.0, 0.0, 0.0], [0.0, cp, -sp], [0.0, sp, cp]])
    about_z = np.array([[cr, -sr, 0.0], [sr, cr, 0.0], [0.0, 0.0, 1.0]])
    return np.asarray(about_y @ about_x @ about_z)


def head_pose(person: Person) -> tuple[_Matrix, _Matrix]:
    """What takes the head frame to the world: rotation (3, 3) and shift (3,) in metres."""
    rotation = SQUARE @ turn(person.head_yaw_deg, person.head_pitch_deg, person.head_roll_deg)
    return rotation, np.array([person.x_m, person.y_m, person.eyes_m])


def eyes_place(person: Person) -> tuple[float, float, float]:
    """The middle between a shopper's eyes, in the world, metres."""
    rotation, shift = head_pose(person)
    x, y, z = shift + rotation @ np.array([0.0, 0.0, eyes_forward_m(person)])
    return float(x), float(y), float(z)


def eyes_forward_m(person: Person) -> float:
    """How far the eyes lie before the head's axis."""
    return EYES_FORWARD_M * (CHILD_FACE if person.kind == "child" else 1.0)


def look_of(person: Person) -> Appearance:
    """The shopper's clothes and colours."""
    return WARDROBE[person.appearance % len(WARDROBE)]


def body_yaw(person: Person) -> float:
    """Where the chest faces, degrees, as the head's yaw."""
    wanted = person.body_yaw_deg
    if wanted is None and person.stride is not None:
        wanted = 90.0 * person.heading
    if wanted is None:
        wanted = _BODY_FOLLOWS * person.head_yaw_deg
    neck_deg = (person.head_yaw_deg - wanted + 180.0) % 360.0 - 180.0
    return person.head_yaw_deg - max(-_NECK_DEG, min(_NECK_DEG, neck_deg))


def figure(person: Person, *, fine: bool = True) -> Figure:
    """The meshes of a shopper; not `fine` saves three quarters of the head's triangles."""
    child = person.kind == "child"
    rotation, shift = head_pose(person)
    mesh = bust(child=child, hat=person.hat, mask=person.mask, fine=fine)
    pose = posture(
        person.height_m,
        seated=person.kind == "wheelchair",
        stride=person.stride,
        apron=person.staff,
    )
    chest = SQUARE @ turn(body_yaw(person), 0.0)
    # The head's place is the truth: the trunk leans so that the neck meets it.
    top = rotation @ _NECK_TOP * (CHILD_FACE if child else 1.0)
    foot = np.array([person.x_m, person.y_m, 0.0])
    above = np.array([0.0, 0.0, person.eyes_m])
    neck_top = chest.T @ (top + above)
    trunk = body(pose)
    lean = np.array([neck_top[0], 0.0, neck_top[2] - _SHOULDERS_BACK_M])
    collar = shoulder_height_m(pose)
    leant = _leant(trunk, lean, collar, seated=pose.seated)
    throat = neck(pose, neck_top - lean, CHILD_FACE if child else 1.0)
    throat = _leant(throat, lean, collar, seated=pose.seated)
    return Figure(mesh.moved(rotation, shift), joined([leant, throat]).moved(chest, foot))


def _leant(mesh: Mesh, by_m: _Matrix, collar_m: float, *, seated: bool) -> Mesh:
    """The trunk bent: nothing at the hip, `by_m` at the collar and above."""
    hip = 0.55 if seated else 0.5 * collar_m
    height = -mesh.points[:, 1]
    part = np.clip((height - hip) / (collar_m - hip), 0.0, 1.0)[:, None] ** 1.3
    points = mesh.points + (part * by_m).astype(np.float32)
    return Mesh(points, mesh.normals, mesh.uv, mesh.triangles)
