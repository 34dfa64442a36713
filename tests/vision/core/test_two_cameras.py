"""Two cameras on one shelf: who walks before both is one person, told once."""

from collections.abc import Callable, Iterable

import msgspec
import numpy as np
import pytest

from streams.contracts.layout import Camera, CameraPose, StoreLayout
from vision.core import scene as scenes
from vision.core.attention import GazeOver
from vision.core.dwell import StayOver
from vision.core.geometry import CameraModel, camera_model
from vision.core.person import Surroundings, Track
from vision.core.scene import DwellOutput, GazeOutput, PresenceOutput, Scene, SceneOutput
from vision.core.targets import SceneRules

#: A way: where somebody is, and looks (yaw in degrees), at a time in ms; None when not there.
Way = Callable[[int], tuple[float, float, float] | None]
DrawShopper = Callable[..., Track | None]

POSES = {
    "left": CameraPose(position_m=(0.7, 0.0, 1.5), yaw_deg=12.0, horizontal_fov_deg=85.0),
    "right": CameraPose(position_m=(2.3, 0.0, 1.5), yaw_deg=-12.0, horizontal_fov_deg=85.0),
}


class Stage:
    """Plays ways before the cameras; each has its own rate, clock and times of death."""

    def __init__(self, layout: StoreLayout, draw: DrawShopper, seed: int = 7) -> None:
        cameras = tuple(
            Camera(camera_id=name, area_id="main", pose=pose) for name, pose in POSES.items()
        )
        self.layout = msgspec.structs.replace(layout, cameras=cameras)
        self.models: dict[str, CameraModel] = {
            name: camera_model(pose, 1280, 720) for name, pose in POSES.items()
        }
        self.around: dict[str, Surroundings] = {
            name: scenes.surroundings(self.layout, name, model, SceneRules())
            for name, model in self.models.items()
        }
        self.draw = draw
        self.random = np.random.default_rng(seed)
        self.scene = Scene()
        self.told: list[SceneOutput] = []
        self.most: int = 0

    def play(
        self,
        ways: dict[str, Way],
        until_ms: int,
        *,
        periods_ms: tuple[int, int] = (200, 200),
        clocks_ms: tuple[int, int] = (0, 60),
        alive: Callable[[str, int], bool] = lambda name, at_ms: True,
        noise: float = 0.002,
    ) -> None:
        due = [
            (at_ms, name, clock)
            for name, period, clock in zip(POSES, periods_ms, clocks_ms, strict=True)
            for at_ms in range(17 * len(name), until_ms, period)
            if alive(name, at_ms)
        ]
        for at_ms, name, clock in sorted(due):
            tracks = self.tracks(name, ways, at_ms, noise)
            stamp = at_ms + clock + 1_000
            self.scene, outputs = scenes.step(self.scene, tracks, stamp, self.around[name])
            self.told.extend(outputs)
            beats = [scenes.people_there(self.scene, stamp, camera_id) for camera_id in POSES]
            self.most = max(self.most, sum(len(beat) for beat in beats))
        self.scene, outputs = scenes.close(self.scene, self.around["left"])
        self.told.extend(outputs)

    def tracks(self, camera: str, ways: dict[str, Way], at_ms: int, noise: float) -> list[Track]:
        found: Iterable[Track | None] = (
            self.draw(
                self.models[camera],
                f"{name}-{camera}",
                *place,
                noise=noise,
                random=self.random,
            )
            for name, way in ways.items()
            if (place := way(at_ms)) is not None
        )
        return [track for track in found if track is not None]

    def presences(self, target_id: str) -> list[PresenceOutput]:
        return [
            o
            for o in self.told
            if isinstance(o, PresenceOutput) and o.target.target_id == target_id
        ]

    def dwells(self) -> list[str]:
        return [
            o.person_id
            for o in self.told
            if isinstance(o, DwellOutput) and isinstance(o.event, StayOver)
        ]

    def gazes(self) -> list[GazeOver]:
        return [
            o.event
            for o in self.told
            if isinstance(o, GazeOutput) and isinstance(o.event, GazeOver)
        ]


@pytest.fixture
def stage(shelf: StoreLayout, draw_shopper: DrawShopper) -> Stage:
    return Stage(shelf, draw_shopper)


def stand(x: float, y: float, yaw_deg: float, since_ms: int, until_ms: int) -> Way:
    return lambda at_ms: (x, y, yaw_deg) if since_ms <= at_ms < until_ms else None


def walk(x0: float, x1: float, y: float, since_ms: int, speed: float = 1.0) -> Way:
    """Along the shelf, looking where they go."""
    forward = 1.0 if x1 > x0 else -1.0

    def way(at_ms: int) -> tuple[float, float, float] | None:
        gone = speed * (at_ms - since_ms) / 1000
        if not 0 <= gone <= abs(x1 - x0):
            return None
        return x0 + forward * gone, y, 60.0 * forward

    return way


def test_somebody_who_stands_before_both_is_one(stage: Stage) -> None:
    stage.play({"ann": stand(1.2, 1.7, 0.0, 400, 6_400)}, 12_000)
    assert stage.scene.joined == 1
    assert len(stage.dwells()) == 1
    assert len(stage.presences("tea")) == 1
    assert len(stage.presences("top")) == 1
    assert stage.most == 1
    (gaze,) = stage.gazes()
    assert gaze.look.attention_ms == pytest.approx(6_000, abs=500)


