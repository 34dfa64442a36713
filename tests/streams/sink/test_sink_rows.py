"""From events to rows."""

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import msgspec
import pytest

from streams.contracts import topics
from streams.contracts.attention import AttentionWindow, BasketWindow, Exposure
from streams.contracts.base import Trace
from streams.contracts.errors import UndecodableError
from streams.contracts.experiment import ExperimentPlan
from streams.contracts.learning import ArmSums, PolicySnapshot
from streams.contracts.pos import Basket, BasketLine, DoorCount, RefusedReceipt
from streams.contracts.signage import (
    Candidate,
    Creative,
    Decision,
    Play,
    PriceShown,
    ZoneAttention,
)
from streams.contracts.vision import (
    Audience,
    Crossing,
    Dwell,
    DwellBatch,
    Gaze,
    GazeBatch,
    Presence,
)
from streams.sink.ready import in_key_order
from streams.sink.row import Row, moment
from streams.sink.rows import SINK_TOPICS, record_units, units
from streams.sink.tables import CREATIVE_WITHDRAWALS, TABLES

_TRACE = Trace(cause_id="g", captured_at_ms=1_000, inferred_at_ms=1_050, sent_at_ms=1_060)
_BATCH = {"store_id": "s", "area_id": "a", "gateway_id": "gw", "seq": 0}

_GAZE = Gaze(
    gaze_id="g",
    phase="ended",
    track_id="t",
    camera_id="c",
    target_id="tea",
    target_kind="zone",
    probability=0.9,
    started_at_ms=1_000,
    ended_at_ms=3_000,
    attention_ms=1_500,
    distance_m=1.5,
    calibration_version="v",
    trace=_TRACE,
)
_DWELL = Dwell(
    dwell_id="d",
    phase="ended",
    track_id="t",
    camera_id="c",
    zone_id="tea",
    entered_at_ms=1_000,
    left_at_ms=9_000,
    calibration_version="v",
    trace=_TRACE,
)
_PLAY = Play(
    play_id="p",
    phase="ended",
    player_id="pl",
    store_id="s",
    area_id="a",
    screen_id="sc",
    decision_id="de",
    creative_id="cr",
    creative_version=2,
    scheduled_at_ms=1_100,
    rendered_at_ms=1_640,
    duration_ms=5_000,
    stop_reason="finished",
)
_DECISION = Decision(
    decision_id="de",
    store_id="s",
    area_id="a",
    screen_id="sc",
    decided_at_ms=1_100,
    slot_start_ms=0,
    arm="adaptive",
    arm_probability=0.5,
    policy_version="p1",
    context=(ZoneAttention(zone_id="tea", attention_ms=800, watchers=1, people=2),),
    showing=None,
    candidates=(Candidate(creative_id="cr", creative_version=2, propensity=1.0),),
    creative_id="cr",
    creative_version=2,
    reason="attention",
    sentence="Because.",
    trace=_TRACE,
)
_BASKET = Basket(
    basket_id="b",
    store_id="s",
    area_id="a",
    closed_at_ms=2_000,
    currency="EUR",
    lines=(
        BasketLine(sku="x", category="tea", units=Decimal(2), net_value=Decimal("3.50")),
        BasketLine(sku="y", category="tea", units=Decimal("-1"), net_value=Decimal("-1.25")),
    ),
    simulated=True,
)
_WINDOW = AttentionWindow(
    store_id="s",
    area_id="a",
    target_id="tea",
    target_kind="zone",
    window_start_ms=0,
    window_end_ms=10_000,
    gross_impressions=3,
    ots=None,
    watchers=2,
    attention_ms=900,
    dwell_ms=4_000,
    late=0,
    through_offset=7,
)
_EXPOSURE = Exposure(
    play_id="p",
    store_id="s",
    area_id="a",
    screen_id="sc",
    decision_id="de",
    creative_id="cr",
    creative_version=2,
    started_at_ms=1_640,
    ended_at_ms=6_640,
    ended=True,
    gross_impressions=3,
    ots=None,
    verified_impressions=2,
    exposed_ms=7_000,
    watchers=None,
    attention_ms=0,
    late=0,
    through_offset=9,
)
_CROSSING = Crossing(
    crossing_id="x",
    store_id="s",
    area_id="a",
    camera_id="c",
    line_id="door",
    direction="in",
    crossed_at_ms=1_000,
)
_BASKET_WINDOW = BasketWindow(
    store_id="s",
    window_start_ms=0,
    window_end_ms=60_000,
    slot_start_ms=0,
    arm="control",
    currency="EUR",
    transactions=1,
    basket_units=Decimal(1),
    basket_value=Decimal("2.25"),
    category_units={"tea": Decimal(1)},
    late=0,
    simulated=True,
    through_offset=7,
)
_AUDIENCE = Audience(
    store_id="s",
    area_id="a",
    gateway_id="gw",
    camera_id="c",
    seq=1,
    captured_at_ms=5_000,
    inferred_at_ms=5_050,
    sent_at_ms=5_060,
    people=0,
    targets=(),
    presences=(
        Presence(
            presence_id="pr",
            track_id="t",
            target_id="tea",
            target_kind="zone",
            entered_at_ms=1_000,
            left_at_ms=4_000,
            opportunity_ms=2_000,
        ),
    ),
)


