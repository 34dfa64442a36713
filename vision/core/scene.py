"""All the people of an area: `step(scene, tracks, at_ms, around) -> (scene, outputs)`. Pure.

Each camera's pictures come in the order of their times; those of different cameras in any order.
`around` says whose picture it is. Each person is led by one camera, whose pictures alone move what
is told (`vision.core.draft`): so nobody is counted twice, and no camera waits for another. Cameras
without a calibration share nothing but the scene.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace

from streams.contracts.layout import StoreLayout
from vision.core.attention import attention_so_far
from vision.core.body import look
from vision.core.double import without_doubles
from vision.core.draft import Draft
from vision.core.geometry import CameraModel
from vision.core.person import Person, Surroundings, Track
from vision.core.targets import (
    SceneRules,
    Target,
    attention_rules,
    lines_of,
    targets_of,
)
from vision.core.told import (
    Counts,
    CrossingOutput,
    DwellOutput,
    GazeOutput,
    PresenceOutput,
    Scene,
    SceneOutput,
)

__all__ = [
    "Counts",
    "CrossingOutput",
    "DwellOutput",
    "GazeOutput",
    "PresenceOutput",
    "Scene",
    "SceneOutput",
    "TargetCount",
    "audience",
    "close",
    "lose",
    "memory_ms",
    "people_there",
    "step",
    "surroundings",
]

#: A person counts as there for this long after the last detection: one missed picture at 2 per
#: second does not make a zone look empty.
_THERE_MS = 500

#: A camera that is so much behind the others, beyond the longest gap window, is gone.
_GONE_MS = 1_000


@dataclass(frozen=True, slots=True)
class TargetCount:
    """Who is before one target now."""

    target: Target
    people: int
    watchers: int
    attention_ms: int


def surroundings(
    layout: StoreLayout, camera_id: str, camera: CameraModel | None, rules: SceneRules
) -> Surroundings:
    """What the people before `camera_id` are seen with."""
    seen_by = next(c for c in layout.cameras if c.camera_id == camera_id)
    targets = {t.target_id: t for t in targets_of(layout, seen_by, rules)}
    known = {
        target.target_id: target
        for other in layout.cameras
        if other.area_id == seen_by.area_id
        for target in targets_of(layout, other, rules)
    }
    known.update(targets)
    return Surroundings(
        camera=camera,
        targets=targets,
        rules=rules,
        attention=attention_rules(known, rules),
        camera_id=camera_id,
        known=known,
        lines=lines_of(layout, seen_by),
        staff_areas=tuple(s.floor for s in layout.staff_areas if s.area_id == seen_by.area_id),
    )


def memory_ms(around: Surroundings) -> int:
    """How long a lost person can matter: the longest gap window."""
    return around.memory_ms


def step(
    scene: Scene, tracks: Sequence[Track], at_ms: int, around: Surroundings
) -> tuple[Scene, list[SceneOutput]]:
    """The scene after one picture of `around`'s camera, and what it tells. One that is not later
    than that camera's last changes nothing.
    """
    here = around.camera_id
    before_ms = scene.cameras.get(here, -1)
    if at_ms <= before_ms:
        return scene, []
    draft = Draft(scene, at_ms, around)
    if before_ms >= 0 and at_ms - before_ms > memory_ms(around):
        draft.lose(here)
    for camera_id, last_ms in scene.cameras.items():
        if camera_id != here and at_ms - last_ms > memory_ms(around) + _GONE_MS:
            draft.lose(camera_id)
    shown = draft.recognise(look(_seen(tracks, around), at_ms, around.camera, _least(around)))
    if len(scene.cameras) > (here in scene.cameras):
        draft.join(shown)
        draft.part(shown)
    draft.follow(shown)
    return draft.done()


def _seen(tracks: Sequence[Track], around: Surroundings) -> list[Track]:
    camera = around.camera
    aspect = 1.0 if camera is None else camera.height_px / camera.width_px
    return without_doubles(tracks, aspect, _least(around))


def _least(around: Surroundings) -> float:
    return around.rules.min_keypoint_confidence


def lose(scene: Scene, around: Surroundings) -> tuple[Scene, list[SceneOutput]]:
    """The scene without `around`'s camera: whom another camera sees goes on there, what else is
    open ends as censored. The camera may come back.
    """
    draft = Draft(scene, scene.at_ms, around)
    draft.lose(around.camera_id)
    after, outputs = draft.done()
    cameras = {c: at_ms for c, at_ms in scene.cameras.items() if c != around.camera_id}
    return replace(after, cameras=cameras), outputs


def close(scene: Scene, around: Surroundings) -> tuple[Scene, list[SceneOutput]]:
    """End all that is open as censored: no more pictures come, from any camera."""
    draft = Draft(scene, scene.at_ms, around)
    for person in list(scene.people.values()):
        draft.end(person, censored=True)
    return replace(scene, people={}, pairs={}, strange={}), draft.outputs


def people_there(scene: Scene, at_ms: int, camera_id: str | None = None) -> list[Person]:
    """Those whom a camera leads (any, if None) who are there now, or were a moment ago."""
    return [
        person
        for person in scene.people.values()
        if (camera_id is None or person.leader == camera_id)
        and not person.doubted
        and at_ms - person.seen_at_ms <= _THERE_MS
    ]


def audience(scene: Scene, at_ms: int, around: Surroundings) -> list[TargetCount]:
    """For each target that the camera watches who is before it now, and who of them looks at it,
    of the people whom it leads: what the cameras of an area say adds up.
    """
    people: Counter[str] = Counter()
    watchers: Counter[str] = Counter()
    attention_ms: Counter[str] = Counter()
    for person in people_there(scene, at_ms, around.camera_id):
        stays = person.stays.items()
        people.update(name for name, stay in stays if at_ms - stay.seen_at_ms <= _THERE_MS)
        if person.attention.gaze is not None:
            watchers[person.attention.gaze.target_id] += 1
    for person in scene.people.values():
        gaze = person.attention.gaze
        if person.leader == around.camera_id and not person.doubted and gaze is not None:
            attention_ms[gaze.target_id] += attention_so_far(person.attention, gaze.target_id)
    return [
        TargetCount(target, people.get(name, 0), watchers.get(name, 0), attention_ms.get(name, 0))
        for name, target in around.targets.items()
    ]
