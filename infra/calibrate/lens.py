"""Follows a camera before which a checkerboard is moved, and keeps its corners; no picture."""

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Literal

import cv2
import msgspec
import numpy as np
from msgspec import Struct

from infra.errors import UserError
from streams.contracts.layout import CameraPose
from vision.core.checkerboard import MOST_VIEWS, Board, LensFit, fit_lens, is_new
from vision.core.geometry import Floats
from vision.ports import FrameSource, Image

#: Pictures looked at a second: the board is moved by hand.
_EVERY_MS = 300


class LensFile(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What is kept of a lens until the camera has its place."""

    horizontal_fov_deg: float
    lens: Literal["pinhole", "fisheye"]
    distortion: tuple[float, ...]
    centre: tuple[float, float]

    def pose(self) -> CameraPose:
        """A camera with this lens, anywhere. Raises UserError."""
        try:
            return CameraPose(
                position_m=(0.0, 0.0, 0.0),
                horizontal_fov_deg=self.horizontal_fov_deg,
                lens=self.lens,
                distortion=self.distortion,
                centre=self.centre,
            )
        except ValueError as error:
            raise UserError(
                f"the lens file is not valid ({error}); measure the lens anew"
            ) from error


async def measure_lens(
    source: FrameSource,
    board: Board,
    kind: Literal["pinhole", "fisheye"],
    say: Callable[[str], None],
    stop: asyncio.Event,
) -> LensFit:
    """The lens, once enough views of the board were seen or the source ends.

    Raises:
        CalibrationRefused: the views do not suffice.
    """
    views: list[Floats] = []
    size, due_ms = (0, 0), 0
    try:
        async for frame in source:
            if stop.is_set():
                break
            if frame.captured_at_ms < due_ms:
                continue
            due_ms = frame.captured_at_ms + _EVERY_MS
            size = (frame.image.shape[1], frame.image.shape[0])
            view = await asyncio.to_thread(find_board, frame.image, board)
            if view is not None and is_new(view, views, size[0]):
                views.append(view)
                say(f"view {len(views)} of {MOST_VIEWS}")
            if len(views) >= MOST_VIEWS:
                break
    finally:
        await source.close()
    return await asyncio.to_thread(fit_lens, views, board, size, kind)


def find_board(image: Image, board: Board) -> Floats | None:
    """The board's inner corners, (across * down, 2) float64 px; None where it is not seen whole."""
    grey = cv2.cvtColor(image, cv2.COLOR_BGR2GRAY)
    found, corners = cv2.findChessboardCornersSB(grey, (board.across, board.down))
    return np.asarray(corners, dtype=np.float64).reshape(-1, 2) if found else None


def write_lens(fit: LensFit, path: Path) -> None:
    """Writes what `read_lens` reads. Raises OSError."""
    content = LensFile(
        horizontal_fov_deg=fit.horizontal_fov_deg,
        lens=fit.lens,
        distortion=fit.distortion,
        centre=fit.centre,
    )
    path.write_bytes(msgspec.json.format(msgspec.json.encode(content)) + b"\n")


def read_lens(path: Path) -> CameraPose:
    """The lens of such a file, as a pose anywhere. Raises UserError."""
    try:
        return msgspec.json.decode(path.read_bytes(), type=LensFile).pose()
    except (OSError, msgspec.DecodeError) as error:
        raise UserError(
            f"the lens file {path} cannot be read ({error}); "
            "make one with smartstore calibrate lens"
        ) from error
