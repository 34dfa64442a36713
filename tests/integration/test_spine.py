"""The whole chain, as a user starts it: the command, its report, and nothing left behind."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import psutil
import pytest

pytestmark = [pytest.mark.stack, pytest.mark.timeout(420)]

ROOT = Path(__file__).parents[2]
AISLE = ROOT / "examples" / "aisle.yaml"

#: When the six people of the clip stay, in seconds: begin and end, read off the clip by eye.
STAYS = [(6, 19), (23, 45), (51, 69), (75, 87), (92, 119.6), (124, 136)]
CLIP = "one-by-one-person-detection.mp4"


def smartstore(state: Path, *arguments: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "infra", *map(str, arguments)],
        env={**os.environ, "SMARTSTORE_STATE": str(state)},
        cwd=ROOT,
        text=True,
        capture_output=True,
        timeout=400,
    )


def left_running(state: Path) -> list[str]:
    """Processes whose command line or environment names this state folder."""
    found = []
    for process in psutil.process_iter():
        try:
            words = process.cmdline()
            environment = process.environ().get("SMARTSTORE_STATE", "")
        except psutil.Error:
            continue
        if process.pid != os.getpid() and str(state) in " ".join([*words, environment]):
            found.append(" ".join(words))
    return found


def check_sound(report: dict[str, Any]) -> None:
    events, rows = report["events"], report["database"]
    assert report["errors"] == []
    assert report["dead_letters"] == 0
    assert report["restarts"] == 0
    for name in ("gaze", "dwell", "baskets", "attention"):
        assert rows[name] == events[name], name
    assert rows["decisions"] == report["decisions"]
    assert rows["plays"] == report["plays_acknowledged"] == report["plays"]


def test_the_demo_runs_counts_and_leaves_nothing(tmp_path: Path) -> None:
    state, report_file = tmp_path / "state", tmp_path / "demo.json"
    done = smartstore(
        state, "demo", "--seconds", "25", "--headless", "--adaptive-share", "1",
        "--report", report_file,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    report = json.loads(report_file.read_text())
    check_sound(report)
    assert report["simulated"] is True
    assert "simulated" in done.stdout
    assert report["cameras"][0]["frames_inferred"] > 30
    for name in ("gaze", "dwell", "audience", "attention", "baskets"):
        assert report["events"][name] > 0, name
    assert report["decisions"] > 0
    assert report["content_changes"] > 0
    assert report["plays"] > 0
    render = report["latency_ms"]["capture_to_render"]
    assert render["n"] > 0
    assert report["latency_ms"]["capture_to_infer"]["p50"] < render["p50"]
    assert left_running(state) == []


def test_an_interrupt_ends_a_run_in_good_order(tmp_path: Path) -> None:
    state, report_file, said = tmp_path / "state", tmp_path / "demo.json", tmp_path / "said"
    with said.open("w") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", "infra", "demo", "--headless", "--report", str(report_file)],
            env={**os.environ, "SMARTSTORE_STATE": str(state)},
            cwd=ROOT,
            stdout=output,
            stderr=output,
        )
    try:
        deadline = time.monotonic() + 180
        # The line that tells where to look: from here on it is a run, before it a start.
        while "live page" not in said.read_text():
            assert process.poll() is None, said.read_text()
            assert time.monotonic() < deadline
            time.sleep(0.2)
        process.send_signal(signal.SIGINT)
        process.wait(timeout=120)
    finally:
        process.kill()
        process.wait()
    assert process.returncode == 0, said.read_text()
    check_sound(json.loads(report_file.read_text()))
    assert left_running(state) == []


@pytest.mark.skipif(
    not {"SMARTSTORE_TEST_VIDEO", "SMARTSTORE_MODELS"} <= set(os.environ),
    reason="DID NOT RUN: set SMARTSTORE_TEST_VIDEO (folder of clips) and SMARTSTORE_MODELS",
)
def test_six_people_stay_in_the_aisle(tmp_path: Path) -> None:
    report_file = tmp_path / "run.json"
    clip = Path(os.environ["SMARTSTORE_TEST_VIDEO"]) / CLIP
    done = smartstore(
        tmp_path / "state", "run", "--camera", clip, "--layout", AISLE, "--headless",
        "--report", report_file,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    report = json.loads(report_file.read_text())
    check_sound(report)
    assert report["detector"]["name"].startswith(("yolo11n-pose", "yolov8n-pose"))
    stays = report["stays"]
    assert 5 <= len(stays) == report["events"]["dwell"] <= 7
    for begin, end in STAYS:
        near = [
            s for s in stays if abs(s["begin_s"] - begin) <= 1.5 and abs(s["end_s"] - end) <= 1.5
        ]
        assert near, (begin, end, stays)
