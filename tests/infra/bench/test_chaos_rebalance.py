"""How long a partition was silent, and whose kill that was."""

import pytest

from infra.bench.chaos.members import Kill
from infra.bench.chaos.rebalance import gaps, silences
from infra.bench.chaos.reference import Logged
from streams.contracts import codec
from streams.contracts.attention import AttentionWindow
from streams.contracts.topics import ATTENTION


def row(area: str, at_ms: int) -> Logged:
    window = AttentionWindow(
        store_id="s", area_id=area, target_id=f"zone-{area}", target_kind="zone",
        window_start_ms=0, window_end_ms=10_000, gross_impressions=1, ots=None, watchers=0,
        attention_ms=0, dwell_ms=0, late=0, through_offset=at_ms,
    )  # fmt: skip
    return Logged(ATTENTION.name, 0, at_ms, at_ms, codec.encode(window))


def test_a_silence_is_that_of_the_kill_before_which_it_had_not_begun() -> None:
    kills = [Kill(10_000, "one", "returned"), Kill(30_000, "two", "lost")]
    told = {
        "a": [*range(5_000, 10_000, 1_000), *range(13_500, 30_000, 1_000), 40_000, 41_000],
        "b": list(range(5_000, 42_000, 1_000)),
    }
    rows = [row(area, at_ms) for area, times in told.items() for at_ms in times]
    found = silences(kills, rows, {"a": 0, "b": 1})
    assert [(kill.name, sorted(each)) for kill, each in found] == [
        ("one", [1.0, 4.5]),
        ("two", [1.0, 10.5]),
    ]
    by_fate = gaps(found)
    assert by_fate["returned"].most == pytest.approx(4.5)
    assert by_fate["lost"].most == pytest.approx(10.5)


def test_areas_of_one_partition_are_heard_together() -> None:
    kills = [Kill(10_000, "one", "returned")]
    rows = [row("a", at_ms) for at_ms in range(8_000, 20_000, 2_000)]
    rows += [row("b", at_ms) for at_ms in range(9_000, 20_000, 2_000)]
    assert silences(kills, rows, {"a": 3, "b": 3}) == [(kills[0], [1.0])]
