"""A camera's people, from tracks to what is told."""

from collections.abc import Callable, Iterable
from dataclasses import replace

import msgspec
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from streams.contracts.layout import (
    Area,
    Camera,
    CameraPose,
    Line,
    Screen,
    StaffArea,
    StoreLayout,
    ViewLine,
    Zone,
)
from vision.core import scene as scenes
from vision.core.attention import GazeBegan, GazeOver
from vision.core.dwell import DwellBegan, StayOver
from vision.core.geometry import CameraModel, camera_model
from vision.core.person import Surroundings, Track
from vision.core.scene import (
    CrossingOutput,
    DwellOutput,
    GazeOutput,
    PresenceOutput,
    Scene,
    SceneOutput,
)
from vision.core.targets import SceneRules

BLIND = np.zeros((17, 3), dtype=np.float32)
LEFT, RIGHT = (0.2, 0.2, 0.4, 0.9), (0.7, 0.2, 0.9, 0.9)


def track(
    name: str,
    box: tuple[float, float, float, float] = LEFT,
    keypoints: np.ndarray = BLIND,
    since_ms: int = 10**15,
) -> Track:
    return Track(name, box, keypoints, 0.9, since_ms)


def play(
    around: Surroundings, pictures: Iterable[tuple[int, list[Track]]], *, closed: bool = True
) -> tuple[Scene, list[SceneOutput]]:
    scene, told = Scene(), []
    for at_ms, tracks in pictures:
        scene, outputs = scenes.step(scene, tracks, at_ms, around)
        told.extend(outputs)
    if closed:
        scene, outputs = scenes.close(scene, around)
        told.extend(outputs)
    return scene, told


def ended(told: list[SceneOutput]) -> list[tuple[str, int, int, bool]]:
    return [
        (o.person_id, o.event.stay.entered_at_ms, o.event.stay.seen_at_ms, o.event.censored)
        for o in told
        if isinstance(o, DwellOutput) and isinstance(o.event, StayOver)
    ]


@pytest.fixture
def flat(aisle: StoreLayout) -> Surroundings:
    """The left half of a picture is a zone; no calibration."""
    return scenes.surroundings(aisle, "cam", None, SceneRules())


@pytest.fixture
def posed(shelf: StoreLayout, camera: CameraModel) -> Surroundings:
    """Two zones and a screen before a calibrated camera."""
    return scenes.surroundings(shelf, "cam", camera, SceneRules())


