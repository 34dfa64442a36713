"""What a layout refuses, by its struct alone."""

from typing import Any

import msgspec
import pytest

from streams.contracts.layout import StoreLayout


def layout(**changes: Any) -> dict[str, Any]:
    data: dict[str, Any] = {
        "store_id": "s",
        "name": "S",
        "areas": [{"area_id": "a"}],
        "zones": [
            {"zone_id": "z1", "area_id": "a", "name": "1", "face": [0, 0, 1, 1]},
            {"zone_id": "z2", "area_id": "a", "name": "2", "face": [1, 0, 2, 1]},
        ],
        "cameras": [{"camera_id": "c", "area_id": "a"}],
    }
    return data | changes


def zone(**changes: Any) -> dict[str, Any]:
    return {"zone_id": "z3", "area_id": "a", "name": "3"} | changes


def test_zones_that_touch_are_fine() -> None:
    assert len(msgspec.convert(layout(), StoreLayout).zones) == 2


def test_a_field_of_a_newer_producer_is_ignored() -> None:
    newer = layout(zones=[zone(colour="red")], weather="fine")
    assert msgspec.convert(newer, StoreLayout) == msgspec.convert(
        layout(zones=[zone()]), StoreLayout
    )


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        (
            {"zones": [zone(face=[0, 0, 1, 1]), zone(zone_id="z4", face=[0.5, 0.5, 2, 2])]},
            "overlap",
        ),
        ({"zones": [zone(), zone()]}, "'z3' is used more than once"),
        ({"zones": [zone(area_id="b")]}, "area 'b' is used but not listed"),
        ({"zones": [zone(face=[1, 0, 0, 1])]}, "x0 < x1"),
        ({"zones": [zone(floor=[[0, 0], [1, 1]])]}, "length >= 3"),
        (
            {
                "cameras": [
                    {
                        "camera_id": "c",
                        "area_id": "a",
                        "views": [{"target_id": "nowhere", "polygon": [[0, 0], [1, 0], [1, 1]]}],
                    }
                ]
            },
            "'nowhere'",
        ),
        ({"areas": []}, "length >= 1"),
    ],
)
def test_a_wrong_layout_is_refused(changes: dict[str, Any], sentence: str) -> None:
    with pytest.raises(msgspec.ValidationError, match=sentence):
        msgspec.convert(layout(**changes), StoreLayout)


def test_an_area_keeps_its_own_parts() -> None:
    data = layout(
        areas=[{"area_id": "a"}, {"area_id": "b"}], zones=[zone(), zone(zone_id="x", area_id="b")]
    )
    part = msgspec.convert(data, StoreLayout).area("b")
    assert [z.zone_id for z in part.zones] == ["x"]
    assert part.cameras == ()