def test_a_gaze_is_told_by_the_camera_that_sees_the_face(stage: Stage) -> None:
    stage.play({"ann": stand(1.9, 1.7, 8.0, 400, 5_400)}, 9_000)
    told = [o for o in stage.told if isinstance(o, GazeOutput)]
    assert {o.target.target_id for o in told} == {"coffee"}
    assert len({o.person_id for o in told}) == 1


@pytest.mark.parametrize("clocks_ms", [(0, 0), (0, 100), (100, 0)])
@pytest.mark.parametrize("periods_ms", [(200, 200), (100, 333), (200, 500)])
def test_somebody_who_walks_from_one_to_the_other_stays_one(
    stage: Stage, clocks_ms: tuple[int, int], periods_ms: tuple[int, int]
) -> None:
    ways = {"ann": walk(-0.6, 3.6, 1.9, 400)}
    stage.play(ways, 9_000, clocks_ms=clocks_ms, periods_ms=periods_ms)
    assert len(stage.presences("top")) == 1
    assert stage.most == 1
    (presence,) = stage.presences("top")
    length_ms = presence.stay.seen_at_ms - presence.stay.entered_at_ms
    assert length_ms == pytest.approx(4_200, abs=900)


def test_a_couple_is_two(stage: Stage) -> None:
    ways = {
        "ann": stand(1.25, 1.7, 0.0, 400, 6_400),
        "ben": stand(1.85, 1.7, 0.0, 500, 6_500),
    }
    stage.play(ways, 12_000)
    assert stage.scene.joined == 2
    assert len(stage.presences("top")) == 2
    assert stage.most == 2


def test_two_who_pass_each_other_stay_two(stage: Stage) -> None:
    ways = {"ann": walk(-0.4, 3.4, 1.5, 400), "ben": walk(3.4, -0.4, 2.2, 900)}
    stage.play(ways, 10_000)
    assert len(stage.presences("top")) == 2
    assert stage.most == 2


@pytest.mark.parametrize("dies", list(POSES))
def test_one_camera_dies_and_the_other_goes_on(stage: Stage, dies: str) -> None:
    stage.play(
        {"ann": stand(1.4, 1.7, 0.0, 400, 8_400)},
        14_000,
        alive=lambda name, at_ms: name != dies or at_ms < 4_000,
    )
    assert len(stage.presences("tea")) == 1
    (presence,) = stage.presences("tea")
    assert presence.stay.seen_at_ms - presence.stay.entered_at_ms == pytest.approx(8_000, abs=500)
    assert len(stage.dwells()) == 1
    assert sum(over.look.attention_ms for over in stage.gazes()) == pytest.approx(8_000, abs=1_500)


def test_whom_a_dead_camera_alone_saw_is_over_unseen(stage: Stage) -> None:
    alone = {"ann": stand(-0.1, 1.6, 0.0, 400, 6_400)}
    stage.play(alone, 12_000, alive=lambda name, at_ms: name == "right" or at_ms < 4_000)
    assert [o.stay.seen_at_ms for o in stage.presences("tea")] == [pytest.approx(5_000, abs=250)]
    over = [o.event for o in stage.told if isinstance(o, DwellOutput)]
    assert [e.censored for e in over if isinstance(e, StayOver)] == [True]


def test_what_the_cameras_count_adds_up(stage: Stage) -> None:
    ways: dict[str, Way] = {
        "ann": stand(0.3, 1.6, 0.0, 0, 60_000),
        "ben": stand(1.5, 1.7, 0.0, 0, 60_000),
        "cem": stand(2.7, 1.6, 0.0, 0, 60_000),
    }
    at_ms = 0
    for at_ms in range(0, 6_000, 100):
        name = "left" if at_ms % 200 else "right"
        tracks = stage.tracks(name, ways, at_ms, 0.001)
        stage.scene, _ = scenes.step(stage.scene, tracks, at_ms, stage.around[name])
    counts = [
        count for name in POSES for count in scenes.audience(stage.scene, at_ms, stage.around[name])
    ]
    assert sum(c.people for c in counts if c.target.target_id == "top") == 3
    assert sum(c.watchers for c in counts if c.target.kind == "zone") == 3


def visit(x: float, y: float, since_ms: int, stay_ms: int, speed: float, *, back: bool) -> Way:
    """Walks in from one end, stops before the shelf at `x`, and walks on, or back."""
    begin, end = (-1.2, 4.2) if int(10 * x) % 2 else (4.2, -1.2)
    into = walk(begin, x, y, since_ms, speed)
    there_ms = since_ms + round(1000 * abs(x - begin) / speed)
    out = walk(x, begin if back else end, y, there_ms + stay_ms, speed)
    still = stand(x, y, 0.0, there_ms, there_ms + stay_ms)
    return lambda at_ms: still(at_ms) or into(at_ms) or out(at_ms)


@pytest.mark.parametrize("seed", [3, 4])
def test_many_shoppers_are_counted_right(
    shelf: StoreLayout, draw_shopper: DrawShopper, seed: int
) -> None:
    """A dozen shoppers, two or three of them at a time, who come, stop, go on or back."""
    stage, random = Stage(shelf, draw_shopper, seed), np.random.default_rng(seed)
    ways = {
        f"p{number}": visit(
            float(random.uniform(0.4, 2.6)),
            float(random.uniform(1.2, 2.4)),
            400 + 3_500 * number,
            2_500,
            float(random.uniform(0.8, 1.2)),
            back=bool(random.integers(2)),
        )
        for number in range(12)
    }
    stage.play(ways, 58_000, clocks_ms=(0, 80))
    assert len(stage.presences("top")) == 12
    assert {o.person_id for o in stage.presences("top")} == {o.person_id for o in stage.told}
    assert stage.most <= 4
    assert len(stage.scene.people) == 0
