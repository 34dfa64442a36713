"""The shape of a human head: a surface round an upright axis, from published measurements. Pure.

Head frame, millimetres in this module's tables and metres in its results: x to the picture's right
for a face that looks at the viewer, y down, z out of the face. Origin: where the axis about which
the head turns meets the height of the eyes; the ears' openings lie in the plane z = 0.

Lengths are means of adults, between the women's and the men's where they differ. References:
ANSUR 1988 (Gordon et al., NATICK/TR-89/044: head length and breadth, and the headboard depths of
pronasale, subnasale, stomion, glabella, sellion, menton and tragion); NASA-STD-3000, volume 1,
section 3 (bitragion breadth, interpupillary distance, eye height below the crown); Farkas,
Anthropometry of the Head and Face, 1994 (heights of nasion, subnasale, stomion and gnathion, width
of nose, mouth and eyes). None of it is fitted to what a network answers.
"""

import numpy as np
import numpy.typing as npt

from infra.simulator.pixels import Floats, floats

#: The crown of the bare head, the lowest point of the chin (mm below the eyes).
_CROWN_MM = -104.0
CHIN_MM = 114.0

#: Named points of the face in mm, as ANSUR's and Farkas's tables give them, heights of mouth and
#: chin those of the portrait's smile. The surface is tested against them.
LANDMARKS_MM: dict[str, tuple[float, float, float]] = {
    "glabella": (0.0, -17.0, 99.0),
    "sellion": (0.0, -4.0, 95.5),
    "pronasale": (0.0, 33.0, 119.5),
    "subnasale": (0.0, 45.0, 103.0),
    "upper lip": (0.0, 57.0, 105.5),
    "lower lip": (0.0, 73.0, 103.5),
    "pogonion": (0.0, 95.0, 100.0),
    "pupil right": (31.5, 0.0, 85.0),
    "pupil left": (-31.5, 0.0, 85.0),
    "ectocanthus right": (45.0, 0.0, 71.0),
    "ectocanthus left": (-45.0, 0.0, 71.0),
    "mouth corner right": (28.0, 57.0, 87.0),
    "mouth corner left": (-28.0, 57.0, 87.0),
}

#: Where an ear is seen: the middle of the pinna.
EAR_MM = (80.0, 12.0, -10.0)

#: Sections by height (mm): the front's and the back's depth, the depth of the greatest breadth,
#: half that breadth, and the exponent of the superellipse that joins them in front.
_SECTIONS = np.array(
    [
        # y, front, back, middle, half breadth, exponent
        [-45, 95, -96, -12, 75, 2.1],
        [-30, 97, -97, -12, 75, 2.1],
        [-15, 96, -96, -12, 74, 2.1],
        [0, 92, -93, -10, 72, 2.05],
        [10, 92, -88, -8, 70.5, 2.15],
        [20, 92.5, -82, -5, 69.5, 2.3],
        [30, 93, -76, -3, 67, 2.3],
        [44, 95, -70, 0, 62, 2.15],
        [60, 97.5, -62, 3, 57, 2.05],
        [75, 96.5, -45, 8, 52, 2.0],
        [83, 96, -24, 18, 49, 2.0],
        [90, 95.5, -4, 30, 44.5, 2.0],
        [100, 93, 18, 46, 37, 2.0],
        [108, 86, 36, 57, 28, 2.0],
        [112, 78, 48, 62, 20, 2.0],
        [114, 68, 54, 61, 9, 2.0],
    ]
)

#: The ridge of the nose above the face by height, and how fast it falls to the sides (mm).
_NOSE_Y = [-14, -9, -4, 2, 10, 18, 25, 30, 33, 36, 39, 42, 45, 50, 56]
_NOSE_UP = [0, 1.5, 4, 6, 11, 17, 22, 25.5, 26.5, 25, 20.5, 13, 5, 1.5, 0]
_NOSE_WIDE = [7, 6.5, 6, 6.5, 8, 9, 10, 11, 11.5, 12, 12, 11, 10, 9, 9]

#: Rounded rises and hollows on both sides: x, y, sigma x, sigma y, height (mm).
_FORMS = np.array(
    [
        [20, -17, 18, 7, 3.0],  # brow
        [24, 1, 13, 9, -5.0],  # eye socket
        [15, 1, 6, 8, -5.0],  # its inner corner
        [31.5, 0, 9, 8, 6.0],  # eyeball and lids
        [12.5, 36, 5.5, 5.5, 6.5],  # wing of the nose
        [40, 27, 15, 12, 3.0],  # cheekbone
    ]
)

#: The same in the middle of the face: y, sigma x, sigma y, height.
_MIDDLE_FORMS = np.array(
    [
        [-17, 12, 7, 2.5],  # glabella
        [60, 22, 14, 6.0],  # the teeth behind the lips
        [57, 17, 3.5, 2.5],  # upper lip
        [73, 15, 4.5, 4.5],  # lower lip
        [95, 15, 9, 5.0],  # chin
    ]
)

#: The hair's lower edge (mm) by the angle from straight ahead (degrees), and its thickness.
_HAIR_ANGLE = [0, 25, 40, 50, 58, 74, 80, 105, 112, 125, 180]
_HAIR_EDGE = [-31, -29, -25, -8, 14, 16, -14, -16, 20, 44, 48]
_HAIR_MM = [9, 9, 10, 9, 7, 8, 11, 12, 13, 14, 14]


