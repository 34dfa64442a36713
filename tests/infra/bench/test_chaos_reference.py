"""The batch computation of the chaos bench: on cases counted by hand, and beside the processor,
whose windows read the same log in any order of its topics and start anew at any moment.
"""

import random
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any

import pytest
from msgspec import Struct

from infra.bench.chaos.bench import RULES
from infra.bench.chaos.history import history, layout
from infra.bench.chaos.reference import KEYS, Expected, Logged, Row, expected
from infra.bench.chaos.tables import compare
from streams.contracts import codec, topics
from streams.contracts.base import Trace
from streams.contracts.pos import Basket, BasketLine
from streams.contracts.signage import Play
from streams.contracts.topics import Topic
from streams.contracts.vision import Audience, Dwell, DwellBatch, Gaze, GazeBatch, Presence
from streams.measure.measurer import Measurer
from streams.ports import Incoming
from streams.settings import MeasureSettings

T0 = 1_790_000_000_000 - 1_790_000_000_000 % 60_000


class Log:
    """A log that grows by hand; times are seconds after T0, and the log's own is the event's."""

    def __init__(self) -> None:
        self.records: list[Logged] = []
        self._next: Counter[str] = Counter()

    def add(self, topic: Topic, event: Struct | bytes | None, at_s: float) -> None:
        value = codec.encode(event) if isinstance(event, Struct) else event
        offset = self._next[topic.name]
        self._next[topic.name] += 1
        self.records.append(Logged(topic.name, 0, offset, _ms(at_s), value))

    def gaze(
        self,
        name: str,
        start_s: float,
        end_s: float | None = None,
        *,
        target: str = "tea",
        told_s: float | None = None,
        logged_s: float | None = None,
        camera: str = "cam",
    ) -> None:
        told = told_s if told_s is not None else end_s if end_s is not None else start_s + 0.3
        end_ms = None if end_s is None else _ms(end_s)
        event = Gaze(
            gaze_id=name,
            phase="started" if end_s is None else "ended",
            track_id=f"track-{name}",
            camera_id=camera,
            target_id=target,
            target_kind="screen" if target == "screen" else "zone",
            probability=0.9,
            started_at_ms=_ms(start_s),
            ended_at_ms=end_ms,
            attention_ms=300 if end_ms is None else end_ms - _ms(start_s),
            calibration_version="c",
            trace=_trace(name, told),
        )
        batch = GazeBatch(store_id="s", area_id="a", gateway_id="g", seq=1, events=(event,))
        self.add(topics.GAZE, batch, told if logged_s is None else logged_s)

    def presence(
        self, name: str, start_s: float, end_s: float, target: str = "tea", sees: int | None = None
    ) -> None:
        presence = Presence(
            presence_id=name,
            track_id=f"track-{name}",
            target_id=target,
            target_kind="screen" if target == "screen" else "zone",
            entered_at_ms=_ms(start_s),
            left_at_ms=_ms(end_s),
            opportunity_ms=sees,
        )
        self.add(topics.AUDIENCE, _audience(end_s, presence), end_s)

    def basket(self, name: str, at_s: float, value: str) -> None:
        line = BasketLine(sku="x", category="tea", units=Decimal(2), net_value=Decimal(value))
        basket = Basket(
            basket_id=name,
            store_id="s",
            area_id="a",
            closed_at_ms=_ms(at_s),
            currency="EUR",
            lines=(line,),
        )
        self.add(topics.BASKET, basket, at_s)

    def rows(self, table: str) -> list[Row]:
        return list(expected(self.records, RULES).tables[table].values())


def _ms(at_s: float) -> int:
    return T0 + round(at_s * 1_000)


def _trace(name: str, at_s: float) -> Trace:
    at_ms = _ms(at_s)
    return Trace(cause_id=name, captured_at_ms=at_ms, inferred_at_ms=at_ms, sent_at_ms=at_ms)


def _audience(at_s: float, *presences: Presence) -> Audience:
    return Audience(
        store_id="s",
        area_id="a",
        gateway_id="g",
        camera_id="cam",
        seq=0,
        captured_at_ms=_ms(at_s),
        inferred_at_ms=_ms(at_s),
        sent_at_ms=_ms(at_s),
        people=0,
        targets=(),
        presences=presences,
    )


