"""What a detector would answer of the simulated store, without pictures: the people projected by
the camera's own model, as well as a body hides itself and as others hide it, with settable errors.
Pure: the generator is an argument.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from infra.simulator.people import Person
from infra.simulator.skeleton import skeleton_of
from vision.core.geometry import CameraModel
from vision.ports import Detections

Floats = npt.NDArray[np.float64]

#: How sure a network is of a body and of its keypoints that it sees whole (yolo11n-pose: 0.9).
_SCORE, _CONFIDENCE = 0.92, 0.97

#: How sure it says to be of what it does not see.
_HIDDEN = 0.03

#: A body of which less than this part lies in the picture is not found, nor one narrower than this.
_LEAST_PART, _LEAST_PX = 0.2, 8.0

#: Who is nearer than this to the camera, in metres, fills its picture and is not found.
_NEAREST_M = 0.35

#: A nearer body hides what lies within the inner part of its box.
_SOLID = 0.7

#: Masks hide the nose's tip from networks, hats the ears' upper half: confidence left.
_MASKED, _HATTED = 0.75, 0.8


@dataclass(frozen=True, slots=True)
class Noise:
    """The errors of a detector; all 0 is one without.

    `keypoint_px`, `box_px`: one sigma in a picture 1280 px wide; `missed`: share of the bodies that
    are not found; `false_per_picture`: bodies found where none is, on average; `hides`: bodies hide
    each other, and who is hidden more than `merged` is one with the nearer; `switches_per_min`: how
    often a person before the camera gets a new track (streams of tracks alone). `whole`: a face
    that is seen at all is seen with both its sides, as no real one is; for exact tests.
    """

    keypoint_px: float = 0.0
    box_px: float = 0.0
    missed: float = 0.0
    false_per_picture: float = 0.0
    hides: bool = False
    merged: float = 0.7
    switches_per_min: float = 0.0
    whole: bool = False


NOISELESS = Noise()

#: A good network on a picture of 640 px.
USUAL = Noise(
    keypoint_px=2.0, box_px=4.0, missed=0.02, false_per_picture=0.002, hides=True, merged=0.7
)


_NOBODY = Detections(
    np.zeros(0, np.float32), np.zeros((0, 4), np.float32), np.zeros((0, 17, 3), np.float32)
)


@dataclass(frozen=True, slots=True, eq=False)
class _Body:
    """One person in the picture: `box` normalised and cut at the edges, `points` (17, 3)."""

    person_id: str
    distance_m: float
    box: Floats
    points: Floats


def detections(
    people: Sequence[Person], camera: CameraModel, noise: Noise, rng: np.random.Generator
) -> Detections:
    """What the detector answers of one picture, best score first.

    Arguments:
        camera: the true one, at the size of the picture.
        rng: draws the errors; a noiseless answer does not use it.
    """
    return named_detections(people, camera, noise, rng)[0]


def named_detections(
    people: Sequence[Person], camera: CameraModel, noise: Noise, rng: np.random.Generator
) -> tuple[Detections, tuple[str | None, ...]]:
    """`detections`, and who each of them is in truth; None for one that is nobody."""
    if not people and noise.false_per_picture == 0:
        return _NOBODY, ()
    bodies = [body for person in people if (body := _seen(person, camera, noise)) is not None]
    if noise.hides:
        bodies = _hidden(bodies, noise.merged)
    if noise.missed > 0:
        bodies = [body for body in bodies if rng.random() >= noise.missed]
    scores = np.array([_score(body) for body in bodies], dtype=np.float64)
    boxes = np.array([body.box for body in bodies]).reshape(-1, 4)
    points = np.array([body.points for body in bodies]).reshape(-1, 17, 3)
    names: list[str | None] = [body.person_id for body in bodies]
    _jitter(boxes, points, noise, camera, rng)
    for _ in range(int(rng.poisson(noise.false_per_picture)) if noise.false_per_picture else 0):
        boxes = np.concatenate([boxes, _nobody(rng)[None]])
        points = np.concatenate([points, np.zeros((1, 17, 3))])
        scores = np.append(scores, rng.uniform(0.5, 0.65))
        names.append(None)
    order = np.argsort(-scores, kind="stable")
    found = Detections(
        scores=scores[order].astype(np.float32),
        boxes=boxes[order].astype(np.float32),
        keypoints=points[order].astype(np.float32),
    )
    return found, tuple(names[index] for index in order)


def _seen(person: Person, camera: CameraModel, noise: Noise) -> _Body | None:
    """The body in the picture; None where it is out of it."""
    skeleton = skeleton_of(person)
    eye = np.asarray(camera.position_m)
    away = float(np.linalg.norm(skeleton.centre_m - eye))
    if away < _NEAREST_M or float(camera.rotation[:, 2] @ (skeleton.centre_m - eye)) <= 0:
        return None
    places = np.concatenate([skeleton.joints, skeleton.outline])
    picture = camera.picture((places - eye) @ camera.rotation)
    outline = picture[17:]
    whole = np.concatenate([np.nanmin(outline, axis=0), np.nanmax(outline, axis=0)])
    whole = np.nan_to_num(whole, nan=1.0)
    box = np.clip(whole, 0.0, 1.0)
    area = _area(whole)
    wide_px = (box[2] - box[0]) * camera.width_px
    if wide_px < _LEAST_PX or area <= 0 or _area(box) < _LEAST_PART * area:
        return None
    sure = _CONFIDENCE * skeleton.seen(eye)
    if noise.whole and sure[0] > 0:
        sure[:5] = _CONFIDENCE
    return _Body(person.person_id, away, box, _points(person, sure, picture[:17]))


def _points(person: Person, sure: Floats, seen: Floats) -> Floats:
    """Keypoints, (17, 3): x, y normalised, and confidence by what is in sight."""
    if person.mask:
        sure[0] *= _MASKED
    if person.hat:
        sure[3:5] *= _HATTED
    places = np.nan_to_num(seen, nan=-1.0)
    shown = ((places >= 0) & (places <= 1)).all(axis=1)
    confidence = np.maximum(_HIDDEN, np.where(shown, sure, 0.0))
    return np.column_stack([places, confidence])


def _hidden(bodies: list[_Body], merged: float) -> list[_Body]:
    """Who is nearer hides who is farther: keypoints first, then the whole body."""
    left: list[_Body] = []
    for body in sorted(bodies, key=lambda each: each.distance_m):
        before = [_solid(other.box) for other in left]
        area = _area(body.box)
        if any(_area(_common(body.box, box)) > merged * area for box in before):
            continue
        points = body.points.copy()
        for x0, y0, x1, y1 in before:
            inside = (points[:, 0] > x0) & (points[:, 0] < x1)
            inside &= (points[:, 1] > y0) & (points[:, 1] < y1)
            points[inside, 2] = np.minimum(points[inside, 2], 4 * _HIDDEN)
        left.append(_Body(body.person_id, body.distance_m, body.box, points))
    return left


def _solid(box: Floats) -> Floats:
    cut = (1 - _SOLID) / 2 * (box[2] - box[0])
    return np.asarray(box + np.array([cut, 0.0, -cut, 0.0]))


def _common(one: Floats, other: Floats) -> Floats:
    return np.concatenate([np.maximum(one[:2], other[:2]), np.minimum(one[2:], other[2:])])


def _area(box: Floats) -> float:
    return max(0.0, float(box[2] - box[0])) * max(0.0, float(box[3] - box[1]))


def _score(body: _Body) -> float:
    """The less of the body's joints is seen, the less sure."""
    return _SCORE * (0.7 + 0.3 * float((body.points[:, 2] > 0.5).mean()))


def _jitter(
    boxes: Floats, points: Floats, noise: Noise, camera: CameraModel, rng: np.random.Generator
) -> None:
    """Move boxes and keypoints by the detector's errors, in place."""
    aspect = camera.width_px / camera.height_px
    unit = np.array([1.0, aspect]) / 1280
    if noise.box_px > 0:
        boxes += rng.normal(0.0, noise.box_px, boxes.shape) * np.tile(unit, 2)
        np.clip(boxes, 0.0, 1.0, out=boxes)
    if noise.keypoint_px > 0:
        # What a network guesses of hidden points is far worse than what it sees.
        worse = 1.0 + 4.0 * (1.0 - points[..., 2:])
        points[..., :2] += rng.normal(0.0, noise.keypoint_px, points[..., :2].shape) * unit * worse


def _nobody(rng: np.random.Generator) -> Floats:
    """A box where there is no body."""
    x, y = rng.uniform(0.0, 0.8, 2)
    return np.array([x, y, x + rng.uniform(0.05, 0.2), min(1.0, y + rng.uniform(0.2, 0.6))])
