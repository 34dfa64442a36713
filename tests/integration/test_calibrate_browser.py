"""The calibration's page in a real Chromium, on a phone and a laptop: marks on the floor of the
rendered store are dragged to, and the layout gets the camera that is there.
"""

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import msgspec
import pytest
import yaml
from playwright.sync_api import Page, sync_playwright

from infra.layouts import load_layout
from streams.contracts.layout import CameraPose
from vision.core.geometry import camera_model
from vision.core.surfaces import Rectangle

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
EXAMPLE = Path(__file__).parents[2] / "examples" / "store.yaml"

pytestmark = [
    pytest.mark.browser,
    pytest.mark.timeout(150),
    pytest.mark.skipif(CHROMIUM is None, reason="DID NOT RUN: Chromium is missing"),
]

TRUE = CameraPose(position_m=(1.5, 0.0, 2.2), yaw_deg=3.0, pitch_deg=-18.0, horizontal_fov_deg=90.0)
FLOOR = Rectangle("floor", (0.5, 2.5), (2.3, 3.0))


@dataclass
class Command:
    """The running command, its page and the layout that it changes."""

    url: str
    layout: Path


@pytest.fixture
def command(tmp_path: Path) -> Iterator[Command]:
    layout, real = tmp_path / "store.yaml", tmp_path / "real.yaml"
    layout.write_text(EXAMPLE.read_text())
    data = yaml.safe_load(EXAMPLE.read_text())
    data["cameras"][0]["pose"] = msgspec.to_builtins(TRUE)
    real.write_text(yaml.safe_dump(msgspec.json.decode(msgspec.json.encode(data))))
    arguments = ["calibrate", "--layout", layout, "--source", "simulate", "--store", real]
    process = subprocess.Popen(
        [sys.executable, "-m", "infra", *map(str, arguments)],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env={"PATH": os.environ["PATH"], "HOME": str(tmp_path), "PYTHONUNBUFFERED": "1"},
    )
    assert process.stdout is not None
    try:
        said = process.stdout.readline()
        assert said.startswith("open  http://127.0.0.1:"), said + process.stdout.read()
        yield Command(said.split()[-1], layout)
    finally:
        process.terminate()
        assert process.wait(20) == 0
        process.stdout.close()


def drag(page: Page) -> None:
    """Puts the four handles where the picture shows the marks."""
    camera = camera_model(TRUE, 1280, 720)
    stage = page.locator("#stage").bounding_box()
    assert stage is not None
    for index, corner in enumerate(FLOOR.corners()):
        point = camera.project(corner)
        box = page.locator(".handle").nth(index).bounding_box()
        assert point is not None
        assert box is not None
        page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
        page.mouse.down()
        page.mouse.move(
            stage["x"] + point[0] * stage["width"],
            stage["y"] + point[1] * stage["height"],
            steps=3,
        )
        assert page.locator("#loupe").is_visible()
        page.mouse.up()


def test_marks_are_dragged_and_the_camera_is_saved(command: Command) -> None:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=CHROMIUM, args=["--no-sandbox", "--disable-gpu"]
        )
        for width, scheme in ((390, "light"), (1280, "dark")):
            page = browser.new_context(
                viewport={"width": width, "height": 800},
                color_scheme="dark" if scheme == "dark" else "light",
            ).new_page()
            faults: list[str] = []
            page.on("pageerror", lambda error, told=faults: told.append(str(error)))
            page.goto(command.url)
            page.get_by_role("button", name="Marks on the floor").click()
            page.locator("input[name=low]").fill("2.3")
            drag(page)
            page.locator("#says[data-fits=yes]").wait_for()
            handle = page.locator(".handle").nth(0)
            before = handle.get_attribute("style")
            handle.press("ArrowRight")
            assert handle.get_attribute("style") != before
            handle.press("ArrowLeft")
            save = page.get_by_role("button", name="Save into the layout")
            save.click()  # waits until it is enabled
            page.locator("#saved:not([hidden])").wait_for()
            assert not page.evaluate("document.documentElement.scrollWidth > innerWidth")
            assert faults == []
            camera = load_layout(command.layout).cameras[0]
            assert page.get_by_test_id("version").inner_text() == camera.calibration_version
            assert camera.pose is not None
            # A phone's picture is 360 px wide: half a pixel there is 0.14 % of it.
            assert camera.pose.position_m == pytest.approx(TRUE.position_m, abs=0.15)
            assert camera.pose.yaw_deg == pytest.approx(TRUE.yaw_deg, abs=2.5)
            assert camera.pose.pitch_deg == pytest.approx(TRUE.pitch_deg, abs=2.5)
            assert len(camera.landmarks) > 50
        browser.close()
