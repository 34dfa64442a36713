"""A lens from pictures of a checkerboard. Pure; never imports an adapter.

Reference: Zhang's method as `cv2.calibrateCamera` and `cv2.fisheye.calibrate` have it.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import cv2
import numpy as np

from streams.contracts.layout import CameraPose, Point
from vision.core.geometry import Floats
from vision.errors import CalibrationRefused

#: Views of the board: fewer leave the lens open, more only take time.
FEWEST_VIEWS, MOST_VIEWS = 8, 24

#: A fit that misses the corners by more is not of this board, or the pictures are blurred (px of a
#: picture 1,000 px wide).
_MAX_ERROR = 1.5

#: A view that differs from all others by less (parts of the picture) tells nothing new.
_NEW = 0.03

#: The board's corners must reach this far over the picture, in each axis, all views together.
_COVERED = 0.55


@dataclass(frozen=True, slots=True)
class Board:
    """Inner corners across and down, as the squares' crossings are counted."""

    across: int
    down: int


@dataclass(frozen=True, slots=True)
class LensFit:
    """A lens as `CameraPose` has it, and by how much it misses the corners, px."""

    horizontal_fov_deg: float
    lens: Literal["pinhole", "fisheye"]
    distortion: tuple[float, ...]
    centre: Point
    error_px: float
    views: int

    def put_into(self, pose: CameraPose) -> CameraPose:
        """The pose with this lens."""
        return CameraPose(
            position_m=pose.position_m,
            yaw_deg=pose.yaw_deg,
            pitch_deg=pose.pitch_deg,
            roll_deg=pose.roll_deg,
            horizontal_fov_deg=self.horizontal_fov_deg,
            lens=self.lens,
            distortion=self.distortion,
            centre=self.centre,
        )


def is_new(view: Floats, known: Sequence[Floats], width_px: int) -> bool:
    """Whether a view of the board, (N, 2) px, differs from all that are known."""
    return all(float(np.abs(view - other).mean(axis=0).max()) > _NEW * width_px for other in known)


def fit_lens(
    views: Sequence[Floats],
    board: Board,
    size_px: tuple[int, int],
    kind: Literal["pinhole", "fisheye"] = "pinhole",
) -> LensFit:
    """The lens that shows the board as the views have it.

    Arguments:
        views: corners of each, (across * down, 2) float64, px, row by row.
        size_px: width and height of the pictures.

    Raises:
        CalibrationRefused: too few views, all alike, or no lens fits.
    """
    if len(views) < FEWEST_VIEWS:
        raise CalibrationRefused(
            f"the checkerboard was seen well in {len(views)} pictures, and {FEWEST_VIEWS} are "
            "needed; show it nearer, in good light, tilted this way and that, to all corners of "
            "the picture"
        )
    width, height = size_px
    everything = np.concatenate(list(views))
    covered = np.ptp(everything, axis=0) / [width, height]
    if float(covered.min()) < _COVERED:
        raise CalibrationRefused(
            f"the checkerboard was shown in {covered.min():.0%} of the picture only; move it to "
            "all its corners, where the lens bends most"
        )
    flat = np.zeros((board.across * board.down, 3))
    flat[:, :2] = np.mgrid[: board.across, : board.down].T.reshape(-1, 2)
    error, matrix, bent = _calibrated(flat, views, size_px, kind)
    if not math.isfinite(error) or error > _MAX_ERROR * width / 1_000:
        raise CalibrationRefused(
            f"the lens found misses the checkerboard's corners by {error:.1f} px; see that the "
            "board is flat, that --board counts its inner corners, and that pictures are sharp"
        )
    half = width / 2 / float(matrix[0, 0])
    fov = 2 * (half if kind == "fisheye" else math.atan(half))
    return LensFit(
        horizontal_fov_deg=round(math.degrees(fov), 2),
        lens=kind,
        distortion=tuple(round(float(k), 6) for k in bent),
        centre=(round(float(matrix[0, 2]) / width, 5), round(float(matrix[1, 2]) / height, 5)),
        error_px=error,
        views=len(views),
    )


def _calibrated(
    flat: Floats, views: Sequence[Floats], size_px: tuple[int, int], kind: str
) -> tuple[float, Floats, Floats]:
    """Error in px, matrix (3, 3) with one focal length, coefficients."""
    try:
        if kind == "fisheye":
            flags = cv2.CALIB_RECOMPUTE_EXTRINSIC | cv2.CALIB_FIX_SKEW
            error, matrix, bent, _, _ = cv2.fisheye.calibrate(
                [flat[None].astype(np.float64)] * len(views),
                [view[None].astype(np.float64) for view in views],
                size_px,
                np.eye(3),
                np.zeros(4),
                flags=flags,
            )
        else:
            first = np.array(
                [[size_px[0], 0, size_px[0] / 2], [0, size_px[0], size_px[1] / 2], [0, 0, 1]],
                dtype=float,
            )
            error, matrix, bent, _, _ = cv2.calibrateCamera(
                [flat.astype(np.float32)] * len(views),
                [view[:, None].astype(np.float32) for view in views],
                size_px,
                first,
                None,
                flags=cv2.CALIB_FIX_ASPECT_RATIO | cv2.CALIB_USE_INTRINSIC_GUESS,
            )
    except cv2.error:
        return math.inf, np.eye(3), np.zeros(4)
    return float(error), np.asarray(matrix, dtype=float), np.asarray(bent, dtype=float).ravel()[:5]
