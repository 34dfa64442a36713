"""docs/guarantees.md names the test that shows each promise: they are all there."""

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "guarantees.md").read_text()
_TEST = re.compile(r"^\s*(?:async )?def (test_\w+)\(", re.MULTILINE)


def promises() -> list[tuple[str, str]]:
    """Each row of the tables that end in a column of tests: the promise, and that column."""
    rows = [[cell.strip() for cell in line.split("|")[1:-1]] for line in PAGE.splitlines()]
    return [(row[0], row[2]) for row in rows if len(row) == 3 and not set(row[0]) <= set("- ")]


def test_every_test_that_the_page_names_is_there() -> None:
    files = (path.read_text() for path in (ROOT / "tests").rglob("test_*.py"))
    known = {name for text in files for name in _TEST.findall(text)}
    named = set(re.findall(r"`(test_\w+)`", PAGE))
    assert len(named) > 50
    assert sorted(named - known) == []


def test_every_promise_has_a_test() -> None:
    found = [row for row in promises() if row[1] != "shown by"]
    assert len(found) > 25
    assert [promise for promise, shown in found if not re.search(r"`test_\w+`", shown)] == []


def test_every_bench_that_the_page_names_is_there() -> None:
    commands = "\n".join(path.read_text() for path in (ROOT / "infra" / "commands").glob("*.py"))
    for name in re.findall(r"`smartstore bench (\w+)", PAGE):
        assert f"def {name}(" in commands
