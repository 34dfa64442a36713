"""The log of a long-running process, as lines for people and as JSON."""

import json
import logging
import subprocess
import sys
from collections.abc import Mapping
from typing import Any

import pytest

from infra.commands.logs import JsonLines, Repeats

#: A process that logs as ours do, in the format that its environment names.
_PROGRAM = """
import logging
from infra.commands.runtime import run_until_signal

async def main(stop):
    log = logging.getLogger("streams.test")
    log.warning("one\\nline", extra={"topic": "vision.gaze.v1", "partition": 3, "offset": 41})
    log.info("not told")
    try:
        1 / 0
    except ZeroDivisionError:
        log.exception("it broke")

run_until_signal(main)
"""


def said(**environment: str) -> list[str]:
    done = subprocess.run(
        [sys.executable, "-c", _PROGRAM],
        env={"PYTHONPATH": ":".join(sys.path), **environment},
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    return done.stderr.splitlines()


def test_lines_are_objects_where_json_is_asked_for() -> None:
    first, second = (json.loads(line) for line in said(SMARTSTORE_LOG_FORMAT="json"))
    assert first.pop("time").endswith("+00:00")
    assert first == {
        "level": "WARNING",
        "logger": "streams.test",
        "message": "one\nline",
        "topic": "vision.gaze.v1",
        "partition": 3,
        "offset": 41,
    }
    assert (second["level"], second["message"]) == ("ERROR", "it broke")
    assert "ZeroDivisionError" in second["exception"]


def test_lines_are_for_people_by_default() -> None:
    assert said()[0].endswith("WARNING streams.test: one")


@pytest.mark.parametrize(
    ("extra", "told"),
    [({}, set()), ({"topic": "t"}, {"topic"}), ({"track_id": "x", "password": "y"}, set())],
)
def test_nothing_is_told_but_the_place_of_a_record(
    extra: Mapping[str, Any], told: set[str]
) -> None:
    record = logging.makeLogRecord({"msg": "m", "levelname": "INFO", "name": "n", **extra})
    line = json.loads(JsonLines().format(record))
    assert set(line) == {"time", "level", "logger", "message"} | told


def test_the_same_is_said_again_only_after_a_while() -> None:
    repeats = Repeats(repeat_after_s=60)
    record = logging.makeLogRecord({"msg": "away", "name": "n"})
    heard = []
    for at_s in (0.0, 30.0, 61.0):
        record.created = at_s
        heard.append(repeats.filter(record))
    assert heard == [True, False, True]
