"""What is wrong with a calibration, by the looks of a walk test. Pure; never imports an adapter.

Each thing that installers get wrong is tried alone: the looks are computed anew as the camera would
have had them with that one thing changed, and the change that explains most of their error is the
finding. Residuals are counted robustly (soft L1), in units of what a good camera is off by anyway.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

import msgspec
import numpy as np
from scipy.optimize import least_squares

from streams.contracts.layout import CameraPose
from vision.core.geometry import CameraModel, Floats, camera_model
from vision.core.walktest import Look, true_angles, true_head

Fault = Literal["yaw", "pitch", "roll", "fov", "across", "away", "height", "mirror"]

#: One sigma of what a well calibrated camera is off by: facing in degrees (networks, and how well a
#: tester aims), head place and height in metres, the former growing with the distance.
_YAW_DEG, _PITCH_DEG, _HEIGHT_M = 5.0, 6.0, 0.06
_PLACE_M, _PLACE_PER_M = 0.05, 0.05

#: How far each thing may be off without being called wrong: degrees, metres, part of the focal
#: length. Below them a gaze still falls on the right 60 cm zone at 2 m.
_TOLERATED: dict[Fault, float] = {
    "yaw": 3.5,
    "pitch": 4.5,
    "roll": 6.0,
    "fov": 0.12,
    "across": 0.2,
    "away": 0.25,
    "height": 0.15,
    "mirror": 0.5,
}

#: A change that explains less than this share of the error is no finding.
_EXPLAINED = 0.2

#: Nor is one that betters a look by less than this, in squared sigmas.
_BETTERED = 0.15

#: Looks without which nothing can be said, and the share of all prompts they must be.
FEWEST_LOOKS, FEWEST_SHARE = 9, 0.5


@dataclass(frozen=True, slots=True)
class Finding:
    """One change to the layout and how much of the looks' error it explains, 0 to 1.

    `amount`: degrees, metres, the right field of view in degrees, or 1 for a mirror: what has to be
    added to the layout's value (the field of view: what it has to be).
    """

    fault: Fault
    amount: float
    explains: float
    wrong: bool

    @property
    def sentence(self) -> str:
        """What is wrong and how to mend it."""
        return _SENTENCES[self.fault](self.amount)


def _way(amount: float, more: str, less: str) -> str:
    return more if amount > 0 else less


#: What each finding says; `a` is the amount.
_SENTENCES: dict[Fault, Callable[[float], str]] = {
    "yaw": lambda a: (
        f"the camera looks {abs(a):.1f} degrees further to the picture's "
        f"{_way(a, 'right', 'left')} than the layout says; add {a:+.1f} to yaw_deg, or calibrate "
        "anew"
    ),
    "pitch": lambda a: (
        f"the camera looks {abs(a):.1f} degrees further {_way(a, 'up', 'down')} than the layout "
        f"says; add {a:+.1f} to pitch_deg, or calibrate anew"
    ),
    "roll": lambda a: (
        f"the camera is tilted by {abs(a):.1f} degrees more than the layout says; add {a:+.1f} to "
        "roll_deg, or calibrate anew"
    ),
    "fov": lambda a: (
        f"the lens has another field of view than the layout says, about {a:.0f} degrees; give it "
        "as horizontal_fov_deg, or measure it with a checkerboard"
    ),
    "across": lambda a: (
        f"the camera hangs {abs(a):.2f} m further to the picture's {_way(a, 'right', 'left')} than "
        f"the layout says, or the zones' x is counted from elsewhere; add {a:+.2f} to x of "
        "position_m, or measure the zones again"
    ),
    "away": lambda a: (
        f"the camera hangs {abs(a):.2f} m {_way(a, 'before', 'behind')} where the layout has it "
        f"from the shelf's face; add {a:+.2f} to y of position_m"
    ),
    "height": lambda a: (
        f"the camera hangs {abs(a):.2f} m {_way(a, 'higher', 'lower')} than the layout says; add "
        f"{a:+.2f} to z of position_m"
    ),
    "mirror": lambda _: (
        "left and right are exchanged: x must grow to the right as a camera on the shelf sees it, "
        "which is to the left of whoever faces the shelf; turn the zones' x round (or switch off "
        "the camera's mirror picture)"
    ),
}


def diagnose(looks: Sequence[Look], pose: CameraPose, tester_height_m: float) -> list[Finding]:
    """All alternatives, the one that explains most first; the first is `wrong` where it matters.

    Arguments:
        looks: as computed with `pose`.
        pose: the camera's, as the layout has it.
        tester_height_m: with shoes.
    """
    nothing = _cost(looks, pose, pose, False, tester_height_m)
    found = [_try(fault, looks, pose, tester_height_m, nothing) for fault in _TOLERATED]
    return sorted(found, key=lambda each: -each.explains)


def _try(
    fault: Fault, looks: Sequence[Look], pose: CameraPose, height_m: float, nothing: float
) -> Finding:
    if fault == "mirror":
        amount, cost = 1.0, _cost(looks, pose, pose, True, height_m)
    else:
        reach = {"fov": 0.6, "across": 2.0, "away": 2.0, "height": 2.0}.get(fault, 40.0)

        def misfit(state: Floats) -> Floats:
            return _residuals(looks, pose, _changed(pose, fault, float(state[0])), False, height_m)

        fit = least_squares(misfit, [0.0], loss="soft_l1", bounds=([-reach], [reach]))
        amount, cost = float(fit.x[0]), float(fit.cost)
    explains = max(0.0, 1.0 - cost / nothing) if nothing > 0 else 0.0
    wrong = (
        abs(amount) > _TOLERATED[fault]
        and explains >= _EXPLAINED
        and (nothing - cost) / len(looks) >= _BETTERED
    )
    if fault == "fov":
        amount = _changed(pose, "fov", amount).horizontal_fov_deg
    return Finding(fault, amount, explains, wrong)


def _changed(pose: CameraPose, fault: Fault, amount: float) -> CameraPose:
    """The pose with one thing changed. `fov`: by that part of the focal length, natural log."""
    x, y, z = pose.position_m
    match fault:
        case "yaw":
            return msgspec.structs.replace(pose, yaw_deg=pose.yaw_deg + amount)
        case "pitch":
            return msgspec.structs.replace(pose, pitch_deg=pose.pitch_deg + amount)
        case "roll":
            return msgspec.structs.replace(pose, roll_deg=pose.roll_deg + amount)
        case "fov":
            return msgspec.structs.replace(pose, horizontal_fov_deg=_zoomed(pose, amount))
        case "across":
            return msgspec.structs.replace(pose, position_m=(x + amount, y, z))
        case "away":
            return msgspec.structs.replace(pose, position_m=(x, y + amount, z))
        case "height":
            return msgspec.structs.replace(pose, position_m=(x, y, z + amount))
        case "mirror":
            return pose


def _zoomed(pose: CameraPose, amount: float) -> float:
    half = math.radians(pose.horizontal_fov_deg) / 2
    if pose.lens == "fisheye":
        return min(239.0, 2 * math.degrees(half * math.exp(-amount)))
    return 2 * math.degrees(math.atan(math.tan(half) * math.exp(-amount)))


def _cost(
    looks: Sequence[Look], pose: CameraPose, other: CameraPose, mirrored: bool, height_m: float
) -> float:
    """The robust cost as `scipy.optimize.least_squares` counts it with soft L1."""
    square = _residuals(looks, pose, other, mirrored, height_m) ** 2
    return float(np.sum(np.sqrt(1 + square) - 1))


def _residuals(
    looks: Sequence[Look], pose: CameraPose, other: CameraPose, mirrored: bool, height_m: float
) -> Floats:
    """What the looks would be off by, in sigmas, had the camera been `other`: (5 N,)."""
    camera, would = camera_model(pose, 1_000, 562), camera_model(other, 1_000, 562)
    found: list[float] = []
    for look in looks:
        head, facing = _as_seen_by(look, camera, would, mirrored)
        x, y, z = true_head(look.prompt, height_m)
        yaw, pitch = true_angles(look.prompt, height_m)
        place = _PLACE_M + _PLACE_PER_M * y
        seen_yaw = math.degrees(math.atan2(facing[0], -facing[1]))
        seen_pitch = math.degrees(math.atan2(facing[2], math.hypot(facing[0], facing[1])))
        found += [
            (head[0] - x) / place,
            (head[1] - y) / place,
            (head[2] - z) / _HEIGHT_M,
            _turned(seen_yaw - yaw) / _YAW_DEG,
            (seen_pitch - pitch) / _PITCH_DEG,
        ]
    return np.array(found)


def _turned(angle_deg: float) -> float:
    return (angle_deg + 180.0) % 360.0 - 180.0


def _as_seen_by(
    look: Look, camera: CameraModel, would: CameraModel, mirrored: bool
) -> tuple[Floats, Floats]:
    """Head place and facing of a look of `camera`, as `would` would have had them.

    What a picture shows is where the head is in it, how large, and how the face is turned against
    the line of sight: these three stay.
    """
    yaw, pitch = math.radians(look.yaw_deg), math.radians(look.pitch_deg)
    across = math.cos(pitch)
    facing = np.array([math.sin(yaw) * across, -math.cos(yaw) * across, math.sin(pitch)])
    head = camera.rotation.T @ (np.array(look.head_m) - np.array(camera.position_m))
    facing = camera.rotation.T @ facing
    if mirrored:
        flip = np.array([-1.0, 1.0, 1.0])
        head, facing = head * flip, facing * flip
    zoom = would.focal_px / camera.focal_px
    if abs(zoom - 1) > 1e-9:
        sight = would.directions(camera.picture(head[None]))[0]
        if camera.lens.kind == "pinhole":
            nearer = sight * (head[2] * zoom / sight[2])
        else:
            nearer = sight * float(np.linalg.norm(head)) * zoom
        facing = _between(head / np.linalg.norm(head), sight) @ facing
        head = nearer
    return would.rotation @ head + np.array(would.position_m), would.rotation @ facing


def _between(a: Floats, b: Floats) -> Floats:
    """The least rotation, (3, 3), that takes unit vector `a` to `b` (Rodrigues)."""
    axis = np.cross(a, b)
    cosine = float(a @ b)
    skew = np.array([[0, -axis[2], axis[1]], [axis[2], 0, -axis[0]], [-axis[1], axis[0], 0]])
    return np.asarray(np.eye(3) + skew + skew @ skew / (1 + cosine))