class TestWithoutCalibration:
    def test_a_dwell_from_the_first_to_the_last_detection(self, flat: Surroundings) -> None:
        _, told = play(
            flat,
            [(t, [track("a")]) for t in range(0, 3001, 200)]
            + [(t, []) for t in range(3200, 9000, 400)],
        )
        assert ended(told) == [("a", 0, 3000, False)]
        began = [o for o in told if isinstance(o, DwellOutput) and isinstance(o.event, DwellBegan)]
        assert [o.event.stay.seen_at_ms for o in began] == [1000]

    def test_a_new_tracks_first_detection_counts(self, flat: Surroundings) -> None:
        _, told = play(flat, [(t, [track("a", since_ms=100)]) for t in range(300, 2000, 200)])
        assert ended(told) == [("a", 100, 1900, True)]

    def test_a_lost_track_goes_on_in_a_new_one_nearby(self, flat: Surroundings) -> None:
        pictures = [(t, [track("a")]) for t in range(0, 1001, 200)]
        pictures += [(t, [track("b", (0.22, 0.2, 0.42, 0.9))]) for t in range(2000, 3001, 200)]
        scene, told = play(flat, pictures)
        assert scene.stitched == 1
        assert ended(told) == [("a", 0, 3000, True)]

    @pytest.mark.parametrize(
        ("box", "back_ms"),
        [
            ((0.0, 0.2, 0.05, 0.9), 2000),  # in the zone, but too far away
            (LEFT, 2600),  # too late
        ],
    )
    def test_else_the_newcomer_is_somebody_else(
        self, flat: Surroundings, box: tuple[float, float, float, float], back_ms: int
    ) -> None:
        pictures = [(t, [track("a")]) for t in range(0, 1001, 200)]
        pictures += [(t, [track("b", box)]) for t in range(back_ms, back_ms + 1001, 200)]
        scene, told = play(flat, pictures)
        assert scene.stitched == 0
        assert sorted(name for name, *_ in ended(told)) == ["a", "b"]

    def test_somebody_who_is_still_there_is_never_continued(self, flat: Surroundings) -> None:
        pictures = [(t, [track("a")]) for t in range(0, 1001, 200)]
        pictures += [(t, [track("a"), track("b")]) for t in range(1200, 3001, 200)]
        scene, told = play(flat, pictures)
        assert scene.stitched == 0
        assert len(ended(told)) == 2

    def test_a_track_that_comes_back_after_it_went_on_in_another_is_somebody_else(
        self, flat: Surroundings
    ) -> None:
        pictures = [(t, [track("a")]) for t in range(0, 1001, 200)]
        pictures += [(t, [track("b")]) for t in range(1200, 2001, 200)]
        pictures += [(t, [track("b"), track("a")]) for t in range(2200, 4001, 200)]
        scene, told = play(flat, pictures)
        assert scene.stitched == 1
        assert ended(told) == [("a", 0, 4000, True), ("a.", 2200, 4000, True)]

    def test_no_gaze_and_no_opportunity_is_made_up(
        self, flat: Surroundings, camera: CameraModel, draw_face: Callable[..., np.ndarray]
    ) -> None:
        face = draw_face(camera, (1.5, 1.5, 1.6), 0.0)
        _, told = play(flat, [(t, [track("a", keypoints=face)]) for t in range(0, 5000, 200)])
        assert not [o for o in told if isinstance(o, GazeOutput)]
        assert [o.opportunity_ms for o in told if isinstance(o, PresenceOutput)] == [None]

    def test_outside_the_zone_is_not_told_but_seen(self, flat: Surroundings) -> None:
        scene, told = play(flat, [(t, [track("a", RIGHT)]) for t in (0, 200, 400)], closed=False)
        assert told == []
        assert len(scenes.people_there(scene, 400)) == 1
        assert [c.people for c in scenes.audience(scene, 400, flat)] == [0]

    def test_staff_is_excluded_and_counted(self, aisle: StoreLayout) -> None:
        zone = msgspec.structs.replace(aisle.zones[0], staff_limit_ms=4000)
        layout = msgspec.structs.replace(aisle, zones=(zone,))
        around = scenes.surroundings(layout, "cam", None, SceneRules())
        scene, told = play(around, [(t, [track("a")]) for t in range(0, 8001, 500)])
        assert scene.staff_excluded == 1
        assert ended(told) == []
        assert len([o for o in told if isinstance(o, PresenceOutput)]) == 1

    def test_a_dwell_that_was_told_of_staff_is_ended_and_does_not_count(
        self, aisle: StoreLayout
    ) -> None:
        zone = msgspec.structs.replace(aisle.zones[0], staff_limit_ms=4000)
        layout = msgspec.structs.replace(aisle, zones=(zone,))
        around = scenes.surroundings(layout, "cam", None, SceneRules())
        _, told = play(around, [(t, [track("a")]) for t in range(0, 8001, 500)])
        kinds = [type(o.event).__name__ for o in told if isinstance(o, DwellOutput)]
        assert kinds == ["DwellBegan", "StaffFound"]

    def test_no_picture_for_longer_than_the_gap_is_an_end_that_was_not_seen(
        self, flat: Surroundings
    ) -> None:
        _, told = play(flat, [(t, [track("a")]) for t in range(0, 3001, 200)] + [(9000, [])])
        assert ended(told) == [("a", 0, 3000, True)]

    def test_a_line_in_the_picture_is_crossed(self, aisle: StoreLayout) -> None:
        line = Line(line_id="door", area_id="main")
        view = ViewLine(line_id="door", ends=((0.5, 0.0), (0.5, 1.0)), inward=(0.9, 0.5))
        camera = msgspec.structs.replace(aisle.cameras[0], view_lines=(view,))
        layout = msgspec.structs.replace(aisle, lines=(line,), cameras=(camera,))
        around = scenes.surroundings(layout, "cam", None, SceneRules())
        pictures = [
            (200 * i, [track("a", (0.05 * i, 0.2, 0.2 + 0.05 * i, 0.9))]) for i in range(14)
        ]
        _, told = play(around, pictures)
        crossed = [o for o in told if isinstance(o, CrossingOutput)]
        assert [(o.event.direction, o.person_id) for o in crossed] == [("in", "a")]
        assert crossed[0].event.at_ms == pytest.approx(1600, abs=20)

    def test_a_picture_from_the_past_changes_nothing(self, flat: Surroundings) -> None:
        scene, _ = play(flat, [(1000, [track("a")])], closed=False)
        assert scenes.step(scene, [track("b")], 1000, flat) == (scene, [])