_CREATIVE = Creative(
    creative_id="cr",
    version=2,
    title="Tea",
    alt_text="A cup",
    language="en",
    media="tea/index.html",
    sha256="0" * 64,
    owner="us",
    campaign="spring",
    budget_plays=100,
    skus=("x",),
)
_PLAN = ExperimentPlan(
    experiment_id="e",
    store_id="s",
    unit="store-slot",
    salt="salt",
    slot_ms=1_800_000,
    washout_ms=300_000,
    adaptive_share=0.5,
    outcome="basket_value",
    starts_at_ms=0,
    ends_at_ms=None,
    approved_by="Ms Weber",
    approved_at_ms=1,
    hypothesis="Tea sells more.",
)
_POLICY = PolicySnapshot(
    policy_id="bandit",
    version=3,
    algorithm="bandit",
    made_at_ms=5_000,
    store_id="s",
    features=("bias",),
    arms=(ArmSums(creative_id="cr", rewards=4, a=(4.0,), b=(2.0,)),),
    rewards=4,
)
_REFUSED = RefusedReceipt(
    refused_id="r",
    store_id="s",
    source="day.csv",
    place="line 7",
    reason="quantity",
    detail="line 1 has 8000000 units",
    masked_text="7;x;<16 digits>",
    refused_at_ms=9_000,
)
_COUNT = DoorCount(
    store_id="s",
    counter_id="door",
    from_ms=0,
    until_ms=900_000,
    entering=12,
    passers_by=80,
    told_at_ms=900_500,
)


def _values(row: Row) -> dict[str, Any]:
    return dict(zip([name for name, _ in row.table.columns], row.values, strict=True))


_ONE_ROW = [
    (
        topics.GAZE.name,
        GazeBatch(**_BATCH, events=(_GAZE,)),
        "gaze",
        {"gaze_id": "g", "started_at": moment(1_000), "attention_ms": 1_500, "cause_id": "g"},
    ),
    (
        topics.DWELL.name,
        DwellBatch(**_BATCH, events=(_DWELL,)),
        "dwell",
        {"dwell_id": "d", "left_at": moment(9_000), "gateway_id": "gw", "sent_at": moment(1_060)},
    ),
    (
        topics.AUDIENCE.name,
        _AUDIENCE,
        "presence",
        {"presence_id": "pr", "opportunity_ms": 2_000, "camera_id": "c"},
    ),
    (
        topics.ATTENTION.name,
        _WINDOW,
        "attention",
        {"ots": None, "watchers": 2, "window_end": moment(10_000), "through_offset": 7},
    ),
    (
        topics.EXPOSURE.name,
        _EXPOSURE,
        "exposures",
        {"watchers": None, "exposed_ms": 7_000, "ended_at": moment(6_640), "ended": True},
    ),
    (
        topics.CROSSING.name,
        _CROSSING,
        "crossings",
        {"line_id": "door", "direction": "in", "crossed_at": moment(1_000)},
    ),
    (
        topics.BASKET_METRICS.name,
        _BASKET_WINDOW,
        "basket_metrics",
        {"arm": "control", "category_units": '{"tea":"1"}', "simulated": True},
    ),
    (
        topics.DECISION.name,
        _DECISION,
        "decisions",
        {
            "context": msgspec.json.encode(_DECISION.context).decode(),
            "showing": None,
            "captured_at": moment(1_000),
        },
    ),
    (
        topics.PLAY.name,
        _PLAY,
        "plays",
        {"duration_ms": 5_000, "rendered_at": moment(1_640), "cause_id": None, "sent_at": None},
    ),
    (
        topics.CREATIVE.name,
        _CREATIVE,
        "creatives",
        {"published_at": moment(7_000), "campaign": "spring", "skus": '["x"]', "label": None},
    ),
    (
        topics.EXPERIMENT.name,
        _PLAN,
        "experiments",
        {"told_at": moment(7_000), "slot_ms": 1_800_000, "ends_at": None, "simulated": False},
    ),
    (
        topics.POLICY.name,
        _POLICY,
        "policies",
        {"version": 3, "arms": 1, "features": '["bias"]', "approved_at": None},
    ),
    (
        topics.REFUSED.name,
        _REFUSED,
        "receipts_refused",
        {"reason": "quantity", "masked_text": "7;x;<16 digits>", "refused_at": moment(9_000)},
    ),
    (
        topics.DOOR_COUNT.name,
        _COUNT,
        "door_counts",
        {"entering": 12, "leaving": None, "passers_by": 80, "told_at": moment(900_500)},
    ),
]


@pytest.mark.parametrize(
    ("topic", "event", "table", "expected"), _ONE_ROW, ids=[case[0] for case in _ONE_ROW]
)
def test_an_event_leaves_one_row(
    topic: str, event: Any, table: str, expected: dict[str, Any]
) -> None:
    ((row,),) = units(topic, event, 7_000)
    assert row.table.name == table
    assert _values(row).items() >= expected.items()