def rows_mm() -> Floats:
    """The heights of the surface's rings, (R,), close together where the face has detail."""
    cap = -45.0 + (_CROWN_MM + 45.0) * np.sin(np.radians(np.linspace(90.0, 8.0, 11)))
    face = [np.arange(-45, -21, 4.0), np.arange(-21, 26, 2.5), np.arange(26, 50, 1.6)]
    face += [np.arange(50, 80, 2.5), np.arange(80, CHIN_MM - 4, 3.5)]
    return floats(np.concatenate([cap, *face, np.array([111.0, 113.0, CHIN_MM])]))


def angles_rad(columns: int = 72) -> Floats:
    """The rings' angles from straight ahead, (columns + 1,), -pi to pi, closer together there."""
    even = np.linspace(-1.0, 1.0, columns + 1)
    return floats(np.pi * (0.5 * even + 0.5 * even * even * even))


def radius_mm(angle_rad: npt.ArrayLike, y_mm: npt.ArrayLike) -> Floats:
    """How far the skin lies from the axis of its ring (x = 0, z = `middle_mm(y)`)."""
    angle, y = np.broadcast_arrays(np.asarray(angle_rad, float), np.asarray(y_mm, float))
    section = {
        name: np.interp(y, _SECTIONS[:, 0], _SECTIONS[:, i])
        for i, name in enumerate(("front", "back", "middle", "half", "power"), start=1)
    }
    across, ahead = np.abs(np.sin(angle)), np.cos(angle)
    power = np.where(ahead > 0, section["power"], 2.2)
    depth = np.where(
        ahead > 0, section["front"] - section["middle"], section["middle"] - section["back"]
    )
    ring = ((across / section["half"]) ** power + (np.abs(ahead) / depth) ** power) ** (-1 / power)
    ring = ring * _cap(y)
    forms = _forms(ring * np.sin(angle), y)
    return floats(np.maximum(ring + forms * np.sqrt(np.maximum(ahead, 0.0)), 0.0))


def _cap(y: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """What the skull's vault leaves of a ring, 1 below it and 0 at the crown."""
    high = np.clip((y + 45.0) / (_CROWN_MM + 45.0), 0.0, 1.0)
    return np.asarray(np.sqrt(1.0 - high**2))


def middle_mm(y_mm: npt.ArrayLike) -> Floats:
    """The depth of the rings' axis at a height."""
    return floats(np.interp(np.asarray(y_mm, float), _SECTIONS[:, 0], _SECTIONS[:, 3]))


def _forms(x: npt.NDArray[np.float64], y: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Nose, sockets, lips and the like: what they add to the smooth face, in mm."""
    wide = np.interp(y, _NOSE_Y, _NOSE_WIDE)
    total = np.interp(y, _NOSE_Y, _NOSE_UP) * np.exp(-((x / wide) ** 2))
    for at_x, at_y, sigma_x, sigma_y, rise in _FORMS:
        total += rise * np.exp(-(((np.abs(x) - at_x) / sigma_x) ** 2) - ((y - at_y) / sigma_y) ** 2)
    for at_y, sigma_x, sigma_y, rise in _MIDDLE_FORMS:
        total += rise * np.exp(-((x / sigma_x) ** 2) - ((y - at_y) / sigma_y) ** 2)
    return np.asarray(total)


def hair_mask(angle_rad: npt.ArrayLike, y_mm: npt.ArrayLike) -> Floats:
    """1 where hair grows, 0 on the skin, soft over a few mm."""
    degrees = np.degrees(np.abs(np.asarray(angle_rad, float)))
    edge = np.interp(degrees, _HAIR_ANGLE, _HAIR_EDGE)
    return floats(np.clip((edge - np.asarray(y_mm, float)) / 4.0 + 0.5, 0.0, 1.0))


def hair_mm(angle_rad: npt.ArrayLike, y_mm: npt.ArrayLike) -> Floats:
    """How thick the hair lies on the skin."""
    degrees = np.degrees(np.abs(np.asarray(angle_rad, float)))
    thick = np.interp(degrees, _HAIR_ANGLE, _HAIR_MM) * _cap(np.asarray(y_mm, float)) ** 0.5
    return floats(thick * hair_mask(angle_rad, y_mm))


def surface_m(angle_rad: npt.ArrayLike, y_mm: npt.ArrayLike, *, hair: bool = True) -> Floats:
    """Points of the head, (..., 3) metres in the head frame, for angles and heights."""
    angle, y = np.broadcast_arrays(np.asarray(angle_rad, float), np.asarray(y_mm, float))
    radius = radius_mm(angle, y) + (hair_mm(angle, y) if hair else 0.0)
    rise = np.zeros_like(y)
    if hair:  # on the crown hair stands up, not out
        rise = 11.0 * np.clip((-45.0 - y) / 59.0, 0.0, 1.0) ** 2
    x, z = radius * np.sin(angle), radius * np.cos(angle) + middle_mm(y)
    return floats(np.stack([x, y - rise, z], -1) / 1000.0)
