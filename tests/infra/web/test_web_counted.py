"""What is counted across a broker's death."""

from infra.web.counted import Counted


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