def test_a_basket_and_its_lines_are_one_unit() -> None:
    ((head, first, second),) = units(topics.BASKET.name, _BASKET)
    assert _values(head)["basket_units"] == Decimal(1)
    assert _values(head)["basket_value"] == Decimal("2.25")
    assert _values(head)["simulated"] is True
    assert _values(head)["transactions"] == 1
    assert [_values(line)["line_no"] for line in (first, second)] == [1, 2]
    assert _values(second)["currency"] == "EUR"
    assert _values(second)["net_value"] == Decimal("-1.25")


@pytest.mark.parametrize(
    ("topic", "event"),
    [
        (
            topics.GAZE.name,
            GazeBatch(
                **_BATCH,
                events=(
                    msgspec.structs.replace(
                        _GAZE, phase="started", ended_at_ms=None, attention_ms=0
                    ),
                ),
            ),
        ),
        (
            topics.DWELL.name,
            DwellBatch(
                **_BATCH,
                events=(msgspec.structs.replace(_DWELL, phase="started", left_at_ms=None),),
            ),
        ),
        (
            topics.PLAY.name,
            msgspec.structs.replace(_PLAY, phase="started", duration_ms=None, stop_reason=None),
        ),
        (topics.AUDIENCE.name, msgspec.structs.replace(_AUDIENCE, presences=())),
    ],
)
def test_what_has_only_begun_leaves_no_row(topic: str, event: Any) -> None:
    assert units(topic, event) == []


def test_a_void_takes_a_transaction_back() -> None:
    void = msgspec.structs.replace(_BASKET, basket_id="v", kind="void", voids="b")
    ((head, *_),) = units(topics.BASKET.name, void)
    assert _values(head).items() >= {"kind": "void", "transactions": -1, "voids": "b"}.items()
    with pytest.raises(ValueError, match="voids"):
        Basket(**{**msgspec.structs.asdict(_BASKET), "kind": "void"})


_PRICED = msgspec.structs.replace(
    _PLAY, prices=(PriceShown(sku="x", price=Decimal("2.49"), currency="EUR"),)
)


def test_a_price_is_logged_when_it_is_shown_and_once() -> None:
    begun = msgspec.structs.replace(_PRICED, phase="started", duration_ms=None, stop_reason=None)
    ((price,),) = units(topics.PLAY.name, begun)
    assert _values(price).items() >= {"sku": "x", "shown_at": moment(1_640)}.items()
    (_, (again,)) = units(topics.PLAY.name, _PRICED)
    assert again.table.key_of(again.values) == price.table.key_of(price.values)


def test_an_empty_value_withdraws_a_creative_and_nothing_else() -> None:
    ((row,),) = record_units(topics.CREATIVE.name, b"cr", None, 8_000)
    assert (row.table, row.values) == (CREATIVE_WITHDRAWALS, ("cr", moment(8_000)))
    assert record_units(topics.EXPERIMENT.name, b"s", None, 8_000) == []
    with pytest.raises(UndecodableError):
        record_units(topics.GAZE.name, b"a", None, 8_000)


def test_every_table_is_filled_by_a_topic() -> None:
    cases = [(topic, event) for topic, event, _, _ in _ONE_ROW] + [(topics.BASKET.name, _BASKET)]
    assert {topic for topic, _ in cases} == set(SINK_TOPICS)
    cases.append((topics.PLAY.name, _PRICED))
    filled = {row.table for topic, event in cases for unit in units(topic, event) for row in unit}
    assert filled | {CREATIVE_WITHDRAWALS} == set(TABLES)


def test_moments_are_exact_to_the_millisecond() -> None:
    assert moment(1_700_000_000_123) == datetime(2023, 11, 14, 22, 13, 20, 123_000, tzinfo=UTC)


def test_of_a_row_told_twice_the_first_stays_and_keys_are_in_order() -> None:
    first, other = _GAZE, msgspec.structs.replace(_GAZE, gaze_id="a")
    repeat = msgspec.structs.replace(_GAZE, attention_ms=1)
    batch = GazeBatch(**_BATCH, events=(first, other, repeat))
    rows = [row for unit in units(topics.GAZE.name, batch) for row in unit]
    kept = in_key_order(rows[0].table, [row.values for row in rows])
    assert [values[0] for values in kept] == ["a", "g"]
    assert kept[1] == rows[0].values


@pytest.mark.parametrize("offsets", [(7, 9, 8), (9, 7, 8), (8, 7, 9)])
def test_of_a_window_told_again_the_newest_stays(offsets: tuple[int, ...]) -> None:
    windows = [msgspec.structs.replace(_WINDOW, through_offset=o, watchers=o * 10) for o in offsets]
    rows = [units(topics.ATTENTION.name, window)[0][0] for window in windows]
    (kept,) = in_key_order(rows[0].table, [row.values for row in rows])
    assert kept[rows[0].table.position("watchers")] == 90
