"""When rows are told: at each interval, or seldom by who is far behind."""

from streams.measure.turns import Turns


def told(*looks: tuple[float, bool]) -> list[float]:
    turns = Turns(behind_after_s=1.0, behind_each_s=1.0)
    return [now_s for now_s, caught_up in looks if turns.due(now_s, caught_up=caught_up)]


def test_who_is_at_the_end_tells_at_each_interval() -> None:
    assert told(*((n / 50, True) for n in range(10))) == [n / 50 for n in range(10)]


def test_who_was_at_the_end_a_moment_ago_tells_at_each_interval() -> None:
    assert len(told((0.0, True), *((n / 50, False) for n in range(1, 50)))) == 50


def test_who_is_behind_tells_once_a_second() -> None:
    assert told((0.0, True), *((1 + n / 4, False) for n in range(9))) == [0.0, 1.0, 2.0, 3.0]


def test_until_it_was_at_the_end_a_worker_is_behind() -> None:
    assert told(*((n / 4, False) for n in range(9))) == [0.0, 1.0, 2.0]


def test_an_interval_that_is_longer_is_kept() -> None:
    assert told(*((5.0 * n, False) for n in range(4))) == [0.0, 5.0, 10.0, 15.0]
