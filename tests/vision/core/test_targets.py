"""What a camera watches, and what of it it measures."""

import pytest

from streams.contracts.layout import (
    Area,
    Camera,
    CameraPose,
    Line,
    Screen,
    StoreLayout,
    ViewLine,
    Zone,
)
from vision.core.targets import SceneRules, Target, is_measured, lines_of, targets_of

TEA = Zone(zone_id="tea", area_id="main", name="Tea", face=(0.0, 0.5, 1.0, 1.5))

#: A screen across the aisle, 3 m from the shelf, that is seen from the shelf.
ACROSS = Screen(
    screen_id="across",
    area_id="main",
    name="Across",
    # Its viewers stand at the shelf and look along +y: x grows to their right.
    corners=((0.0, 3.0, 2.5), (1.0, 3.0, 2.5), (1.0, 3.0, 1.5), (0.0, 3.0, 1.5)),
)


def at(x: float, y: float, z: float = 1.5) -> CameraPose:
    return CameraPose(position_m=(x, y, z))


@pytest.mark.parametrize(
    ("part", "pose", "measured"),
    [
        (TEA, at(0.5, 0.0), True),
        (TEA, at(4.0, 0.3, 2.6), True),  # on a bracket over the shelf, further along
        (TEA, at(0.5, -0.05), True),
        (TEA, at(0.5, -0.5), False),  # behind the shelf
        (TEA, at(0.5, 2.8), False),  # across the aisle: sees backs
        (TEA, None, False),
        (ACROSS, at(0.5, 3.0), True),
        (ACROSS, at(0.5, 2.6), True),
        (ACROSS, at(0.5, 0.0), False),  # the shelf's own camera sees the backs of its watchers
        (ACROSS, at(0.5, 3.5), False),
        (Screen(screen_id="s", area_id="main", name="S"), at(0.5, 0.0), False),
    ],
)
def test_only_a_camera_in_the_targets_plane_measures_it(
    part: Zone | Screen, pose: CameraPose | None, measured: bool
) -> None:
    assert is_measured(part, pose) is measured


def layout(pose: CameraPose | None) -> StoreLayout:
    return StoreLayout(
        store_id="shop",
        name="A shop",
        areas=(Area(area_id="main"), Area(area_id="back")),
        zones=(TEA,),
        screens=(ACROSS,),
        lines=(
            Line(line_id="door", area_id="main", ends=((0.0, 4.0), (2.0, 4.0)), inward=(1.0, 0.0)),
            Line(line_id="drawn", area_id="main"),
            Line(line_id="rear", area_id="back", ends=((0.0, 0.0), (1.0, 0.0)), inward=(0.0, 1.0)),
        ),
        cameras=(
            Camera(
                camera_id="cam",
                area_id="main",
                pose=pose,
                view_lines=(
                    ViewLine(line_id="drawn", ends=((0.1, 0.5), (0.9, 0.5)), inward=(0.5, 0.9)),
                ),
            ),
        ),
    )


def test_a_target_without_measure_keeps_its_presence() -> None:
    store = layout(at(0.5, 0.0))
    targets: dict[str, Target] = {
        t.target_id: t for t in targets_of(store, store.cameras[0], SceneRules())
    }
    assert (targets["tea"].measured, targets["tea"].face) == (True, TEA.face)
    assert "across" not in targets  # has no floor of its own, so nothing to be told


@pytest.mark.parametrize(
    ("pose", "found"),
    [(at(0.5, 0.0), [("door", False), ("drawn", True)]), (None, [("drawn", True)])],
)
def test_lines_on_the_floor_need_a_pose(
    pose: CameraPose | None, found: list[tuple[str, bool]]
) -> None:
    store = layout(pose)
    lines = lines_of(store, store.cameras[0])
    assert [(line.line_id, line.in_picture) for line in lines] == found
