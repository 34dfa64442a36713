"""Mistakes as the program itself tells them, and those that it passes on of what it starts."""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest

from infra.cli import main
from infra.stack.errors import PartRefusedError
from infra.stack.part import Part
from infra.stack.process import Command
from infra.stack.state import StateFolder
from infra.stack.supervisor import Supervisor
from signage.catalogue import load_catalogue
from signage.errors import CatalogueError

ROOT = Path(__file__).parents[3]
AWAY = "127.0.0.1:1"

Sentence = Callable[[str], str]


def program(*words: str, **env: str) -> subprocess.CompletedProcess[str]:
    """The command line as a user starts it."""
    return subprocess.run(
        [sys.executable, "-m", "infra", *words],
        cwd=ROOT,
        env={**os.environ, **env},
        text=True,
        capture_output=True,
        timeout=60,
    )


def test_a_cut_video_as_a_program(tmp_path: Path, one_sentence: Sentence) -> None:
    whole, cut = tmp_path / "whole.mp4", tmp_path / "cut.mp4"
    writer = cv2.VideoWriter(str(whole), cv2.VideoWriter.fourcc(*"mp4v"), 10, (64, 48))
    for shade in range(30):
        writer.write(np.full((48, 64, 3), shade, np.uint8))
    writer.release()
    cut.write_bytes(whole.read_bytes()[: whole.stat().st_size // 2])
    done = program("run", "--camera", str(cut), "--layout", "examples/aisle.yaml")
    assert done.returncode == 2
    assert done.stdout == ""
    assert "was cut off; name a whole one" in one_sentence(done.stderr)


def test_no_broker_as_a_program(one_sentence: Sentence) -> None:
    done = program("topics", "create", SMARTSTORE_KAFKA=AWAY)
    assert (done.returncode, done.stdout) == (2, "")
    assert f"broker at {AWAY} did not answer" in one_sentence(done.stderr)


def test_the_doctor_says_what_is_missing_again(one_sentence: Sentence) -> None:
    done = program("doctor", SMARTSTORE_KAFKA=AWAY)
    assert done.returncode == 2
    assert f"MISSING Kafka: the broker at {AWAY}" in done.stdout
    assert "Kafka" in one_sentence(done.stderr)


def test_what_is_printed_onto_a_full_disk(one_sentence: Sentence) -> None:
    with open("/dev/full", "w") as full:
        done = subprocess.run(
            [sys.executable, "-m", "infra", "topics", "schema"],
            cwd=ROOT,
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            timeout=60,
        )
    assert done.returncode == 2
    assert "There is no room for" in one_sentence(done.stderr)


def test_a_command_group_alone_shows_what_there_is(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["smartstore", "topics"])
    with pytest.raises(SystemExit) as ended:
        main()
    told = capfd.readouterr()
    assert ended.value.code == 2
    assert "create" in told.out
    assert told.err == ""


@pytest.mark.parametrize(("code", "passed_on"), [(2, True), (1, False)])
async def test_a_part_that_ends_over_a_mistake_is_quoted(
    tmp_path: Path, code: int, passed_on: bool
) -> None:
    said = "The port is taken; name another."
    script = f"import sys; sys.stderr.write('log\\nsmartstore: {said}\\n'); sys.exit({code})"
    part = Part("p", Command([sys.executable, "-c", script]), ready=tmp_path / "never")
    with StateFolder(tmp_path / "state") as state:
        async with Supervisor(state) as supervisor:
            with pytest.raises(Exception, match="The port is taken") as failed:
                await supervisor.start(part)
    assert isinstance(failed.value, PartRefusedError) == passed_on
    assert (str(failed.value) == said) == passed_on


@pytest.mark.parametrize(
    ("file", "content", "says"),
    [
        ("creative.yaml", "creative_id: tea\ncolour: red\n", "not a description"),
        ("creative.yaml", None, "has no creative.yaml"),
        ("index.html", None, "the page is missing"),
    ],
)
def test_a_broken_creative(tmp_path: Path, file: str, content: str | None, says: str) -> None:
    home = tmp_path / "tea"
    home.mkdir()
    for name in ("creative.yaml", "index.html"):
        own = ROOT / "signage" / "creatives" / "tea" / name
        (home / name).write_bytes(own.read_bytes())
    (home / file).unlink()
    if content is not None:
        (home / file).write_text(content)
    with pytest.raises(CatalogueError, match=says) as refused:
        load_catalogue(tmp_path)
    assert str(home) in str(refused.value)
    assert "\n" not in str(refused.value)
