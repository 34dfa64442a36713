"""The page of guarantees names tests and figures that exist."""

import re
from pathlib import Path

from infra.commands import bench

ROOT = Path(__file__).parents[1]
PAGE = (ROOT / "docs" / "guarantees.md").read_text()


def written() -> set[str]:
    """The names of all test functions."""
    return {
        name
        for file in (ROOT / "tests").rglob("test_*.py")
        for name in re.findall(r"^(?:async )?def (test_\w+)\(", file.read_text(), re.MULTILINE)
    }


def test_every_test_that_is_named_exists() -> None:
    named = set(re.findall(r"`(test_\w+)`", PAGE))
    assert len(named) > 50
    assert named - written() == set()


def test_every_promise_names_what_shows_it() -> None:
    rows = [line for line in PAGE.splitlines() if line.startswith("| ")]
    promises = [row for row in rows if not row.startswith(("| promise |", "| killed |"))]
    assert len(promises) > 30
    for row in promises:
        assert re.search(r"`test_\w+`|`smartstore bench \w+`", row.split("|")[-2]), row


def test_every_bench_that_is_named_exists() -> None:
    named = set(re.findall(r"`smartstore bench (\w+)`", PAGE))
    known = {each.name or each.callback.__name__ for each in bench.app.registered_commands}
    assert named
    assert named <= known


def test_every_figure_that_is_named_is_told() -> None:
    told = set(re.findall(r"`(smartstore_\w+)`", (ROOT / "docs" / "architecture.md").read_text()))
    assert set(re.findall(r"`(smartstore_\w+)`", PAGE)) <= told