def _play(name: str, start_s: float, length_s: float | None) -> Play:
    return Play(
        play_id=name,
        phase="started" if length_s is None else "ended",
        player_id="p",
        store_id="s",
        area_id="a",
        screen_id="screen",
        decision_id="d",
        creative_id="c",
        creative_version=1,
        scheduled_at_ms=_ms(start_s),
        rendered_at_ms=_ms(start_s),
        duration_ms=None if length_s is None else round(length_s * 1_000),
        stop_reason=None if length_s is None else "finished",
    )


def test_a_gaze_over_a_border_is_split_and_told_twice_counts_once() -> None:
    log = Log()
    log.gaze("one", 8, 13)
    log.gaze("one", 8)
    log.gaze("one", 8, 13)
    first, second = log.rows("attention")
    assert (first["attention_ms"], second["attention_ms"]) == (2_000, 3_000)
    assert (first["watchers"], second["watchers"], first["gross_impressions"]) == (1, 1, 0)
    assert first["through_offset"] == 1, "repeats have no part in it"
    assert [row["attention_ms"] for row in log.rows("gaze")] == [5_000]


def test_an_end_takes_the_place_of_its_start() -> None:
    log = Log()
    log.gaze("one", 1)
    log.gaze("one", 1, 3)
    (row,) = log.rows("attention")
    assert (row["attention_ms"], row["watchers"], row["through_offset"]) == (2_000, 1, 2)


def test_rungs_are_apart_and_unknown_is_not_nothing() -> None:
    log = Log()
    log.presence("unknown", 1, 2)
    (row,) = log.rows("attention")
    assert (row["gross_impressions"], row["ots"], row["watchers_measured"]) == (1, None, False)
    log.presence("sees", 1, 3, sees=500)
    log.presence("sees not", 1, 3, sees=0)
    (row,) = log.rows("attention")
    assert (row["gross_impressions"], row["ots"], row["watchers_measured"]) == (3, 1, True)


def test_late_is_judged_for_each_camera_by_its_own_log() -> None:
    log = Log()
    log.gaze("far", 15, 16)
    log.gaze("late", 1, 2, logged_s=16)
    log.gaze("other camera", 1, 2, logged_s=16, camera="cam-2")
    log.presence("other topic", 1, 2)
    rows = {row["window_start"]: row for row in log.rows("attention")}
    first = rows[T0]
    assert (first["late"], first["watchers"], first["gross_impressions"]) == (1, 1, 1)
    log.gaze("late", 1, 2, logged_s=17)
    assert expected(log.records, RULES).late["attention"] == 1


def test_a_stamp_from_the_future_moves_no_clock_further_than_the_rule() -> None:
    log = Log()
    log.gaze("future", 4_000, 4_001, logged_s=1)
    log.gaze("now", 2, 3)
    assert expected(log.records, RULES).late["attention"] == 1, "15 s ahead closes 0 to 10 s"
    log.gaze("soon", 12, 13)
    rows = {row["window_start"]: row for row in log.rows("attention")}
    assert rows[T0 + 10_000]["attention_ms"] == 1_000
    assert rows.keys() == {T0, T0 + 10_000}, "what nobody can believe is in no window"


def test_staff_and_open_dwells_do_not_count() -> None:
    log = Log()
    for name, excluded in (("shopper", False), ("staff", True)):
        dwell = Dwell(
            dwell_id=name,
            phase="ended",
            track_id=name,
            camera_id="cam",
            zone_id="tea",
            entered_at_ms=_ms(1),
            left_at_ms=_ms(4),
            excluded=excluded,
            calibration_version="c",
            trace=_trace(name, 4),
        )
        batch = DwellBatch(store_id="s", area_id="a", gateway_id="g", seq=1, events=(dwell,))
        log.add(topics.DWELL, batch, 4)
    assert [row["dwell_ms"] for row in log.rows("attention")] == [3_000]
    assert [row["dwell_id"] for row in log.rows("dwell")] == ["shopper"]


def test_exposure_pairs_from_a_second_on() -> None:
    log = Log()
    log.add(topics.PLAY, _play("play", 10, None), 10)
    log.presence("passes", 8, 10.5, target="screen")
    log.presence("stays", 11, 14, target="screen", sees=1_000)
    log.gaze("looks", 12, 13.5, target="screen")
    log.add(topics.PLAY, _play("play", 10, 5), 15)
    (row,) = log.rows("exposures")
    assert (row["gross_impressions"], row["verified_impressions"], row["ots"]) == (2, 1, 1)
    assert (row["exposed_ms"], row["attention_ms"], row["watchers"]) == (3_000, 1_500, 1)
    assert row["ended_at"] == _ms(15)