class TestWithPose:
    def looker(
        self,
        camera: CameraModel,
        draw_face: Callable[..., np.ndarray],
        x: float,
        yaw_deg: float,
        pitch_deg: float = -8.0,
    ) -> Track:
        face = draw_face(camera, (x, 1.6, 1.55), yaw_deg, pitch_deg)
        return track("a", (0.3, 0.2, 0.5, 1.0), face)

    @pytest.mark.parametrize(
        ("x", "yaw_deg", "target"), [(0.75, 0.0, "tea"), (2.25, 0.0, "coffee")]
    )
    def test_a_gaze_is_told_at_its_start(
        self,
        posed: Surroundings,
        camera: CameraModel,
        draw_face: Callable[..., np.ndarray],
        x: float,
        yaw_deg: float,
        target: str,
    ) -> None:
        looker = self.looker(camera, draw_face, x, yaw_deg)
        pictures = [(t, [looker]) for t in range(0, 2001, 200)]
        scene, told = play(posed, pictures, closed=False)
        gazes = [o for o in told if isinstance(o, GazeOutput)]
        assert [(o.target.target_id, type(o.event)) for o in gazes] == [(target, GazeBegan)]
        assert gazes[0].event.look.faced_at_ms == 400
        assert gazes[0].event.look.distance_m == pytest.approx(1.65, abs=0.25)
        watchers = {c.target.target_id: c.watchers for c in scenes.audience(scene, 2000, posed)}
        assert watchers == {"tea": 0, "coffee": 0, "top": 0} | {target: 1}
        _, told = scenes.close(scene, posed)
        assert [o.event.censored for o in told if isinstance(o, GazeOutput)] == [True]

    def test_looking_elsewhere_dwells_without_gaze(
        self, posed: Surroundings, camera: CameraModel, draw_face: Callable[..., np.ndarray]
    ) -> None:
        looker = self.looker(camera, draw_face, 0.75, -55.0)
        _, told = play(posed, [(t, [looker]) for t in range(0, 3001, 200)])
        assert not [o for o in told if isinstance(o, GazeOutput)]
        assert [name for name, *_ in ended(told)] == ["a"]

    def test_staff_behind_the_counter_is_not_counted(
        self,
        shelf: StoreLayout,
        camera: CameraModel,
        draw_face: Callable[..., np.ndarray],
    ) -> None:
        counter = ((0.2, 1.0), (1.2, 1.0), (1.2, 2.2), (0.2, 2.2))
        layout = msgspec.structs.replace(
            shelf, staff_areas=(StaffArea(area_id="main", floor=counter),)
        )
        around = scenes.surroundings(layout, "cam", camera, SceneRules())
        clerk = self.looker(camera, draw_face, 0.75, 0.0)
        shopper = replace(
            self.looker(camera, draw_face, 2.25, 0.0), track_id="b", box=(0.6, 0.2, 0.8, 1.0)
        )
        scene, told = play(around, [(t, [clerk, shopper]) for t in range(0, 5001, 200)])
        assert scene.staff_excluded == 1
        assert [name for name, *_ in ended(told)] == ["b"]
        presences = [o for o in told if isinstance(o, PresenceOutput) and o.person_id == "a"]
        assert {o.target.target_id for o in presences} == {"tea", "top"}
        assert {o.opportunity_ms for o in presences} == {0}
        kinds = [
            type(o.event).__name__
            for o in told
            if isinstance(o, DwellOutput) and o.person_id == "a"
        ]
        assert kinds in ([], ["DwellBegan", "StaffFound"])

    def test_a_camera_across_the_aisle_measures_presence_alone(
        self, shelf: StoreLayout, draw_shopper: Callable[..., Track | None]
    ) -> None:
        pose = CameraPose(position_m=(0.75, 4.5, 1.6), yaw_deg=180.0, horizontal_fov_deg=80.0)
        seen_by = msgspec.structs.replace(shelf.cameras[0], pose=pose)
        layout = msgspec.structs.replace(shelf, cameras=(seen_by,))
        model = camera_model(pose, 1280, 720)
        around = scenes.surroundings(layout, "cam", model, SceneRules())
        shown = draw_shopper(model, "a", 0.75, 1.8, 0.0)
        assert shown is not None
        scene, told = play(around, [(t, [shown]) for t in range(0, 5001, 200)])
        assert not [o for o in told if isinstance(o, GazeOutput)]
        presences = [o for o in told if isinstance(o, PresenceOutput)]
        assert {(o.target.target_id, o.opportunity_ms) for o in presences} == {
            ("tea", None),
            ("top", None),
        }
        counts = scenes.audience(scene, 5000, around)
        assert not any(count.target.measured for count in counts)

    def test_turning_away_keeps_the_stay_by_the_body(
        self, posed: Surroundings, camera: CameraModel, draw_face: Callable[..., np.ndarray]
    ) -> None:
        looker = self.looker(camera, draw_face, 0.75, 0.0)
        back = BLIND.copy()
        for index, (aside, up) in {
            5: (-0.17, 1.4),
            6: (0.17, 1.4),
            11: (-0.1, 0.9),
            12: (0.1, 0.9),
        }.items():
            seen = camera.project((0.75 + aside, 1.6, up))
            assert seen is not None
            back[index] = (*seen, 0.9)
        away = replace(looker, keypoints=back)
        pictures = [(t, [looker]) for t in range(0, 1001, 200)]
        pictures += [(t, [away]) for t in range(1200, 5001, 200)]
        _, told = play(posed, pictures)
        assert ("a", 0, 5000, True) in ended(told)
        over = [
            o.event for o in told if isinstance(o, GazeOutput) and isinstance(o.event, GazeOver)
        ]
        assert [event.look.faced_at_ms for event in over] == [1000]

    def test_opportunity_is_measured_and_less_than_presence(
        self, posed: Surroundings, camera: CameraModel, draw_face: Callable[..., np.ndarray]
    ) -> None:
        looker = self.looker(camera, draw_face, 0.75, 0.0)
        blind = replace(looker, keypoints=BLIND)
        pictures = [(t, [looker if t <= 1000 else blind]) for t in range(0, 2001, 200)]
        _, told = play(posed, pictures)
        tea = [o for o in told if isinstance(o, PresenceOutput) and o.target.target_id == "tea"]
        assert [(o.opportunity_ms, o.stay.seen_at_ms) for o in tea] == [(1200, 2000)]
        watched = {o.target.target_id: o.watched for o in told if isinstance(o, PresenceOutput)}
        assert watched == {"tea": True, "top": False}


