"""What is counted across a broker's death."""

import pytest

from infra.web.counted import Counted, compare


def test_what_does_not_come_again_was_forgotten() -> None:
    counted = Counted()
    for name in ("a", "b", "c"):
        counted.add("plays", name)
    counted.begin_again()
    for name in ("a", "b", "d"):
        counted.add("plays", name)
    assert counted.counts()["plays"] == 4
    assert counted.forgotten()["plays"] == 1
    counted.begin_again()
    for name in ("a", "b", "d", "c"):
        counted.add("plays", name)
    assert (counted.counts()["plays"], counted.forgotten()["plays"]) == (4, 0)


def test_repeats_count_once() -> None:
    counted = Counted()
    counted.add("gaze", "a")
    counted.add("gaze", "a")
    assert counted.counts()["gaze"] == 1
    assert counted.knows("gaze", "a")
    assert not counted.knows("dwell", "a")


@pytest.mark.parametrize(
    ("log", "database", "unread", "unlogged", "state"),
    [
        (5, 5, 0, 0, "equal"),
        (5, 4, 0, 0, "behind"),
        (5, 4, 1, 0, "forgotten"),
        (5, 3, 1, 9, "behind"),
        (4, 5, 9, 0, "behind"),
        (4, 5, 0, 1, "forgotten"),
        (None, 5, 9, 9, "behind"),
        (5, None, 9, 9, "behind"),
    ],
)
def test_a_difference_is_forgiven_only_for_what_the_broker_forgot(
    log: int | None, database: int | None, unread: int, unlogged: int, state: str
) -> None:
    assert compare("plays", log, database, unread=unread, unlogged=unlogged).state == state