def test_baskets_by_window_and_currency() -> None:
    log = Log()
    for _ in range(2):
        log.basket("one", 3, "1.10")
    log.basket("two", 19, "2.20")
    log.basket("far", 50, "1.00")
    log.basket("late", 4, "9.00")
    first, second = sorted(log.rows("basket_metrics"), key=lambda row: row["window_start"])
    assert (first["transactions"], first["late"]) == (2, 1)
    assert (first["basket_value"], first["basket_units"]) == (Decimal("3.30"), 4)
    assert second["transactions"] == 1
    assert len(log.rows("baskets")) == 4, "the raw ones are kept, late or not"


def test_what_nobody_can_decode_is_dead_for_each_consumer() -> None:
    log = Log()
    log.add(topics.GAZE, b"no", 1)
    log.add(topics.CROSSING, None, 1)
    assert expected(log.records, RULES).dead_letters == {
        ("measure", "vision.gaze.v1", 0, 0),
        ("sink", "vision.gaze.v1", 0, 0),
        ("sink", "vision.crossing.v1", 0, 0),
    }


def test_the_comparison_tells_lost_doubled_and_invented() -> None:
    row = dict.fromkeys(("store_id", "target_id", "window_start", "window_end"), 1) | {"late": 2}
    other = row | {"target_id": 2}
    truth: dict[str, dict[Any, Row]] = {table: {} for table in KEYS}
    truth["attention"] = {(1, 1, 1, 1): row, (1, 2, 1, 1): other}

    def account(*rows: Row) -> tuple[int, int, int]:
        found: Mapping[str, list[Row]] = defaultdict(list, {"attention": list(rows)})
        (told,) = [each for each in compare(truth, found) if each.table == "attention"]
        return told.lost, told.doubled, told.invented

    assert account(row, other) == (0, 0, 0)
    assert account(row) == (1, 0, 0)
    assert account(row, row, other) == (0, 1, 0)
    assert account(row, other | {"late": 1}) == (1, 0, 0)
    assert account(row, other | {"late": 3}) == (0, 1, 0)
    assert account(row, other, row | {"target_id": 3}) == (0, 0, 1)


# Beside the processor ---------------------------------------------------------------------------


class _Told:
    """The outbox: of the rows of a key the one with the greatest `through_offset` holds."""

    def __init__(self) -> None:
        self.newest: dict[str, dict[Any, Any]] = defaultdict(dict)

    async def deliver(self, records: Sequence[Mapping[str, Any]]) -> None:
        for record in records:
            if record["topic"].endswith("dlq.v1"):
                continue
            row = codec.decode(record["topic"], record["value"])
            key = {
                topics.ATTENTION.name: lambda r: (r.target_id, r.window_start_ms),
                topics.EXPOSURE.name: lambda r: r.play_id,
                topics.BASKET_METRICS.name: lambda r: (r.window_start_ms, r.arm, r.currency),
            }[record["topic"]](row)
            known = self.newest[record["topic"]].get(key)
            if known is None or known.through_offset < row.through_offset:
                self.newest[record["topic"]][key] = row


@pytest.mark.parametrize("seed", range(4))
async def test_the_processor_says_the_same_in_any_order_of_topics_and_over_restarts(
    seed: int,
) -> None:
    start_ms = 1_790_000_000_000
    told = history(
        seed=seed, start_ms=start_ms, length_ms=30_000, events_per_s=40, lateness_ms=5_000
    )
    logs: dict[str, list[Logged]] = defaultdict(list)
    for message in told.messages:
        stamp = round(start_ms + message.at_ms + message.clock_ms)
        log = logs[message.topic]
        log.append(Logged(message.topic, 0, len(log), stamp, message.value))
    truth = expected([record for log in logs.values() for record in log], RULES)
    settings = _settings(keep_ms=900_000)
    outbox, draw = _Told(), random.Random(seed)  # noqa: S311 - a test's orders, no secret
    read = [name for name in logs if name not in (topics.CROSSING.name, topics.DECISION.name)]
    stored, at = dict.fromkeys(read, 0), dict.fromkeys(read, 0)
    measurer = _begun(settings, outbox)
    while any(at[name] < len(logs[name]) for name in read):
        name = draw.choice([name for name in read if at[name] < len(logs[name])])
        for _ in range(draw.randint(1, 40)):
            if at[name] < len(logs[name]):
                await measurer.on_record(_incoming(logs[name][at[name]]))
                at[name] += 1
        if draw.random() < 0.3:
            await measurer.emit()
        if draw.random() < 0.1:
            stored = dict(at)
        if draw.random() < 0.05:  # killed: what was not stored is read again
            measurer, at = _begun(settings, outbox), dict(stored)
            for topic in draw.sample(read, len(read)):
                for record in logs[topic][: at[topic]]:
                    measurer.recall(_incoming(record))
            measurer.recalled()
    await measurer.emit()
    _assert_equal(truth, outbox)