picture = st.tuples(
    st.integers(-200, 1200),  # since the last picture: also from the past, and repeated
    st.lists(st.sampled_from(["a", "b", "c"]), max_size=3, unique=True),
    st.sampled_from([0.3, 0.75, 1.45, 1.6, 2.25]),
    st.sampled_from([-50.0, -10.0, 0.0, 25.0]),
    st.booleans(),
)


@settings(
    max_examples=40,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(st.lists(picture, max_size=25))
def test_attention_within_dwell_within_presence(
    posed: Surroundings,
    camera: CameraModel,
    draw_face: Callable[..., np.ndarray],
    raw: list[tuple[int, list[str], float, float, bool]],
) -> None:
    """Whoever comes, goes, is lost and mixed up: for every stay, its gazes lie within it and their
    attention within its length; a dwell is its presence; what began is over at the end."""
    at_ms, pictures = 1000, []
    for wait_ms, names, x, yaw_deg, faces in raw:
        at_ms = max(0, at_ms + wait_ms)
        tracks = []
        for i, name in enumerate(names):
            keypoints = draw_face(camera, (x + 0.5 * i, 1.6, 1.55), yaw_deg, -8.0)
            tracks.append(track(name, (0.3, 0.2, 0.5, 1.0), keypoints if faces else BLIND))
        pictures.append((at_ms, tracks))
    scene, told = play(posed, pictures)
    assert scene.people == {}
    stays = [o for o in told if isinstance(o, PresenceOutput)]
    gazes = [o for o in told if isinstance(o, GazeOutput) and isinstance(o.event, GazeOver)]
    for presence in stays:
        length_ms = presence.stay.seen_at_ms - presence.stay.entered_at_ms
        assert presence.opportunity_ms is not None
        assert 0 <= presence.opportunity_ms <= length_ms
        within = [
            gaze.event.look
            for gaze in gazes
            if gaze.person_id == presence.person_id
            and gaze.target.target_id == presence.target.target_id
            and presence.stay.entered_at_ms <= gaze.event.look.started_at_ms
            and (gaze.event.look.ended_at_ms or 0) <= presence.stay.seen_at_ms
        ]
        assert sum(look.attention_ms for look in within) <= length_ms
        gazes = [gaze for gaze in gazes if gaze.event.look not in within]
    assert gazes == []
    kinds = [type(o.event).__name__ for o in told if isinstance(o, GazeOutput | DwellOutput)]
    assert kinds.count("GazeBegan") == kinds.count("GazeOver")
    assert kinds.count("DwellBegan") == kinds.count("StayOver")


def test_a_screen_across_the_aisle_is_measured_by_the_camera_that_hangs_on_it(
    draw_shopper: Callable[..., Track | None],
) -> None:
    """Who stands between shelf and screen and turns to the screen watches it, not the shelf."""
    floor = ((-1.0, 0.3), (2.0, 0.3), (2.0, 2.8), (-1.0, 2.8))
    pose = CameraPose(position_m=(0.5, 3.0, 1.7), yaw_deg=180.0, horizontal_fov_deg=80.0)
    layout = StoreLayout(
        store_id="shop",
        name="A shop",
        areas=(Area(area_id="main"),),
        zones=(
            Zone(zone_id="tea", area_id="main", name="Tea", face=(0.0, 0.5, 1.0, 1.5), floor=floor),
        ),
        screens=(
            Screen(
                screen_id="across",
                area_id="main",
                name="Across",
                corners=((0.0, 3.0, 2.4), (1.0, 3.0, 2.4), (1.0, 3.0, 1.4), (0.0, 3.0, 1.4)),
                floor=floor,
            ),
        ),
        cameras=(Camera(camera_id="cam", area_id="main", pose=pose),),
    )
    model = camera_model(pose, 1280, 720)
    around = scenes.surroundings(layout, "cam", model, SceneRules())
    shown = draw_shopper(model, "a", 0.5, 1.2, 180.0, pitch_deg=6.0)
    assert shown is not None
    _, told = play(around, [(t, [shown]) for t in range(0, 3001, 200)])
    assert {o.target.target_id for o in told if isinstance(o, GazeOutput)} == {"across"}
    seen = {o.target.target_id: o.opportunity_ms for o in told if isinstance(o, PresenceOutput)}
    assert seen == {"tea": None, "across": 3000}
