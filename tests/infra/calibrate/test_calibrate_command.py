import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from infra.commands.tree import app
from infra.errors import UserError
from infra.layouts import load_layout
from vision.core.geometry import camera_model
from vision.core.surfaces import Rectangle
from vision.errors import CalibrationRefused

EXAMPLE = Path(__file__).parents[3] / "examples" / "store.yaml"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    file = tmp_path / "store.yaml"
    file.write_text(EXAMPLE.read_text())
    return file


def run(*arguments: object) -> str:
    result = CliRunner().invoke(app, [str(a) for a in arguments], catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result.output


def test_points_from_a_file(path: Path, tmp_path: Path) -> None:
    pose = load_layout(path).cameras[0].pose
    assert pose is not None
    camera = camera_model(pose, 1280, 720)
    wall = Rectangle("opposite", (0.0, 3.0), (0.1, 2.0), away_m=4.4)
    points = tmp_path / "points.json"
    given = {
        "surfaces": [
            {"surface": "opposite", "across_m": [0, 3], "other_m": [0.1, 2.0], "away_m": 4.4,
             "points": [camera.project(c) for c in wall.corners()]}
        ],
        "y_m": 0.0, "z_m": 1.55, "horizontal_fov_deg": 80, "picture_px": [1280, 720],
    }  # fmt: skip
    points.write_text(json.dumps(given))
    assert "corners met" in run("calibrate", "--layout", path, "--points", points)
    found = load_layout(path).cameras[0]
    assert found.pose is not None
    assert found.pose.position_m == pytest.approx(pose.position_m, abs=0.02)
    assert found.pose.horizontal_fov_deg == pytest.approx(75.0, abs=0.3)
    assert found.calibration_version.startswith("cal-")

    given["surfaces"][0]["points"].reverse()  # type: ignore[index]
    points.write_text(json.dumps(given))
    with pytest.raises(CalibrationRefused, match="wrong way round"):
        run("calibrate", "--layout", path, "--points", points)
    points.write_text("{}")
    with pytest.raises(CalibrationRefused, match="cannot be read"):
        run("calibrate", "--layout", path, "--points", points)


def test_a_planogram_becomes_zones(path: Path, tmp_path: Path) -> None:
    table = tmp_path / "plan.csv"
    table.write_text(
        "zone_id,name,category,x0_m,z0_m,x1_m,z1_m\ntea,Green tea,tea,0,0.6,1.1,1.6\n"
        "jam,Jam,jam,3.0,0.6,3.8,1.6\n"
    )
    said = run("calibrate", "planogram", table, "--layout", path)
    assert "1 zones changed, 1 new" in said
    assert "jam" in said
    assert load_layout(path).zones[0].name == "Green tea"


def test_a_notice_is_written(path: Path, tmp_path: Path) -> None:
    out = tmp_path / "notice.html"
    run("notice", "--layout", path, "--language", "de", "--contact", "Weber", "--out", out)
    assert "Weber" in out.read_text()
    with pytest.raises(UserError, match="begin it with https"):
        run("notice", "--layout", path, "--url", "javascript:alert(1)", "--out", out)
    with pytest.raises(UserError, match="en or de"):
        run("notice", "--layout", path, "--language", "fr", "--out", out)


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("--camera", "x"), "no camera 'x'"),
        (("--simulate", "--source", "usb:0"), "one of the two"),
        ((), "no source of the camera"),
    ],
)
def test_what_is_not_said_is_asked_for(path: Path, arguments: tuple[str, ...], says: str) -> None:
    with pytest.raises(UserError, match=says):
        run("calibrate", "--layout", path, *arguments)


def test_a_layout_is_needed() -> None:
    with pytest.raises(UserError, match="no layout was named"):
        run("calibrate")
