"""How eyes and head share a shift of gaze. Pure.

The eyes move first and fast, the head follows and covers most of a large shift but not all of it,
and little of a small one; meanwhile the eyes turn back in the head, so that the gaze stays where it
is. So the head points short of what is looked at, and people differ in how short.

References: Freedman 2008, "Coordination of the eyes and head during visual orienting", Exp Brain
Res 190, 369-387 (doi 10.1007/s00221-008-1504-8): the head's part grows with the shift's amplitude;
Stahl 1999, "Amplitude of human head movements associated with horizontal saccades", Exp Brain Res
126, 41-54: people differ in their propensity to turn the head. The numbers below are a model after
them, not their measurements.
"""

import math
from dataclasses import dataclass

#: At this amplitude the head covers half of the share that it covers of the largest shifts.
_HALF_DEG = 7.0

#: Eyes turn no further than this in the head (the oculomotor range is about 45 to 55 degrees).
EYES_REACH_DEG = 40.0

#: A head turns no further than this from the chest.
NECK_REACH_DEG = 72.0

#: Saccades: 2.2 ms a degree and 21 ms (the main sequence); heads are slower.
_SACCADE_MS, _SACCADE_MS_PER_DEG = 21.0, 2.2
_TURN_MS, _TURN_MS_PER_DEG = 250.0, 5.0


@dataclass(frozen=True, slots=True)
class Habit:
    """How much one person uses the head: the part of the largest shifts that it covers, across and
    up or down. 1.0 twice, with `always`, is somebody who looks with the head alone.
    """

    across: float
    upright: float
    always: bool = False

    def head_yaw(self, shift_deg: float) -> float:
        """How far the head turns for a shift of gaze, from the chest's direction on.

        >>> habit = Habit(0.8, 0.6)
        >>> [round(habit.head_yaw(shift)) for shift in (5.0, 20.0, 60.0)]
        [2, 12, 43]
        """
        if self.always:
            return shift_deg
        return max(-NECK_REACH_DEG, min(NECK_REACH_DEG, self._of(shift_deg, self.across)))

    def head_pitch(self, shift_deg: float) -> float:
        """How far the head nods for a shift of gaze up or down."""
        return self._of(shift_deg, self.upright)

    def _of(self, shift_deg: float, most: float) -> float:
        if self.always:
            return shift_deg
        size = abs(shift_deg)
        return most * size / (size + _HALF_DEG) * shift_deg


#: The head alone: what a gaze estimated from heads would measure without error.
HEADS_ALONE = Habit(1.0, 1.0, always=True)


def turn_ms(turned_deg: float) -> float:
    """How long a head takes to turn."""
    return _TURN_MS + _TURN_MS_PER_DEG * abs(turned_deg)


def landing_ms(
    shift_deg: float, aside_deg: float, head_shift_deg: float, *, heads_alone: bool = False
) -> float:
    """How long after a shift of gaze began the eyes rest on its goal: a saccade, or as long as the
    head takes to bring the goal, which was `aside_deg` from its direction, within the eyes' reach.
    """
    if heads_alone:
        return turn_ms(head_shift_deg)
    saccade = _SACCADE_MS + _SACCADE_MS_PER_DEG * abs(shift_deg)
    beyond = abs(aside_deg) - EYES_REACH_DEG
    if beyond <= 0 or abs(head_shift_deg) < 1.0:
        return saccade
    part = min(1.0, beyond / abs(head_shift_deg))
    return max(saccade, turn_ms(head_shift_deg) * unsmooth(part))


def smooth(part: float) -> float:
    """From 0 to 1 with rest at both ends; `part` may lie outside.

    >>> smooth(0.5), smooth(2.0)
    (0.5, 1.0)
    """
    part = min(1.0, max(0.0, part))
    return part * part * (3.0 - 2.0 * part)


def unsmooth(part: float) -> float:
    """The inverse of `smooth`.

    >>> round(smooth(unsmooth(0.3)), 9)
    0.3
    """
    return 0.5 - math.sin(math.asin(1.0 - 2.0 * part) / 3.0)


def wrapped(angle_deg: float) -> float:
    """The same direction, from -180 up to 180.

    >>> wrapped(190.0), wrapped(-180.0)
    (-170.0, -180.0)
    """
    return (angle_deg + 180.0) % 360.0 - 180.0
