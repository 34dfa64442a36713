"""When a camera tells of its audience."""

from streams.contracts.layout import StoreLayout
from vision.core.scene import TargetCount
from vision.core.targets import targets_of
from vision.heartbeat import Heartbeat
from vision.settings import GatewaySettings


def test_without_news_it_beats_once_a_second() -> None:
    beat = Heartbeat(5.0)
    told = [at for at in range(0, 3_001, 100) if beat.is_due(at, 0, (), over=False, nudged=False)]
    assert told == [0, 1_000, 2_000, 3_000]


def test_news_is_told_at_once_but_not_too_often() -> None:
    beat = Heartbeat(5.0)
    people = [0, 0, 1, 2, 3, 3, 3, 3, 3]
    told = [
        100 * number
        for number, count in enumerate(people)
        if beat.is_due(100 * number, count, (), over=False, nudged=False)
    ]
    assert told == [0, 200, 400]


def test_what_is_news(aisle: StoreLayout) -> None:
    [target, *_] = targets_of(aisle, aisle.cameras[0], GatewaySettings().scene_rules())

    def news(count: TargetCount, *, over: bool = False, nudged: bool = False) -> bool:
        beat = Heartbeat(5.0)
        assert beat.is_due(0, 1, [TargetCount(target, 1, 1, 300)], over=False, nudged=False)
        return beat.is_due(500, 1, [count], over=over, nudged=nudged)

    assert not news(TargetCount(target, 1, 1, 800))
    assert news(TargetCount(target, 0, 1, 300))
    assert news(TargetCount(target, 1, 0, 300))
    assert news(TargetCount(target, 1, 1, 0))
    assert news(TargetCount(target, 1, 1, 300), over=True)
    assert news(TargetCount(target, 1, 1, 300), nudged=True)
