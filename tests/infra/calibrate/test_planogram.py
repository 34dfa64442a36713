from pathlib import Path

import pytest
import yaml

from infra.calibrate.planogram import merge_planogram, parse_planogram, read_planogram
from infra.errors import UserError

HEAD = "zone_id,name,category,x0_m,z0_m,x1_m,z1_m,skus"
TEA = "tea,Tea,tea,0,0.6,1.1,1.65,4001|4002"


def rows(*lines: str) -> str:
    return "\n".join((HEAD, *lines)) + "\n"


def test_a_planogram_is_read(tmp_path: Path) -> None:
    file = tmp_path / "plan.csv"
    file.write_bytes(b"\xef\xbb\xbf" + rows(TEA, "", 'jam,"Jam, red",,1.1,0.6,2,1.65,').encode())
    tea, jam = read_planogram(file)
    assert (tea.zone_id, tea.face, tea.skus) == ("tea", (0.0, 0.6, 1.1, 1.65), ("4001", "4002"))
    assert (jam.name, jam.category, jam.skus) == ("Jam, red", None, ())


def test_semicolons_part_columns_too() -> None:
    assert parse_planogram(rows(TEA).replace(",", ";"))[0].name == "Tea"


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (rows(TEA.replace("1.1", "wide")), "line 2, column x1_m: 'wide' is no length"),
        (rows(TEA.replace("1.1", "nan")), "line 2, column x1_m: 'nan' is no length"),
        (rows(TEA.replace("1.1", "-1")), "line 2, column x1_m: -1 must be greater than 0"),
        (rows(TEA.replace("1.65", "0.6")), "line 2, column z1_m: 0.6 must be greater"),
        (rows(TEA.replace("1.65", "99")), "line 2, column z1_m: '99' is no length up to 10 m"),
        (rows(TEA.replace("tea,Tea", "t e a,Tea")), "line 2, column zone_id: 't e a' is no id"),
        (rows(TEA.replace("tea,Tea", "tea,")), "line 2, column name"),
        (rows(TEA, TEA), "line 3, column zone_id: 'tea' is in line 2 already"),
        (rows(TEA, TEA.replace("tea,Tea", "jam,Jam")), "line 3, column x0_m: 'jam' overlaps 'tea'"),
        (rows(TEA + ",more"), "line 2: 9 cells for 8 columns"),
        (rows(), "holds no zone"),
        ("", "holds no zone"),
        ("zone_id,name\ntea,Tea\n", "the column category is missing"),
        (rows(TEA).replace("skus", "price"), "the column 'price' is not known"),
        (rows(TEA).replace("skus", "name"), "the column 'name' is there twice"),
        (rows('tea,"Tea'), "no row of a table"),
        (rows(TEA.replace("4001|4002", " ".join(["1"] * 1001))), "column skus"),
    ],
)
def test_a_mistake_is_told_with_its_place(text: str, says: str) -> None:
    with pytest.raises(UserError) as refused:
        parse_planogram(text)
    assert says in str(refused.value)
    assert ";" in str(refused.value)


def test_a_file_that_is_none(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="cannot be read"):
        read_planogram(tmp_path / "none.csv")
    (tmp_path / "binary.csv").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(UserError, match="no text in UTF-8"):
        read_planogram(tmp_path / "binary.csv")


def test_zones_keep_their_rules() -> None:
    data = yaml.safe_load(
        "{areas: [{area_id: main}], zones: [{zone_id: tea, area_id: main, name: Old,"
        " min_dwell_ms: 900, face: [0, 0, 1, 1]}]}"
    )
    assert merge_planogram(data, parse_planogram(rows(TEA, "jam,Jam,,1.1,0.6,2,1.65,"))) == (1, 1)
    tea, jam = data["zones"]
    assert (tea["min_dwell_ms"], tea["name"], tea["face"]) == (900, "Tea", [0.0, 0.6, 1.1, 1.65])
    assert tea["skus"] == ["4001", "4002"]
    assert jam == {
        "zone_id": "jam", "area_id": "main", "name": "Jam", "face": [1.1, 0.6, 2.0, 1.65],
    }  # fmt: skip


def test_areas_must_be_known() -> None:
    data = yaml.safe_load("{areas: [{area_id: a}, {area_id: b}]}")
    with pytest.raises(UserError, match="needs a column area_id"):
        merge_planogram(data, parse_planogram(rows(TEA)))
    text = rows(TEA.replace("4001|4002", "c")).replace("skus", "area_id")
    with pytest.raises(UserError, match="no area 'c'"):
        merge_planogram(data, parse_planogram(text))