@pytest.mark.parametrize("seed", range(2))
async def test_the_last_minutes_of_the_log_are_enough_to_go_on(seed: int) -> None:
    """As after a kill: from where the state's rebuilding begins, and windows known in full only."""
    start_ms, keep_ms = 1_790_000_000_000, 60_000
    span_ms = keep_ms + RULES.max_ahead_ms + RULES.basket_window_ms
    told = history(
        seed=seed, start_ms=start_ms, length_ms=180_000, events_per_s=15, lateness_ms=5_000
    )
    logs: dict[str, list[Logged]] = defaultdict(list)
    arriving: list[Logged] = []
    for message in told.messages:
        stamp = round(start_ms + message.at_ms + message.clock_ms)
        log = logs[message.topic]
        log.append(Logged(message.topic, 0, len(log), stamp, message.value))
        if message.topic not in (topics.CROSSING.name, topics.DECISION.name):
            arriving.append(log[-1])
    truth = expected([record for log in logs.values() for record in log], RULES)
    settings, outbox = _settings(keep_ms=keep_ms), _Told()
    measurer = _begun(settings, outbox)
    for number, record in enumerate(arriving):
        if number % 400 == 399:
            floors: dict[bool, int] = {True: 0, False: 0}
            recalled: list[Logged] = []
            for topic in {each.topic for each in arriving[:number]}:
                read = [each for each in arriving[:number] if each.topic == topic]
                since_ms = read[-1].timestamp_ms - span_ms
                begin = next(n for n, each in enumerate(read) if each.timestamp_ms >= since_ms)
                recalled += read[begin:]
                if begin:
                    baskets = topic == topics.BASKET.name
                    floor_ms = read[-1].timestamp_ms - keep_ms
                    floors[baskets] = max(floors[baskets], floor_ms)
            measurer = _begun(settings, outbox, floors[False], floors[True])
            for each in recalled:
                measurer.recall(_incoming(each))
            measurer.recalled()
        await measurer.on_record(_incoming(record))
        if number % 50 == 0:
            await measurer.emit()
    await measurer.emit()
    _assert_equal(truth, outbox)


def _settings(*, keep_ms: int) -> MeasureSettings:
    return MeasureSettings(
        kafka="localhost:1",
        attention_window_ms=RULES.window_ms,
        allowed_lateness_ms=RULES.lateness_ms,
        basket_window_ms=RULES.basket_window_ms,
        basket_lateness_ms=RULES.basket_lateness_ms,
        max_ahead_ms=RULES.max_ahead_ms,
        keep_ms=keep_ms,
    )


def _assert_equal(truth: Expected, outbox: _Told) -> None:
    tables = {
        "attention": outbox.newest[topics.ATTENTION.name],
        "exposures": outbox.newest[topics.EXPOSURE.name],
        "basket_metrics": outbox.newest[topics.BASKET_METRICS.name],
    }
    for table, newest in tables.items():
        rows = [_row(each) for each in newest.values()]
        (account,) = [
            each
            for each in compare(truth.tables, defaultdict(list, {table: rows}))
            if each.table == table
        ]
        assert account.differences == []
        assert account.found > 0


def _begun(
    settings: MeasureSettings, outbox: _Told, floor_ms: int = 0, basket_floor_ms: int = 0
) -> Measurer:
    measurer = Measurer(settings, layout(), RULES.experiment, outbox)
    measurer.hold({0: floor_ms}, {0: basket_floor_ms})
    return measurer


def _incoming(record: Logged) -> Incoming:
    return Incoming(
        record.topic, record.partition, record.offset, b"", record.value, record.timestamp_ms
    )


def _row(struct: Any) -> Row:
    return {
        name.removesuffix("_ms")
        if "_start_ms" in name or "_end_ms" in name or "_at_ms" in name
        else name: getattr(struct, name)
        for name in struct.__struct_fields__
    }
