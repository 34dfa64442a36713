"""The size of a picture or a video."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Shape:
    """A picture's or a video's size, and how long the video is."""

    width_px: int
    height_px: int
    seconds: float | None = None
