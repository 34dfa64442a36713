"""Whatever the trackers of an area say, what is told of its people holds together."""

import itertools
from collections import defaultdict
from collections.abc import Callable, Sequence

import msgspec
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from streams.contracts.layout import Camera, CameraPose, StaffArea, StoreLayout, View
from vision.core import scene as scenes
from vision.core.attention import GazeBegan, GazeOver
from vision.core.dwell import DwellBegan
from vision.core.geometry import camera_model
from vision.core.person import Surroundings, Track
from vision.core.scene import (
    CrossingOutput,
    GazeOutput,
    PresenceOutput,
    Scene,
    SceneOutput,
)
from vision.core.targets import SceneRules

DrawShopper = Callable[..., Track | None]

POSES = {
    "one": CameraPose(position_m=(0.7, 0.0, 1.5), yaw_deg=12.0, horizontal_fov_deg=85.0),
    "two": CameraPose(position_m=(2.3, 0.0, 1.5), yaw_deg=-12.0, horizontal_fov_deg=85.0),
}
PLACES = [(0.4, 1.2), (0.8, 1.7), (1.3, 1.7), (1.9, 1.5), (2.4, 2.2)]
YAWS = [-70.0, -15.0, 0.0, 20.0, 180.0]


@pytest.fixture(scope="module")
def drawn() -> dict[tuple[str, int, int], Track]:
    """Filled once: what each camera sees of somebody at each place who looks each way."""
    return {}


@pytest.fixture
def area(shelf: StoreLayout) -> dict[str, Surroundings]:
    """Two cameras on the shelf, whose views overlap; behind a counter at the left is staff."""
    counter = ((-1.0, 0.3), (0.5, 0.3), (0.5, 1.4), (-1.0, 1.4))
    cameras = tuple(Camera(camera_id=n, area_id="main", pose=p) for n, p in POSES.items())
    layout = msgspec.structs.replace(
        shelf, cameras=cameras, staff_areas=(StaffArea(area_id="main", floor=counter),)
    )
    return {
        name: scenes.surroundings(layout, name, camera_model(pose, 1280, 720), SceneRules())
        for name, pose in POSES.items()
    }


def check(told: Sequence[SceneOutput]) -> None:
    """The inequalities, and that nothing is told twice or left open."""
    begun: set[tuple[str, str, str, int]] = set()
    over: set[tuple[str, str, str, int]] = set()
    attention: dict[tuple[str, str], list[tuple[int, int, int]]] = defaultdict(list)
    stays: dict[tuple[str, str], list[tuple[int, int]]] = defaultdict(list)
    for o in told:
        if isinstance(o, CrossingOutput):
            continue
        key = (o.person_id, o.target.target_id)
        if isinstance(o, PresenceOutput):
            length_ms = o.stay.seen_at_ms - o.stay.entered_at_ms
            assert 0 <= length_ms
            assert o.opportunity_ms is None or 0 <= o.opportunity_ms <= length_ms
            stays[key].append((o.stay.entered_at_ms, o.stay.seen_at_ms))
            continue
        kind = "gaze" if isinstance(o, GazeOutput) else "dwell"
        since_ms = (
            o.event.look.started_at_ms if isinstance(o, GazeOutput) else o.event.stay.entered_at_ms
        )
        name = (kind, *key, since_ms)
        if isinstance(o.event, GazeBegan | DwellBegan):
            assert name not in begun
            begun.add(name)
        else:
            assert name in begun
            assert name not in over
            over.add(name)
        if isinstance(o, GazeOutput) and isinstance(o.event, GazeOver):
            look = o.event.look
            assert look.ended_at_ms is not None
            assert 0 < look.attention_ms <= look.ended_at_ms - look.started_at_ms
            attention[key].append((look.started_at_ms, look.ended_at_ms, look.attention_ms))
    assert begun == over
    for key, spans in stays.items():
        spans.sort()
        assert all(a[1] < b[0] for a, b in itertools.pairwise(spans)), (key, spans)
    for key, looks in attention.items():
        for entered_ms, left_ms in stays[key]:
            within = [g for g in looks if entered_ms <= g[0] and g[1] <= left_ms]
            assert sum(g[2] for g in within) <= left_ms - entered_ms
            looks = [g for g in looks if g not in within]
        assert looks == [], key


picture = st.tuples(
    st.integers(-300, 900),  # since the last one: also late and repeated
    st.sampled_from(list(POSES)),
    st.lists(
        st.tuples(
            st.sampled_from("abc"), st.integers(0, 4), st.integers(0, 4), st.integers(0, 300)
        ),
        max_size=3,
        unique_by=lambda each: each[0],
    ),
)


