from pathlib import Path

import pytest
import yaml

from infra.calibrate.clicked import Clicked, ClickedSurface, put_into, solve
from infra.calibrate.layout_file import Data, camera_in, change_layout
from infra.calibrate.merging import merge_zones
from infra.errors import UserError
from infra.layouts import load_layout

LAYOUT = """\
# A shop by the sea.
store_id: demo
name: Shop
areas:
  - area_id: main
zones:
  # The best tea there is.
  - zone_id: tea
    area_id: main
    name: Tea
    category: tea
    face: [0.0, 0.6, 1.0, 1.6]  # measured twice
    floor: [[0.0, 0.5], [1.0, 0.5], [1.0, 2.0], [0.0, 2.0]]
  - zone_id: coffee
    area_id: main
    name: Coffee
    face: [1.0, 0.6, 2.0, 1.6]
    floor: [[1.0, 0.5], [2.0, 0.5], [2.0, 2.0], [1.0, 2.0]]
    skus: [c1]
  - zone_id: milk
    area_id: main
    name: Milk
    face: [4.0, 0.6, 5.0, 1.6]
cameras:
  - camera_id: one
    area_id: main
    views:
      - target_id: tea
        polygon: [[0.0, 0.5], [0.5, 0.5], [0.5, 1.0]]
      - target_id: milk
        polygon: [[0.5, 0.5], [1.0, 0.5], [1.0, 1.0]]
  # Not yet there.
  - camera_id: two
    area_id: main
    fps: 5  # slow
"""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    file = tmp_path / "store.yaml"
    file.write_text(LAYOUT)
    return file


def test_only_what_changes_changes(path: Path) -> None:
    def change(data: Data) -> None:
        camera = camera_in(data, "one")
        camera["calibration_version"] = "cal-1"
        camera["landmarks"] = [[0.1, 0.2], [0.3, 0.4]]

    saved = change_layout(path, change, "now")
    assert saved.comments_kept
    assert saved.backup.read_text() == LAYOUT
    text = path.read_text()
    assert text.startswith(LAYOUT[: LAYOUT.index("  - camera_id: one")])
    assert text.endswith(LAYOUT[LAYOUT.index("  # Not yet there.") :])
    assert "    landmarks: [[0.1, 0.2], [0.3, 0.4]]" in text
    assert load_layout(path).cameras[0].landmarks == ((0.1, 0.2), (0.3, 0.4))


def test_a_new_list_and_a_longer_one(path: Path) -> None:
    def change(data: Data) -> None:
        data["zones"].append(
            {"zone_id": "jam", "area_id": "main", "name": "Jam", "face": [2.0, 0.6, 3.0, 1.6]}
        )
        data["lines"] = [{"line_id": "door", "area_id": "main"}]

    saved = change_layout(path, change, "now")
    assert saved.comments_kept
    assert "# A shop by the sea." in path.read_text()
    assert "# slow" in path.read_text()
    assert [z.zone_id for z in saved.layout.zones] == ["tea", "coffee", "milk", "jam"]


@pytest.mark.parametrize("form", ["flow", "anchors"])
def test_a_file_of_another_form_is_written_whole(path: Path, form: str) -> None:
    data = yaml.safe_load(LAYOUT)
    path.write_text(yaml.safe_dump(data, default_flow_style=True) if form == "flow" else LAYOUT)
    if form == "anchors":
        path.write_text(LAYOUT.replace("    views:", "    views: &drawn") + "    views: *drawn\n")

    def change(layout: Data) -> None:
        camera_in(layout, "one")["calibration_version"] = "cal-1"

    before = load_layout(path)
    saved = change_layout(path, change, "now")
    assert load_layout(path) == saved.layout
    assert saved.layout.cameras[0].calibration_version == "cal-1"
    assert saved.layout.cameras[1] == before.cameras[1]


def test_another_file_leaves_the_first_alone(path: Path, tmp_path: Path) -> None:
    out = tmp_path / "new.yaml"
    saved = change_layout(path, lambda data: data.update(name="New"), "now", out)
    assert path.read_text() == LAYOUT
    assert (saved.backup, load_layout(out).name) == (path, "New")
    assert list(tmp_path.glob("*.bak")) == []


def test_what_is_not_valid_is_not_written(path: Path, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="would not be valid"):
        change_layout(path, lambda data: data.update(currency="euro"), "now")
    with pytest.raises(UserError, match="no camera 'three'; name one of: one, two"):
        change_layout(path, lambda data: camera_in(data, "three").clear(), "now")
    assert path.read_text() == LAYOUT
    assert sorted(p.name for p in tmp_path.iterdir()) == ["store.yaml"]


def test_zones_are_joined(path: Path) -> None:
    told: list[tuple[list[str], list[str]]] = []
    saved = change_layout(
        path, lambda data: told.append(merge_zones(data, [("tea", "coffee")])), "now"
    )
    assert told == [(["tea+coffee"], [])]
    joined, milk = saved.layout.zones
    assert (joined.name, joined.category, joined.skus) == ("Tea and Coffee", None, ("c1",))
    assert joined.face == (0.0, 0.6, 2.0, 1.6)
    assert joined.floor is not None
    assert set(joined.floor) == {(0.0, 0.5), (2.0, 0.5), (2.0, 2.0), (0.0, 2.0)}
    assert milk.zone_id == "milk"
    assert {v.target_id for v in saved.layout.cameras[0].views} == {"tea+coffee", "milk"}


def test_zones_with_another_between_them_are_not_joined() -> None:
    data = yaml.safe_load(LAYOUT)
    made, refused = merge_zones(data, [("tea", "milk")])
    assert made == []
    assert "divide that shelf anew" in refused[0]
    assert data == yaml.safe_load(LAYOUT)


def test_a_calibration_is_put_into_a_layout(path: Path) -> None:
    points = ((0.3, 0.3), (0.7, 0.3), (0.7, 0.6), (0.3, 0.6))
    surface = ClickedSurface(
        surface="opposite", across_m=(0.0, 2.0), other_m=(0.5, 1.343), away_m=3.0, points=points
    )
    solved = solve(Clicked(surfaces=(surface,), y_m=0.0), 0.5625, None)

    def change(data: Data) -> None:
        camera_in(data, "one")["certificate"] = None
        assert put_into(data, "one", solved, ((0.5, 0.5),), "2026-11-22").startswith("cal-2026")

    camera = change_layout(path, change, "now").layout.cameras[0]
    assert camera.pose is not None
    assert camera.pose.position_m[:2] == pytest.approx((1.0, 0.0), abs=0.02)
    assert camera.landmarks == ((0.5, 0.5),)
    assert camera.certificate is None
