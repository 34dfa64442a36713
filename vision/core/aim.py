"""What somebody looks at, picture after picture: a hidden Markov model of the gaze. Pure.

The eyes rest on one thing for a second or two and jump to the next. The head follows them only part
of the way, from where the chest points: so what is looked at lies further out than the head points,
and how far depends on the chest. Every place on every target is asked how well a look at it would
explain the head that is seen, and so are looks at nothing: ahead while walking, down at what one
holds, aside, anywhere. What was believed of the last picture goes into the next one, the less the
further the head has turned since.

Angles are those of `vision.core.gaze`. The laws of eyes and head are after Freedman 2008 (Exp Brain
Res 190) and Stahl 1999 (Exp Brain Res 126); weights and times were fitted to simulated shoppers on
tuning seeds (docs/gaze.md) and are no measurement of real ones.
Reference: Rabiner, "A tutorial on hidden Markov models", 1989 (the forward recursion).
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from streams.contracts.layout import Point
from vision.core.gaze import Corners, Direction
from vision.core.geometry import Floats, Vector

#: A target is asked at so many places across and down: 15 to 25 cm apart, less than eyes stray.
_ACROSS = 5

#: The head covers this part of the largest shifts of gaze, across and up or down, with one sigma
#: among people; of a shift of `_HALF_DEG` half of it.
_COVERS, _COVERS_SIGMA = (0.82, 0.6), (0.10, 0.12)
_HALF_DEG = 7.0

#: The straying of the eyes, `gaze_sigma_deg`, for which those laws hold as they are: with less the
#: eyes leave the head by as much less, as a part.
_USUAL_DEG = 6.0

#: What is left of the eyes' straying, one sigma in degrees; and how much wider than it says the
#: error of a measured head is.
_LEFT_DEG, _WIDER = 2.0, 1.15

#: A face turned this far from the camera is measured too near to it, and by so much is the rest
#: uncertain.
_FAR_DEG, _FAR_SHARE = 40.0, 0.2

#: Whoever stands before targets has the chest more or less towards them: these directions are
#: asked, in degrees, each with one sigma, and how usual they are (one sigma too). Looks tell which
#: it is, and that is remembered for so long, in ms.
_CHESTS, _CHEST_SIGMA, _CHEST_USUAL = (-24.0, -12.0, 0.0, 12.0, 24.0), 8.0, 15.0
_CHEST_MS = 5_000.0
#: A walker's chest points along the walk, whose speed is known to within this, in m/s.
_SPEED_SIGMA = 0.5
#: Half of those who seem to move this fast walk, in m/s, and how sharp the change is.
_WALKS, _WALKS_WITHIN = 0.6, 0.1

#: How many looks go to all targets together, and to nothing: ahead (of walkers), down and aside (of
#: those who stand), anywhere.
_TARGETS, _AHEAD, _DOWN, _ASIDE, _ANYWHERE = 12.0, 8.0, 0.3, 1.5, 2.0

#: A near target is looked at more often than a far one, as 1 / (this + distance squared).
_NEAR_M2 = 0.5

#: How long the eyes rest, in ms: the mean of what is left of a rest at any moment.
_REST_MS = 1_300.0
#: A turn of the head by this many degrees leaves a third of what was believed.
_TURN_DEG = 11.0
#: What the next picture adds, as a part of what it would if its errors were its own: most of them
#: are the same again, since head, chest and habit are.
_FRESH = 0.5
#: Calibration: probabilities are pulled together by a power, by one sigma of the head's yaw in
#: degrees: the first where the head network looked, the last where keypoints alone did or where the
#: two disagree (masks, caps, profiles). Such heads are off by more than their wide sigma says.
_SOFTEN = (4.0, 6.0), (0.9, 0.75)


def _grid(yaws: Sequence[float], pitches: Sequence[float]) -> Floats:
    """All pairs, (2, N)."""
    across, up = np.meshgrid(yaws, pitches)
    return np.stack([across.ravel(), up.ravel()]).astype(float)


#: Looks at nothing, from the chest's direction on, in degrees: ahead, down, aside, anywhere.
_NOTHING = (
    _grid((-6.0, 0.0, 6.0), (-8.0,)),
    _grid((-17.0, -12.0, -7.0, 7.0, 12.0, 17.0), (-43.0, -37.5, -32.0)),
    _grid((-78.0, -71.0, -64.0, -57.0, 57.0, 64.0, 71.0, 78.0), (-10.0, -5.0, 0.0)),
    _grid(tuple(range(-90, 91, 15)), tuple(range(-40, 21, 10))),
)
_SIZES = np.array([grid.shape[1] for grid in _NOTHING])
_STARTS = np.cumsum(_SIZES) - _SIZES
_LOOKS = np.concatenate(_NOTHING, axis=1)

#: How often those four are, with each direction of the chest: of who stands, and of a walker; and
#: how usual it is that the chest points there.
_OFTEN = np.array([[0.0, _DOWN, _ASIDE, _ANYWHERE]] * len(_CHESTS) + [[_AHEAD, 0, 0, _ANYWHERE]])
_IDLE = _OFTEN.sum(axis=1)
_TURNED = np.array(_CHESTS)
_USUALLY = np.exp(-0.5 * (_TURNED / _CHEST_USUAL) ** 2)
_USUALLY /= _USUALLY.sum()


@dataclass(frozen=True, slots=True, eq=False)
class Goals:
    """What can be looked at: `names`, `places` (3, T * N) on them in metres, N on each, one of each
    one's corners and the unit `normals` (T, 3) towards its viewers.
    """

    names: tuple[str, ...]
    places: Floats
    corners: Floats
    normals: Floats


@lru_cache(maxsize=64)
def goals_of(targets: tuple[tuple[str, Corners], ...]) -> Goals:
    """The goals of these targets, with their corners as viewers see them."""
    part = (np.arange(_ACROSS) + 0.5) / _ACROSS
    across, down = (side.ravel()[:, None] for side in np.meshgrid(part, part))
    places, corners, normals = [], [], []
    for _, quadrilateral in targets:
        a, b, c, d = (np.asarray(corner, dtype=float) for corner in quadrilateral)
        places.append(
            (1 - down) * ((1 - across) * a + across * b) + down * ((1 - across) * d + across * c)
        )
        normal = np.cross(d - a, b - a)
        corners.append(a)
        normals.append(normal / max(float(np.linalg.norm(normal)), 1e-9))
    return Goals(
        tuple(name for name, _ in targets),
        np.ascontiguousarray(np.concatenate(places).T),
        np.array(corners),
        np.array(normals),
    )


@dataclass(frozen=True, slots=True)
class Bearing:
    """A head as one picture shows it. `turn_deg`: of the face from the line of sight; `velocity`:
    of the walk, in m/s on the floor, None if it is not known."""

    head_m: Vector
    direction: Direction
    turn_deg: float = 0.0
    velocity: Point | None = None


@dataclass(frozen=True, slots=True)
class Belief:
    """What somebody looks at: `odds` by target, calibrated, after the picture of `at_ms`.

    `carried` goes into the next picture: (C, T + 1), for each direction of the chest, how probable
    it is together with each of `names`, and last with nothing. `yaw_deg`: where the head pointed.
    """

    at_ms: int
    yaw_deg: float
    odds: Mapping[str, float]
    names: tuple[str, ...]
    carried: Floats


def believe(before: Belief | None, bearing: Bearing, goals: Goals, gaze_sigma_deg: float) -> Belief:
    """What is looked at after one more picture.

    `gaze_sigma_deg`: how far eyes stray from the head; the laws are scaled with it.
    """
    direction, names = bearing.direction, goals.names
    chests, prior, fits = _explained(bearing, goals, gaze_sigma_deg)
    if before is not None and before.at_ms < direction.at_ms:
        chests, prior = _carried(before, direction, goals, chests, prior)
    weights = chests[:, None] * prior
    soften = float(np.interp(direction.yaw_sigma_deg, *_SOFTEN))
    odds = _whole((weights * fits).sum(axis=0) ** soften)
    carried = _whole(weights * fits**_FRESH)
    told = dict(zip(names, odds.tolist(), strict=False))
    return Belief(direction.at_ms, direction.yaw_deg, told, names, carried)


def _carried(
    before: Belief, direction: Direction, goals: Goals, chests: Floats, prior: Floats
) -> tuple[Floats, Floats]:
    """Chests (C,) and what is looked at with each (C, T + 1), as the last picture lets expect."""
    gone_ms = direction.at_ms - before.at_ms
    turned = abs((direction.yaw_deg - before.yaw_deg + 180.0) % 360.0 - 180.0)
    rested = math.exp(-gone_ms / _REST_MS - turned / _TURN_DEG)
    last = _of(before, goals.names)
    known = last.sum(axis=1)
    if known.all():
        prior = rested * last / known[:, None] + (1.0 - rested) * prior
    else:
        seen, prior = known > 0, prior.copy()
        prior[seen] = rested * last[seen] / known[seen, None] + (1.0 - rested) * prior[seen]
    stood, stands = float(known[:-1].sum()), float(chests[:-1].sum())
    if stood > 0:
        kept, after = math.exp(-gone_ms / _CHEST_MS), chests.copy()
        after[:-1] = kept * stands * known[:-1] / stood + (1.0 - kept) * chests[:-1]
        chests = after
    return chests, prior


def _of(before: Belief, names: tuple[str, ...]) -> Floats:
    """What was carried of these targets and of nothing, (C, T + 1); 0 of those that are new."""
    if before.names == names:
        return before.carried
    last = np.zeros((len(before.carried), len(names) + 1))
    last[:, -1] = before.carried[:, -1]
    known = {name: number for number, name in enumerate(before.names)}
    for number, name in enumerate(names):
        if name in known:
            last[:, number] = before.carried[:, known[name]]
    return last


def _whole(weights: Floats) -> Floats:
    """As parts of one; all is nothing, which comes last, where no look explains the head."""
    total = float(weights.sum())
    if total > 0.0:
        return np.asarray(weights / total)
    weights = np.zeros_like(weights)
    weights[..., -1] = 1.0 / max(1, weights[..., -1].size)
    return weights


def _explained(
    bearing: Bearing, goals: Goals, gaze_sigma_deg: float
) -> tuple[Floats, Floats, Floats]:
    """How probable each direction of the chest is (C,), the last one that of a walk; for each and
    each target, and last for nothing, how often it is looked at, and how well that explains the
    head, (C, T + 1) each.
    """
    targets = len(goals.names)
    x, y, z = goals.places - np.array(bearing.head_m)[:, None]  # (T * N,) each
    level = x * x + y * y
    away = (level + z * z).reshape(targets, -1)
    yaws = np.degrees(np.arctan2(x, -y))
    pitches = np.degrees(np.arctan2(z, np.sqrt(level)))
    before = ((np.array(bearing.head_m) - goals.corners) * goals.normals).sum(axis=1) > 0
    near = before / (_NEAR_M2 + away.sum(axis=1) / away.shape[1])
    near /= max(float(near.sum()), 1e-9)
    faced = -(near @ goals.normals)
    likely, chests, sigmas = _chests(bearing, math.degrees(math.atan2(faced[0], -faced[1])))
    count, rows = len(yaws), len(chests)
    fits = _fits(bearing, yaws, pitches, chests[:, None], sigmas[:, None], gaze_sigma_deg)
    found, prior = np.empty((rows, targets + 1)), np.empty((rows, targets + 1))
    on_targets = fits[:, :count].reshape(rows, targets, -1)
    np.divide(on_targets.sum(axis=2), on_targets.shape[2], out=found[:, :-1])
    elsewhere = np.add.reduceat(fits[:, count:], _STARTS, axis=1) / _SIZES
    np.divide((_OFTEN * elsewhere).sum(axis=1), _IDLE, out=found[:, -1])
    prior[:, :-1] = _TARGETS * near
    prior[:, -1] = _IDLE
    prior /= prior.sum(axis=1, keepdims=True)
    return likely, prior, found


def _chests(bearing: Bearing, faced_deg: float) -> tuple[Floats, Floats, Floats]:
    """Where the chest points, `faced_deg` if it is squarely to the targets, or along the walk: how
    probable, yaw, one sigma, (C,) each."""
    x, y = bearing.velocity or (0.0, 0.0)
    speed = math.hypot(x, y)
    walks = 1.0 / (1.0 + math.exp(min(50.0, (_WALKS - speed) / _WALKS_WITHIN)))
    likely, chests, sigmas = np.empty((3, len(_TURNED) + 1))
    np.multiply(1.0 - walks, _USUALLY, out=likely[:-1])
    np.add(faced_deg, _TURNED, out=chests[:-1])
    sigmas[:-1] = _CHEST_SIGMA
    likely[-1] = walks
    chests[-1] = math.degrees(math.atan2(x, -y)) if speed > 0 else faced_deg
    sigmas[-1] = math.degrees(math.atan2(_SPEED_SIGMA, max(speed, 0.05)))
    return likely, chests, sigmas


def _fits(
    bearing: Bearing,
    yaws: Floats,
    pitches: Floats,
    chest: Floats,
    chest_sigma: Floats,
    gaze_sigma_deg: float,
) -> Floats:
    """How well looks at places (M,) and then those at nothing explain the head, for each chest
    (C, 1): a density."""
    direction, part = bearing.direction, gaze_sigma_deg / _USUAL_DEG
    left = (part * _LEFT_DEG) ** 2
    far = _FAR_SHARE * max(0.0, abs(bearing.turn_deg) - _FAR_DEG)
    own_var = (_WIDER * direction.yaw_sigma_deg) ** 2 + far**2 + left
    count, idle = len(yaws), _idle(part)
    # Of each look: where the head points, how it follows, one variance; then the same up and down.
    across = np.empty((3, len(chest), count + len(idle[0])))
    across[:, :, :count] = _head(_wrapped(yaws - chest), _COVERS[0], _COVERS_SIGMA[0], part)
    across[:, :, count:] = idle[:3, None]
    upwards = np.empty((2, across.shape[2]))
    upwards[:, :count] = _head(pitches, _COVERS[1], _COVERS_SIGMA[1], part)[::2]
    upwards[:, count:] = idle[3:]
    off_yaw = _wrapped((direction.yaw_deg - chest) - across[0])
    yaw_var = ((1.0 - across[1]) * chest_sigma) ** 2
    yaw_var += across[2] ** 2 + own_var
    pitch_var = (_WIDER * direction.pitch_sigma_deg) ** 2 + left + upwards[1] ** 2
    misfit = off_yaw**2 / yaw_var
    misfit += (direction.pitch_deg - upwards[0]) ** 2 / pitch_var
    misfit *= -0.5
    return np.asarray(np.exp(misfit, out=misfit) / np.sqrt(yaw_var * pitch_var))


@lru_cache(maxsize=16)
def _idle(part: float) -> Floats:
    """Of looks at nothing, which go from the chest on, (5, L): as `_head` across, then the head and
    one sigma up and down."""
    across = _head(_LOOKS[0], _COVERS[0], _COVERS_SIGMA[0], part)
    upwards = _head(_LOOKS[1], _COVERS[1], _COVERS_SIGMA[1], part)
    return np.stack([*across, *upwards[::2]])


def _wrapped(angles_deg: Floats) -> Floats:
    """The same directions, within 180 degrees of 0."""
    return np.asarray(angles_deg - 360.0 * np.rint(angles_deg / 360.0))


def _head(shift: Floats, covers: float, sigma: float, part: float) -> tuple[Floats, Floats, Floats]:
    """How far the head goes for shifts of gaze, its change with them, and one sigma among people;
    `part` of the eyes' usual straying."""
    size = np.abs(shift)
    along = size / (size + _HALF_DEG)
    head = shift - part * (shift - covers * along * shift)
    slope = 1.0 - part * (1.0 - covers * along * (size + 2 * _HALF_DEG) / (size + _HALF_DEG))
    return head, slope, part * sigma * along * size
