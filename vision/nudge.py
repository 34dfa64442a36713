"""Looks every few seconds whether a camera was nudged; of a picture it keeps corners' places alone.

Without landmarks from a calibration it learns them, in memory, from its first pictures.
"""

import logging
from dataclasses import replace

import cv2
import numpy as np

from streams.contracts.layout import Camera, Point
from vision.core.geometry import Floats
from vision.core.nudge import FEWEST, NudgeRules, NudgeState, match, steady, step
from vision.core.person import Surroundings
from vision.ports import Image

_log = logging.getLogger(__name__)

#: A picture is looked at in this width: a degree of a 75 degree lens is 8 px, and it takes 10 ms.
_WIDTH_PX = 640

#: At most so many corners, at least so far apart (parts of the width) and so clear against the
#: clearest one, which makes them the same in brighter and darker pictures.
_MOST, _APART, _QUALITY = 220, 0.012, 0.012

#: How often it looks, since a look costs 4 ms: while all is as it was (and while it learns), and
#: while it is not, or may not be. It learns from so many pictures: people stand still for 10 s and
#: more.
AT_REST_MS, IN_DOUBT_MS = 9_000, 3_000
_LEARN_PICTURES = 8

#: A camera without a pose has some lens; a nudge is then told in these degrees.
_USUAL_FOV_DEG = 75.0


class NudgeWatch:
    """One camera's watch. `look` is quick enough for a thread, not for an event loop."""

    def __init__(self, camera: Camera, rules: NudgeRules | None = None) -> None:
        self._camera_id = camera.camera_id
        self.nudges = 0
        self._rules = rules or NudgeRules()
        self._fov_deg = _USUAL_FOV_DEG if camera.pose is None else camera.pose.horizontal_fov_deg
        self._given = camera.landmarks
        self._landmarks: Floats | None = None
        self._learning: list[Floats] = []
        self._due_ms = 0
        self.state = NudgeState()

    @classmethod
    def of(cls, camera: Camera, limit_deg: float) -> "NudgeWatch | None":
        """The watch of a camera; None where there is no gaze to be suspended, or no limit."""
        if camera.pose is None or limit_deg <= 0:
            return None
        return cls(camera, NudgeRules(limit_deg=limit_deg))

    def is_due(self, at_ms: int) -> bool:
        """Whether a picture of that event time is to be looked at."""
        return at_ms >= self._due_ms

    def look(self, image: Image, at_ms: int) -> NudgeState:
        """The state after a picture, (H, W, 3) uint8 BGR."""
        seen = corners(image)
        if self._landmarks is None:
            self._landmarks = self._known(seen, image.shape[0] / image.shape[1])
        if self._landmarks is not None:
            found = match(self._landmarks, seen, self._fov_deg)
            before, self.state = self.state, step(self.state, found, at_ms, self._rules)
            self._tell(before)
        state = self.state
        doubt = state.nudged or (state.contrary_since_ms, state.lost_since_ms) != (None, None)
        self._due_ms = at_ms + (IN_DOUBT_MS if doubt else AT_REST_MS)
        return state

    def _tell(self, before: NudgeState) -> None:
        """Once for each change."""
        if self.state.nudged == before.nudged:
            return
        if self.state.nudged:
            self.nudges += 1
            _log.warning(
                "the camera %s was moved by some %.1f degrees: its gaze is suspended until it "
                "hangs as before or is calibrated anew (smartstore calibrate)",
                self._camera_id,
                self.state.angle_deg,
            )
        else:
            _log.warning("the camera %s hangs as before: gaze is measured again", self._camera_id)

    def _known(self, seen: Floats, aspect: float) -> Floats | None:
        """The landmarks of the calibration, or those learned so far; None while it learns."""
        if len(self._given) >= FEWEST:
            return np.array(self._given, dtype=float) * [1.0, aspect]
        self._learning.append(seen)
        if len(self._learning) < _LEARN_PICTURES:
            return None
        learned = steady(self._learning)
        self._learning = self._learning[1:] if len(learned) < FEWEST else []
        return learned if len(learned) >= FEWEST else None


def suspended(around: Surroundings) -> Surroundings:
    """What a nudged camera sees people with: places may be off by little, but where a face points
    can no longer be told, so that no target has a face to look at."""
    blind = {
        name: replace(target, face=None, corners=None) for name, target in around.targets.items()
    }
    return replace(around, targets=blind, known={**around.known, **blind})


def corners(image: Image) -> Floats:
    """Clear corners of a picture, (N, 2) float64 in widths of it."""
    height, width = image.shape[:2]
    size = (_WIDTH_PX, max(1, round(_WIDTH_PX * height / width)))
    grey = cv2.cvtColor(cv2.resize(image, size, interpolation=cv2.INTER_AREA), cv2.COLOR_BGR2GRAY)
    found = cv2.goodFeaturesToTrack(grey, _MOST, _QUALITY, _APART * _WIDTH_PX)
    if found is None:
        return np.empty((0, 2))
    fine = cv2.cornerSubPix(
        grey, found, (3, 3), (-1, -1), (cv2.TERM_CRITERIA_EPS + cv2.TERM_CRITERIA_COUNT, 10, 0.05)
    )
    return np.asarray(fine[:, 0] / _WIDTH_PX, dtype=np.float64)


def landmarks(pictures: list[Image]) -> tuple[Point, ...]:
    """The corners that some pictures of one camera have in common, normalised, for its layout."""
    if not pictures:
        return ()
    aspect = pictures[0].shape[0] / pictures[0].shape[1]
    found = steady([corners(picture) for picture in pictures]) / [1.0, aspect]
    inside = [(round(float(x), 4), round(float(y), 4)) for x, y in found]
    return tuple(point for point in inside if all(0.0 <= side <= 1.0 for side in point))
