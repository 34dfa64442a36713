"""Rows against events, by id: what is missing, what is too many, and what the broker forgot."""

from infra.bench.account import account
from infra.bench.logtail import Seen, keys
from infra.bench.report import TableAccount
from infra.tally import Tally
from streams.contracts import topics
from streams.contracts.base import Trace
from streams.contracts.codec import encode
from streams.contracts.vision import Gaze, GazeBatch


def ended(*gaze_ids: str) -> bytes:
    trace = Trace(cause_id="c", captured_at_ms=2_000, inferred_at_ms=2_000, sent_at_ms=2_000)
    gazes = tuple(
        Gaze(
            gaze_id=gaze_id, phase="ended", track_id="t", camera_id="c", target_id="tea",
            target_kind="zone", probability=1.0, started_at_ms=1_000, ended_at_ms=2_000,
            calibration_version="1", trace=trace,
        )
        for gaze_id in gaze_ids
    )  # fmt: skip
    return encode(GazeBatch(store_id="s", area_id="a", gateway_id="g", seq=1, events=gazes))


def told(*gaze_ids: str) -> Tally:
    tally = Tally()
    tally.add(topics.GAZE.name, ended(*gaze_ids), 2_000)
    return tally


def of_gaze(accounts: list[TableAccount]) -> TableAccount:
    return next(each for each in accounts if each.table == "gaze")


def test_equal_is_nothing_missing_and_nothing_too_many() -> None:
    for each in account(told("g-1", "g-2"), {("gaze", "g-1"), ("gaze", "g-2")}, []):
        assert (each.missing, each.extra, each.extra_forgotten) == (0, 0, 0)
        assert each.events == each.rows == (2 if each.table == "gaze" else 0)


def test_a_missing_row_is_not_made_up_for_by_one_too_many() -> None:
    found = of_gaze(account(told("g-1"), {("gaze", "g-2")}, []))
    assert (found.missing, found.extra, found.extra_forgotten) == (1, 1, 0)


def test_a_row_of_a_record_that_the_broker_forgot_is_told_apart() -> None:
    forgotten = Seen(topics.GAZE.name, ended("g-2"), 2_000)
    rows = {("gaze", "g-1"), ("gaze", "g-2"), ("gaze", "g-3")}
    found = of_gaze(account(told("g-1"), rows, [forgotten]))
    assert (found.missing, found.extra, found.extra_forgotten) == (0, 2, 1)


def test_a_forgotten_record_stands_for_the_rows_of_its_events() -> None:
    assert keys(Seen(topics.GAZE.name, ended("g-1", "g-2"), 0)) == {
        ("gaze", "g-1"),
        ("gaze", "g-2"),
    }
    assert keys(Seen(topics.GAZE.name, b"no event", 0)) == frozenset()
