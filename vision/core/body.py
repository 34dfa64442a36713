"""Somebody as one camera sees them: where they stand and move, and which way the face points. Pure.

A `Sight` is what a single picture shows; a `Body` is what has become of a row of them.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from vision.core import motion as motions
from vision.core.gaze import Direction, direction_of, smooth
from vision.core.geometry import CameraModel, Vector
from vision.core.head import HeadPose, HeadReading, estimate_heads
from vision.core.motion import Motion, Wander
from vision.core.place import Box, Place, follow, locate

#: COCO keypoints: those of the head come first; and how sure a network is of one that is seen.
_HEAD, _SHOULDERS, _SURE = 5, slice(5, 7), 0.5

#: How exactly a box tells where somebody is in the picture, one sigma in body widths.
_BOX_SIGMA = 0.05

#: A body is some half a metre wide: a walk is 2 widths a second, which changes by 1 within one.
_SPEED_WIDTHS, _CHANGE_WIDTHS = 2.0, 1.0

#: Heads of people are between these above the floor: of who crouches, and of the tallest.
_LOWEST_M, _HIGHEST_M = 0.4, 2.4

#: Nearer to the camera than this a direction has no slope that matters.
_NEAREST_M = 0.1

#: It is never narrower in the picture than this part of its height (people seen from the side).
_NARROWEST = 0.3


@dataclass(frozen=True, slots=True, eq=False)
class Track:
    """A detection that the tracker gave a name.

    `box` normalised; `keypoints` (17, 3) float32, x and y normalised, confidence, COCO order;
    `since_ms`: the track's first detection, which may lie one picture back; `head`: what a
    head-pose network says, if one looked; `sure`: the tracker followed it from another picture.
    """

    track_id: str
    box: Box
    keypoints: npt.NDArray[np.float32]
    score: float
    since_ms: int
    head: HeadReading | None = None
    sure: bool = True


@dataclass(frozen=True, slots=True)
class Sight:
    """What one picture shows of somebody: `place` and `direction` as measured, None if unseen."""

    track: Track
    at_ms: int
    place: Place | None = None
    head_height_m: float | None = None
    direction: Direction | None = None


@dataclass(frozen=True, slots=True)
class Body:
    """Somebody before one camera.

    `track_id`: the tracker's name at present; `head_m` None where the last picture shows no face;
    `motion`: of the middle of the shoulders at the head's height, in the picture; `faced_at_ms`:
    when a face was last seen, `sharpness_deg` how exactly its direction was known; `since_ms`: the
    first sight; `followed_as`: the name under which the tracker last followed it, None if it never
    did (a detection that it gives to nobody has a name of its own, which is no track).
    """

    track_id: str
    box: Box
    seen_at_ms: int
    motion: Motion
    place: Place | None = None
    head_m: Vector | None = None
    direction: Direction | None = None
    faced_at_ms: int = -1
    sharpness_deg: float = math.inf
    since_ms: int = 0
    followed_as: str | None = None


def look(
    tracks: Sequence[Track], at_ms: int, camera: CameraModel | None, min_confidence: float
) -> list[Sight]:
    """What a picture shows of `tracks`; no more than that they are there without a calibration."""
    if camera is None or not tracks:
        return [Sight(track, at_ms) for track in tracks]
    heads = estimate_heads(
        [track.keypoints for track in tracks],
        camera,
        min_confidence,
        [track.head for track in tracks],
    )
    return [
        _sight(track, head, at_ms, camera, min_confidence)
        for track, head in zip(tracks, heads, strict=True)
    ]


def _sight(
    track: Track, head: HeadPose | None, at_ms: int, camera: CameraModel, min_confidence: float
) -> Sight:
    place = locate(track.box, track.keypoints, head, camera, min_confidence, at_ms)
    if head is None:
        return Sight(track, at_ms, place)
    direction = direction_of(
        camera.direction_to_world(head.direction), head.yaw_sigma_deg, head.pitch_sigma_deg, at_ms
    )
    return Sight(track, at_ms, place, _height(camera, head, place), direction)


def _height(camera: CameraModel, head: HeadPose, place: Place | None) -> float:
    """How high a head is above the floor that is seen in its direction, over `place`: a face alone
    tells badly how far away it is, and of a child not at all."""
    x, y, z = camera.position_m
    head_x, head_y, height_m = camera.to_world(head.position_m)
    level_m = math.dist((x, y), (head_x, head_y))
    if place is not None and level_m > _NEAREST_M:
        height_m = z + (height_m - z) * math.dist((x, y), place.point_m) / level_m
    return min(_HIGHEST_M, max(_LOWEST_M, height_m))


def advance(body: Body | None, sight: Sight, smoothing_ms: float) -> Body:
    """The body after one more picture."""
    track, at_ms = sight.track, sight.at_ms
    place = None if body is None else body.place
    if sight.place is not None:
        place = follow(place, sight.place)
    before = None if body is None else body.direction
    seen = place is not None and sight.direction is not None
    followed_as = None if body is None else body.followed_as
    head_m, direction = None, before
    faced_at_ms = -1 if body is None else body.faced_at_ms
    sharpness_deg = math.inf if body is None else body.sharpness_deg
    if seen and place is not None and sight.direction is not None:
        head_m = (*place.point_m, sight.head_height_m or 0.0)
        direction = smooth(before, sight.direction, smoothing_ms)
        faced_at_ms, sharpness_deg = at_ms, sight.direction.yaw_sigma_deg
    return Body(
        track_id=track.track_id,
        box=track.box,
        seen_at_ms=at_ms,
        motion=_moved(body, track, at_ms),
        place=place,
        head_m=head_m,
        direction=direction,
        faced_at_ms=faced_at_ms,
        sharpness_deg=sharpness_deg,
        since_ms=at_ms if body is None else body.since_ms,
        followed_as=track.track_id if track.sure else followed_as,
    )


def width(box: Box) -> float:
    """The breadth of a body, some half a metre, in parts of the picture."""
    return max(box[2] - box[0], _NARROWEST * (box[3] - box[1]), 1e-3)


def mark(track: Track) -> tuple[float, float]:
    """The point by which a body is followed in the picture: heads are seen, feet often are not, and
    arms and legs that swing move a box's middle but not that of the shoulders.
    """
    x0, y0, x1, _ = track.box
    (left, _, left_sure), (right, _, right_sure) = track.keypoints[_SHOULDERS]
    if left_sure >= _SURE and right_sure >= _SURE:
        return float((left + right) / 2), y0
    head = track.keypoints[:_HEAD]
    seen = head[head[:, 2] >= _SURE, 0]
    return (float(seen.mean()) if len(seen) > 1 else (x0 + x1) / 2), y0


def wander(box: Box) -> Wander:
    """How a body of that size may move in the picture."""
    unit = width(box)
    return Wander(speed=_SPEED_WIDTHS * unit, density=(_CHANGE_WIDTHS * unit) ** 2)


def _moved(body: Body | None, track: Track, at_ms: int) -> Motion:
    moves, sigma = wander(track.box), _BOX_SIGMA * width(track.box)
    if body is None:
        return motions.begin(mark(track), sigma, moves, at_ms)
    return motions.update(body.motion, mark(track), sigma, moves, at_ms)
