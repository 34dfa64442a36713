"""A shopper at one moment, in the area's frame of reference. Pure: no pictures, no clock."""

import math
from dataclasses import dataclass
from typing import Literal

#: Eyes below the crown of the head; an adult's, in metres (NASA-STD-3000: 0.11 to 0.12).
EYES_BELOW_TOP_M = 0.115

Kind = Literal["adult", "child", "wheelchair"]


@dataclass(frozen=True, slots=True)
class Person:
    """One shopper at one moment.

    `x_m`, `y_m`: where the head's axis stands on the floor; `height_m` with hair and shoes.
    `head_yaw_deg` 0 faces the shelf squarely, + to the right as a camera on the shelf sees it;
    `head_pitch_deg` + upwards. `target_id`: the zone or screen that the face rests on, None while
    it turns or looks at nothing. `stride` 0..1 within two steps, None when standing; `heading` is 1
    to the right, -1 to the left. `appearance` counts through the wardrobe.

    `head_roll_deg` + tilts the crown to the right as a camera sees it that the face looks into.
    `body_yaw_deg`: where the chest faces, as `head_yaw_deg`; None: along the walk, or after the
    head for who stands. `eyes_yaw_deg`, `eyes_pitch_deg`: where the eyes look, from the head's
    direction on. Who sits in a wheelchair is `height_m` high as seated.
    """

    person_id: str
    x_m: float
    y_m: float
    height_m: float
    head_yaw_deg: float
    head_pitch_deg: float
    target_id: str | None
    appearance: int
    stride: float | None = None
    heading: int = 1
    kind: Kind = "adult"
    hat: bool = False
    mask: bool = False
    staff: bool = False
    head_roll_deg: float = 0.0
    eyes_yaw_deg: float = 0.0
    eyes_pitch_deg: float = 0.0
    body_yaw_deg: float | None = None

    @property
    def eyes_m(self) -> float:
        """Height of the eyes above the floor."""
        return self.height_m - EYES_BELOW_TOP_M


def facing(yaw_deg: float, pitch_deg: float) -> tuple[float, float, float]:
    """The unit direction of a face in the area's frame.

    >>> facing(0.0, 0.0)
    (0.0, -1.0, 0.0)
    """
    yaw, pitch = math.radians(yaw_deg), math.radians(pitch_deg)
    across = math.cos(pitch)
    return math.sin(yaw) * across, -math.cos(yaw) * across, math.sin(pitch)


def angles_towards(
    x_m: float, y_m: float, eyes_m: float, aim: tuple[float, float, float]
) -> tuple[float, float]:
    """Yaw and pitch in degrees of a head at a place that looks at `aim`.

    >>> angles_towards(1.0, 1.0, 1.5, (2.0, 0.0, 1.5))
    (45.0, 0.0)
    """
    dx, dy, dz = aim[0] - x_m, aim[1] - y_m, aim[2] - eyes_m
    yaw = math.degrees(math.atan2(dx, -dy))
    pitch = math.degrees(math.atan2(dz, math.hypot(dx, dy)))
    return yaw, pitch
