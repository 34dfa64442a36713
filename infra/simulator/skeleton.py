"""A simulated person's body as points in the area, and how well a camera sees each. Pure.

COCO order of keypoints, left and right being the person's own: nose, eyes, ears, shoulders, elbows,
wrists, hips, knees, ankles.
"""

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from infra.simulator.people import Person
from vision.core.head import MODEL_M

Floats = npt.NDArray[np.float64]

#: The eyes lie this far above the ears, about whose middle a head turns (after the same model).
_EYES_ABOVE_EARS_M = -float(MODEL_M[1, 1])

#: Where the skin points at the face's keypoints, in the model's frame (x to the picture's right of
#: a face that looks into the camera, y down, z away): ears are seen from before and from aside.
_FACE_NORMALS = np.array(
    [[0.0, 0.0, -1.0], [0.5, 0.0, -0.87], [-0.5, 0.0, -0.87], [0.94, 0.0, -0.34], [-0.94, 0, -0.34]]
)

#: Joints of an adult of 1.70 m who stands: offset to the person's left, ahead, height (m). Trunk
#: and shoulders are those by which the gateway tells distance (0.50 m and 0.34 m).
_STANDING = np.array(
    [
        [0.17, 0.0, 1.39], [-0.17, 0.0, 1.39], [0.23, 0.02, 1.10], [-0.23, 0.02, 1.10],
        [0.21, 0.12, 0.88], [-0.21, 0.12, 0.88], [0.11, 0.0, 0.89], [-0.11, 0.0, 0.89],
        [0.11, 0.02, 0.48], [-0.11, 0.02, 0.48], [0.11, 0.0, 0.08], [-0.11, 0.0, 0.08],
    ]
)  # fmt: skip
_STANDARD_M = 1.70

#: The same of one who sits in a wheelchair, whose crown is at 1.30 m.
_SEATED = np.array(
    [
        [0.17, 0.0, 1.00], [-0.17, 0.0, 1.00], [0.25, 0.05, 0.75], [-0.25, 0.05, 0.75],
        [0.20, 0.28, 0.68], [-0.20, 0.28, 0.68], [0.12, 0.02, 0.50], [-0.12, 0.02, 0.50],
        [0.12, 0.45, 0.52], [-0.12, 0.45, 0.52], [0.12, 0.45, 0.12], [-0.12, 0.45, 0.12],
    ]
)  # fmt: skip
_SEATED_STANDARD_M = 1.30

#: A body's silhouette reaches so far beyond its joints: aside, and down to the floor.
_GIRTH_M = 0.24

#: The cosine at which the skin turns out of sight, and over what it fades.
_FADES_AT, _FADES_OVER = -0.05, 0.25


@dataclass(frozen=True, slots=True, eq=False)
class Skeleton:
    """`joints`: (17, 3) float64, in metres in the area, COCO order. `normals`: (5, 3), unit, of the
    face's. `outline`: (N, 3), places whose picture bounds the body. `head_axes`: (3, 3), the head
    model's frame to the area's. `centre_m`: the middle between the ears.
    """

    joints: Floats
    normals: Floats
    outline: Floats
    head_axes: Floats
    centre_m: Floats

    def seen(self, from_m: Floats) -> Floats:
        """How well each joint is seen from a place, 0 to 1: the head hides its own far side."""
        towards = from_m - self.joints[:5]
        towards /= np.linalg.norm(towards, axis=1, keepdims=True)
        facing = np.einsum("ij,ij->i", self.normals, towards)
        face = np.clip((facing - _FADES_AT) / _FADES_OVER, 0.0, 1.0)
        return np.concatenate([face, np.ones(12)])


def skeleton_of(person: Person) -> Skeleton:
    """The body of one person."""
    axes = _head_axes(person)
    centre = np.array([person.x_m, person.y_m, person.eyes_m - _EYES_ABOVE_EARS_M])
    seated = person.kind == "wheelchair"
    template, standard = (_SEATED, _SEATED_STANDARD_M) if seated else (_STANDING, _STANDARD_M)
    body = template * (person.height_m / standard)
    yaw = math.radians(_body_yaw(person))
    left = np.array([math.cos(yaw), math.sin(yaw), 0.0])
    ahead = np.array([math.sin(yaw), -math.cos(yaw), 0.0])
    feet = np.array([person.x_m, person.y_m, 0.0])
    joints = feet + body[:, :1] * left + body[:, 1:2] * ahead
    joints[:, 2] += body[:, 2]
    head = centre + MODEL_M @ axes.T
    # Girth to all sides: whatever the camera's side, the outline holds the body.
    ring = _GIRTH_M * np.array([[1.0, 0, 0], [-1.0, 0, 0], [0, 1.0, 0], [0, -1.0, 0]])
    # Below, a body stands on its own place: a box ends where its feet are.
    low, high = [0, 0, 0.2 * person.height_m], [0, 0, 0.75 * person.height_m]
    outline = [feet[None], feet + low + ring, feet + high + ring]
    crown = np.array([[person.x_m, person.y_m, person.height_m]])
    return Skeleton(
        joints=np.concatenate([head, joints]),
        normals=_FACE_NORMALS @ axes.T,
        outline=np.concatenate([*outline, crown]),
        head_axes=axes,
        centre_m=centre,
    )


def _head_axes(person: Person) -> Floats:
    """Columns: the model's x, y and z as directions in the area."""
    yaw, pitch, roll = (
        math.radians(angle)
        for angle in (person.head_yaw_deg, person.head_pitch_deg, person.head_roll_deg)
    )
    ahead = np.array(
        [math.sin(yaw) * math.cos(pitch), -math.cos(yaw) * math.cos(pitch), math.sin(pitch)]
    )
    level = np.array([math.cos(yaw), math.sin(yaw), 0.0])
    up = np.cross(ahead, level) * -1.0
    right = math.cos(roll) * level - math.sin(roll) * up
    down = np.cross(-ahead, right)
    return np.column_stack([right, down, -ahead])


def _body_yaw(person: Person) -> float:
    """Where the chest points; along the walk, or halfway with the head, where nobody says."""
    if person.body_yaw_deg is not None:
        return person.body_yaw_deg
    return 90.0 * person.heading if person.stride is not None else person.head_yaw_deg / 2
