"""The scene that the cameras of an area share."""

import msgspec
import numpy as np

from streams.contracts.layout import Camera, StoreLayout
from vision.area import AreaScene
from vision.core import scene as scenes
from vision.core.person import Track
from vision.core.scene import DwellOutput, PresenceOutput
from vision.core.targets import SceneRules

NOTHING = np.zeros((17, 3), dtype=np.float32)


def test_a_camera_that_is_lost_ends_its_own_and_no_more(aisle: StoreLayout) -> None:
    other = Camera(camera_id="other", area_id="main", views=aisle.cameras[0].views)
    layout = msgspec.structs.replace(aisle, cameras=(*aisle.cameras, other))
    around = {c: scenes.surroundings(layout, c, None, SceneRules()) for c in ("cam", "other")}
    area = AreaScene()
    for at_ms in range(0, 2_000, 200):
        for camera_id, view in around.items():
            area.step([Track(camera_id, (0.1, 0.2, 0.3, 0.9), NOTHING, 0.9, 0)], at_ms, view)
    told = area.lose(around["cam"])
    assert {o.person_id for o in told} == {"cam"}
    assert [type(o) for o in told] == [DwellOutput, PresenceOutput]
    assert list(area.scene.people) == ["other"]
    assert area.step([], 2_000, around["cam"]) == []  # it may come back
    assert list(area.scene.cameras) == ["other", "cam"]
