"""What an installer clicked and measured, and the calibration that follows from it."""

from dataclasses import dataclass
from typing import Annotated, Literal

import msgspec
from msgspec import Meta, Struct

from infra.calibrate.layout_file import Data, camera_in, element_in
from streams.contracts.layout import CameraPose, Point
from vision.core.calibration import Fit, Known, Seen, calibration_version, fit_pose
from vision.core.geometry import camera_model
from vision.core.surfaces import Corners, Rectangle, place_screen
from vision.errors import CalibrationRefused

Four = Annotated[tuple[Point, ...], Meta(min_length=4, max_length=4)]
Stretch = tuple[float, float]
_Length = Annotated[float, Meta(ge=-200.0, le=200.0)]


class _Given(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Base: an unknown key of a points file is a mistake."""


class ClickedSurface(_Given, frozen=True, kw_only=True):
    """A rectangle and where its corners are in the picture; see `Rectangle`."""

    surface: Literal["opposite", "floor", "shelf"]
    across_m: Stretch
    other_m: Stretch
    away_m: _Length = 0.0
    inwards: bool = False
    points: Four


class ClickedScreen(_Given, frozen=True, kw_only=True):
    """A screen that hangs elsewhere, and where its corners are in the picture."""

    screen_id: str
    width_m: float
    height_m: float
    points: Four


class Clicked(_Given, frozen=True, kw_only=True):
    """All of it: what the page sends, and what a points file holds.

    `picture_px`: width and height of the picture that was clicked; None on the page, which clicks
    the camera's own. `x_m`, `y_m`, `z_m`: of the lens, where measured with a tape.
    """

    surfaces: Annotated[tuple[ClickedSurface, ...], Meta(min_length=1, max_length=8)]
    screens: Annotated[tuple[ClickedScreen, ...], Meta(max_length=64)] = ()
    horizontal_fov_deg: Annotated[float, Meta(ge=10.0, le=220.0)] = 75.0
    fov_is_measured: bool = False
    x_m: _Length | None = None
    y_m: _Length | None = None
    z_m: _Length | None = None
    picture_px: tuple[int, int] | None = None


@dataclass(frozen=True, slots=True)
class Solved:
    """A calibration. `screens`: corners in metres and the miss, by id."""

    fit: Fit
    screens: dict[str, tuple[Corners, float]]
    aspect: float


def read_clicked(content: bytes) -> Clicked:
    """A points file or a page's message. Raises CalibrationRefused."""
    try:
        return msgspec.json.decode(content, type=Clicked)
    except msgspec.DecodeError as error:
        raise CalibrationRefused(
            f"the points cannot be read ({str(error).replace('`', chr(39))}); see "
            "docs/calibration.md for their form"
        ) from error


def solve(clicked: Clicked, aspect: float, before: CameraPose | None) -> Solved:
    """The calibration that follows.

    Arguments:
        aspect: the picture's height over its width.
        before: the pose so far, whose lens (fisheye, distortion, centre) stays.

    Raises:
        CalibrationRefused: one sentence with how to mend it.
    """
    seen = [
        Seen(place, point)
        for given in clicked.surfaces
        for place, point in zip(
            Rectangle(
                given.surface, given.across_m, given.other_m, given.away_m, given.inwards
            ).corners(),
            given.points,
            strict=True,
        )
    ]
    known = Known(
        horizontal_fov_deg=clicked.horizontal_fov_deg,
        fov_is_measured=clicked.fov_is_measured,
        x_m=clicked.x_m,
        y_m=clicked.y_m,
        z_m=clicked.z_m,
        lens=before,
    )
    fit = fit_pose(seen, known, aspect)
    camera = camera_model(fit.pose, 1_000, round(1_000 * aspect))
    screens = {
        given.screen_id: place_screen(camera, given.points, given.width_m, given.height_m)
        for given in clicked.screens
    }
    return Solved(fit, screens, aspect)


def put_into(
    data: Data, camera_id: str, solved: Solved, landmarks: tuple[Point, ...], day: str
) -> str:
    """Writes a calibration into a layout's data; returns its version.

    A certificate of before is taken away: it was of another calibration. Raises UserError.
    """
    pose = _rounded(solved.fit.pose)
    version = calibration_version(pose, [solved.screens], day)
    camera = camera_in(data, camera_id)
    camera["calibration_version"] = version
    camera["pose"] = _plain(pose)
    camera.pop("certificate", None)
    if landmarks:
        camera["landmarks"] = [list(point) for point in landmarks]
    else:
        # Those of before belong to the pose of before.
        camera.pop("landmarks", None)
    for screen_id, (corners, _) in solved.screens.items():
        screen = element_in(data, "screens", screen_id)
        screen.pop("face", None)
        screen["corners"] = [[round(v, 3) for v in corner] for corner in corners]
    return version


def _rounded(pose: CameraPose) -> CameraPose:
    """To a millimetre and a hundredth of a degree: what a layout is written with."""
    x, y, z = (round(v, 3) for v in pose.position_m)
    return msgspec.structs.replace(
        pose,
        position_m=(x, y, z),
        yaw_deg=round(pose.yaw_deg, 2),
        pitch_deg=round(pose.pitch_deg, 2),
        roll_deg=round(pose.roll_deg, 2),
        horizontal_fov_deg=round(pose.horizontal_fov_deg, 2),
    )


def _plain(pose: CameraPose) -> Data:
    """As a layout writes it, without what is as usual."""
    data: Data = msgspec.to_builtins(pose)
    usual = {"lens": "pinhole", "distortion": (), "centre": (0.5, 0.5), "roll_deg": 0.0}
    return {
        key: list(value) if isinstance(value, tuple) else value
        for key, value in data.items()
        if key not in usual or value != usual[key]
    }
