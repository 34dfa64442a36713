"""Whether a camera still hangs as it was calibrated, by corners of what stands still. Pure.

Corners are positions alone: nothing of the picture is kept. People who walk before them hide some
and bring others of their own; a nudge moves all that stand still alike. So the question is which
one shift (and small turn) brings most of the landmarks onto corners of now, and whether that is
more than stay where they were.

Points are (N, 2) float64 in widths of the picture, both axes alike, from its upper left corner.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import cv2
import numpy as np

from vision.core.geometry import Floats

#: A corner is found again within this, in widths: 2.5 px of 640.
_SAME = 0.004

#: How far a shift is looked for, in widths (15 degrees of a 75 degree lens), and in which steps.
_REACH, _STEP = 0.2, 0.006

#: From the shift on, landmarks may be this far off in the first round: 2 degrees of roll.
_LOOSE = 0.018

#: Fewer landmarks or corners than this say nothing.
FEWEST = 12

#: Landmarks found again, as a share: from here on an answer counts; by chance some 0.03 are found
#: where they were, and 0.09 after the best of all shifts.
_FOUND_STILL, _FOUND_MOVED = 0.2, 0.16

#: A shift has to find this much more than staying does.
_CLEARLY = 1.5

#: With so many where they were no shift can find clearly more, and none is looked for.
_AT_REST = 0.67

#: Of pictures from which landmarks are learned, the share in which one must be seen.
_STEADY = 0.75


@dataclass(frozen=True, slots=True)
class NudgeRules:
    """When a camera counts as nudged: moved by `limit_deg` for `for_ms`; or, moved further than is
    looked for, none of its landmarks found for `lost_ms` though there is enough to see."""

    limit_deg: float = 0.8
    for_ms: int = 4_000
    lost_ms: int = 60_000


@dataclass(frozen=True, slots=True)
class Match:
    """How the corners of now lie against the landmarks.

    `still`: share of landmarks found where they were; `moved`: found after the best shift;
    `angle_deg`: of that shift, by the lens; `roll_deg`; `corners`: how many there are now, as a
    multiple of the landmarks.
    """

    still: float
    moved: float
    angle_deg: float
    roll_deg: float
    corners: float


@dataclass(frozen=True, slots=True)
class NudgeState:
    """`nudged`, and since when the pictures have said otherwise, or nothing at all."""

    nudged: bool = False
    angle_deg: float = 0.0
    contrary_since_ms: int | None = None
    lost_since_ms: int | None = None


def match(landmarks: Floats, corners: Floats, fov_deg: float) -> Match | None:
    """How `corners` lie against `landmarks`; None where there are too few to say.

    Arguments:
        landmarks, corners: (N, 2) and (M, 2) float64, in widths.
        fov_deg: horizontal field of view, which makes a shift an angle.
    """
    if len(landmarks) < FEWEST or len(corners) < FEWEST:
        return None
    still = _share(landmarks, corners)
    density = len(corners) / len(landmarks)
    if still >= _AT_REST:
        return Match(still, still, 0.0, 0.0, density)
    turned = _best(landmarks, corners)
    moved = _share(landmarks @ turned[:, :2].T + turned[:, 2], corners)
    middle = landmarks.mean(axis=0)
    shift = float(np.linalg.norm(turned[:, :2] @ middle + turned[:, 2] - middle))
    focal = 0.5 / math.tan(math.radians(min(fov_deg, 170.0)) / 2)
    return Match(
        still=still,
        moved=moved,
        angle_deg=math.degrees(math.atan2(shift, focal)),
        roll_deg=abs(math.degrees(math.atan2(turned[1, 0], turned[0, 0]))),
        corners=density,
    )


def step(state: NudgeState, found: Match | None, at_ms: int, rules: NudgeRules) -> NudgeState:
    """The state after a picture. Evidence must last, either way, before it counts."""
    says = _says(found, rules)
    if says is None or found is None:
        lost = state.lost_since_ms
        if found is None or found.corners < 0.5 or found.moved >= _FOUND_MOVED:
            lost = None  # dark, covered, or neither here nor there
        elif lost is None:
            lost = at_ms
        gone = lost is not None and at_ms - lost >= rules.lost_ms
        return replace(state, nudged=state.nudged or gone, lost_since_ms=lost)
    if says == state.nudged:
        angle = max(found.angle_deg, found.roll_deg) if says else 0.0
        return NudgeState(state.nudged, angle)
    since = at_ms if state.contrary_since_ms is None else state.contrary_since_ms
    if at_ms - since >= rules.for_ms:
        return NudgeState(says, max(found.angle_deg, found.roll_deg) if says else 0.0)
    return replace(state, contrary_since_ms=since, lost_since_ms=None)


def _says(found: Match | None, rules: NudgeRules) -> bool | None:
    """Whether a picture says that the camera was moved; None where it does not say."""
    if found is None:
        return None
    if found.still >= _FOUND_STILL and found.moved < _CLEARLY * found.still:
        return False
    if found.moved < _FOUND_MOVED:
        return None
    return max(found.angle_deg, found.roll_deg) >= rules.limit_deg


def steady(pictures: Sequence[Floats]) -> Floats:
    """The corners of the first picture that most of the others show too: what stands still.

    Arguments:
        pictures: corners of each, (N, 2), of the same camera some seconds apart.
    """
    if not pictures:
        return np.empty((0, 2))
    first = pictures[0]
    if len(first) == 0:
        return first
    seen = sum((_near(first, other).astype(float) for other in pictures), np.zeros(len(first)))
    return np.asarray(first[seen >= _STEADY * len(pictures)])


def _share(points: Floats, corners: Floats) -> float:
    return float(_near(points, corners).mean())


def _near(points: Floats, corners: Floats) -> np.ndarray[tuple[int, ...], np.dtype[np.bool_]]:
    """Which points have a corner within `_SAME`, (N,) bool."""
    if len(corners) == 0:
        return np.zeros(len(points), dtype=bool)
    apart = ((points[:, None] - corners[None]) ** 2).sum(axis=2)
    return np.asarray(apart.min(axis=1) <= _SAME * _SAME)


def _best(landmarks: Floats, corners: Floats) -> Floats:
    """The shift with a small turn and zoom that finds most landmarks, (2, 3)."""
    across = (corners[None] - landmarks[:, None]).reshape(-1, 2)
    within = across[(np.abs(across) <= _REACH).all(axis=1)]
    bins = round(2 * _REACH / _STEP)
    votes, *_ = np.histogram2d(within[:, 0], within[:, 1], bins=bins, range=[[-_REACH, _REACH]] * 2)
    # A peak on the border of two bins counts as one.
    smooth = cv2.blur(votes, (3, 3), borderType=cv2.BORDER_CONSTANT)
    row, column = np.unravel_index(int(np.argmax(smooth)), smooth.shape)
    shift = (np.array([row, column]) + 0.5) * _STEP - _REACH
    best = np.column_stack([np.eye(2), shift])
    for reach in (_LOOSE, _LOOSE / 2, _LOOSE / 2, _SAME):
        shown = landmarks @ best[:, :2].T + best[:, 2]
        apart = ((shown[:, None] - corners[None]) ** 2).sum(axis=2)
        nearest = apart.argmin(axis=1)
        chosen = apart[np.arange(len(shown)), nearest] <= reach * reach
        if int(chosen.sum()) < 6:
            break
        # Four numbers while it is loose; then six, since a turned wide lens also stretches.
        fit = cv2.estimateAffinePartial2D if reach > _LOOSE / 2 else cv2.estimateAffine2D
        found, _ = fit(landmarks[chosen], corners[nearest[chosen]], ransacReprojThreshold=_SAME)
        if found is None or not 0.85 < float(np.hypot(found[0, 0], found[1, 0])) < 1.15:
            break
        better = np.asarray(found, dtype=float)
        if _share(landmarks @ better[:, :2].T + better[:, 2], corners) < _share(shown, corners):
            break
        best = better
    return best