@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(st.lists(picture, max_size=40))
def test_attention_within_dwell_within_presence_before_two_cameras(
    area: dict[str, Surroundings],
    drawn: dict[tuple[str, int, int], Track],
    draw_shopper: DrawShopper,
    raw: list[tuple[int, str, list[tuple[str, int, int, int]]]],
) -> None:
    """People who come, go, are lost, mixed up, joined and parted, in late and repeated pictures."""
    at_ms, scene, told = 1_000, Scene(), list[SceneOutput]()
    for wait_ms, camera_id, shown in raw:
        at_ms = max(0, at_ms + wait_ms)
        tracks = []
        for name, place, yaw, since_ms in shown:
            key = (camera_id, place, yaw)
            if key not in drawn:
                model = area[camera_id].camera
                seen = draw_shopper(model, "", *PLACES[place], YAWS[yaw])
                drawn[key] = seen or Track("", (0.4, 0.2, 0.6, 1.0), NOTHING, 0.9, 0)
            look = drawn[key]
            track_id = f"{camera_id}-{name}"
            tracks.append(Track(track_id, look.box, look.keypoints, 0.9, at_ms - since_ms))
        scene, outputs = scenes.step(scene, tracks, at_ms, area[camera_id])
        told.extend(outputs)
        assert len(scene.people) <= 12
        assert all(p.bodies and p.leader in p.bodies for p in scene.people.values())
        bodies = [
            (camera_id, body.track_id)
            for person in scene.people.values()
            for camera_id, body in person.bodies.items()
        ]
        assert len(bodies) == len(set(bodies))  # nobody is two people at once
    scene, outputs = scenes.close(scene, area["one"])
    assert scene.people == {}
    check([*told, *outputs])


NOTHING = np.zeros((17, 3), dtype=np.float32)


@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    st.lists(st.tuples(st.integers(50, 900), st.booleans(), st.booleans()), max_size=60),
    st.integers(1, 3),
)
def test_repeated_pictures_and_cameras_in_any_order_tell_the_same(
    aisle: StoreLayout, raw: list[tuple[int, bool, bool]], repeats: int
) -> None:
    """Cameras that share no floor are read in their own orders, whatever lies between them."""
    camera = aisle.cameras[0]
    other = Camera(
        camera_id="other",
        area_id="main",
        views=(View(target_id="left", polygon=camera.views[0].polygon),),
    )
    layout = msgspec.structs.replace(aisle, cameras=(camera, other))
    around = {c: scenes.surroundings(layout, c, None, SceneRules()) for c in ("cam", "other")}
    at_ms, pictures = 0, []
    for wait_ms, shown, who in raw:
        at_ms += wait_ms
        camera_id = "cam" if who else "other"
        box = (0.1, 0.2, 0.3, 0.9)
        tracks = [Track(f"{camera_id}-a", box, NOTHING, 0.9, at_ms)] if shown else []
        pictures.append((camera_id, at_ms, tracks))

    def play(pictures: list[tuple[str, int, list[Track]]]) -> set[str]:
        scene, told = Scene(), list[SceneOutput]()
        for camera_id, at_ms, tracks in pictures:
            for _ in range(repeats):
                scene, outputs = scenes.step(scene, tracks, at_ms, around[camera_id])
                told.extend(outputs)
        for camera_id in around:
            scene, outputs = scenes.lose(scene, around[camera_id])
            told.extend(outputs)
        check(told)
        return {
            f"{o.person_id} {o.stay.entered_at_ms} {o.stay.seen_at_ms}"
            for o in told
            if isinstance(o, PresenceOutput)
        }

    apart = [p for p in pictures if p[0] == "cam"] + [p for p in pictures if p[0] == "other"]
    assert play(pictures) == play(apart)


def test_memory_is_bounded(aisle: StoreLayout) -> None:
    """A thousand people who each come once leave nothing behind."""
    around = scenes.surroundings(aisle, "cam", None, SceneRules())
    scene, most = Scene(), 0
    for number in range(1_000):
        for step in range(3):
            at_ms = 1_000 * number + 200 * step
            box = (0.1 + 0.6 * (number % 2), 0.2, 0.3 + 0.6 * (number % 2), 0.9)
            track = Track(f"t{number}", box, NOTHING, 0.9, at_ms)
            scene, _ = scenes.step(scene, [track], at_ms, around)
        most = max(most, len(scene.people))
    assert most <= 4
    assert not scene.pairs
    assert len(scene.cameras) == 1
