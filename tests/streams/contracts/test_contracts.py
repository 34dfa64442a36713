"""Round trips, refusals and the promise that no event can hold a picture."""

from decimal import Decimal
from importlib.metadata import version
from pathlib import Path
from typing import Any

import msgspec
import pytest

from streams.contracts import asyncapi, topics
from streams.contracts.codec import MAX_MESSAGE_BYTES, decode, encode, headers, record
from streams.contracts.errors import ContractError, UndecodableError, UnknownTopicError
from streams.contracts.pos import Basket, BasketLine
from streams.contracts.schema import broken_promises, json_schema, schema_files
from streams.contracts.signage import Play
from streams.contracts.vision import Gaze, GazeBatch, Trace

GOLDEN = Path(__file__).parents[3] / "docs" / "schemas"

TRACE = Trace(cause_id="g1", captured_at_ms=1_000, inferred_at_ms=1_040, sent_at_ms=1_050)


def gaze(**changes: Any) -> Gaze:
    fields: dict[str, Any] = {
        "gaze_id": "g1",
        "phase": "started",
        "track_id": "t1",
        "camera_id": "cam",
        "target_id": "tea",
        "target_kind": "zone",
        "probability": 0.9,
        "started_at_ms": 700,
        "calibration_version": "c1",
        "trace": TRACE,
    }
    return Gaze(**(fields | changes))


def batch(*events: Gaze, seq: int = 0) -> GazeBatch:
    return GazeBatch(
        store_id="s", area_id="a", gateway_id="gw", seq=seq, events=events or (gaze(),)
    )


def basket() -> Basket:
    line = BasketLine(sku="1", category="tea", units=Decimal("2"), net_value=Decimal("3.10"))
    return Basket(
        basket_id="b", store_id="s", area_id="a", closed_at_ms=5, currency="EUR", lines=(line,)
    )


@pytest.mark.parametrize(
    ("topic", "event"), [(topics.GAZE, batch()), (topics.BASKET, basket())], ids=["gaze", "basket"]
)
def test_an_event_survives_the_wire(topic: topics.Topic, event: msgspec.Struct) -> None:
    assert decode(topic.name, encode(event)) == event


def test_an_unknown_field_of_a_newer_producer_is_ignored() -> None:
    data = msgspec.json.decode(encode(batch())) | {"from_the_future": 1}
    assert decode(topics.GAZE.name, msgspec.json.encode(data)) == batch()


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        (None, "empty"),
        (b"", "truncated"),
        (b"\xff\xfe", "malformed"),
        (b"{}", "missing required field"),
        (b"[" * 100_000, "recursion|malformed|expected|truncated"),
        (b" " * (MAX_MESSAGE_BYTES + 1), "larger than"),
        (encode(batch()).replace(b'"probability":0.9', b'"probability":1.5'), "<= 1.0"),
        (encode(batch()).replace(b'"phase":"started"', b'"phase":"ended"'), "ended_at_ms"),
        (encode(batch()).replace(b'"area_id":"a"', b'"area_id":""'), "length"),
    ],
)
def test_broken_bytes_raise_one_clear_error(value: bytes | None, reason: str) -> None:
    with pytest.raises(UndecodableError, match=f"(?i){reason}") as caught:
        decode(topics.GAZE.name, value)
    assert topics.GAZE.name in str(caught.value)


def test_an_unknown_topic_is_named() -> None:
    with pytest.raises(UnknownTopicError, match=r"no topic 'nothing\.v1'"):
        decode("nothing.v1", b"{}")
    assert issubclass(UnknownTopicError, ContractError)


@pytest.mark.parametrize(
    "changes",
    [
        {"phase": "ended", "ended_at_ms": 600},
        {"phase": "ended", "ended_at_ms": 800, "attention_ms": 101},
        {"phase": "ended"},
        {"ended_at_ms": 900},
    ],
)
def test_a_gaze_that_cannot_be_is_refused(changes: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"ended_at_ms|attention_ms"):
        gaze(**changes)


def test_headers_are_cloudevents_and_repeatable() -> None:
    first, again = (dict(headers(topics.GAZE, batch(seq=4), "gw")) for _ in range(2))
    assert first == again
    assert first["ce_specversion"] == b"1.0"
    assert first["ce_type"] == b"vision.gaze.v1"
    assert first["ce_id"] != dict(headers(topics.GAZE, batch(seq=5), "gw"))["ce_id"]


def test_a_record_is_keyed_by_its_area() -> None:
    assert record(topics.GAZE, batch(), "gw")["key"] == b"a"


def test_started_and_ended_of_a_play_are_two_events() -> None:
    fields: dict[str, Any] = {
        name: name
        for name in ("play_id", "player_id", "store_id", "area_id", "screen_id", "decision_id")
    }
    fields |= {"creative_id": "c", "creative_version": 1, "scheduled_at_ms": 1, "rendered_at_ms": 2}
    started = Play(phase="started", **fields)
    ended = Play(phase="ended", duration_ms=5, stop_reason="finished", **fields)
    assert topics.PLAY.identity(started) != topics.PLAY.identity(ended)
    with pytest.raises(ValueError, match="duration_ms"):
        Play(phase="ended", **fields)


def test_schemas_equal_the_golden_copy() -> None:
    """Written by `smartstore topics schema --write docs/schemas`."""
    golden = {path.name: path.read_text() for path in GOLDEN.glob("*.json")}
    described = golden.pop(asyncapi.FILE)
    assert schema_files() == golden
    assert asyncapi.asyncapi_file(version("smartstore")) == described


def test_no_struct_breaks_what_was_published() -> None:
    """The files are kept by `smartstore topics schema --write`, which refuses to break them."""
    golden = {path.name: path.read_text() for path in GOLDEN.glob("*.v*.json")}
    assert broken_promises(golden) == []


def test_a_broken_promise_is_told_with_its_mend() -> None:
    text = (GOLDEN / f"{topics.GAZE.name}.json").read_text()
    published = {
        "vision.gaze.v1.json": text.replace('"track_id"', '"person_id"'),
        "vision.mood.v1.json": text,
    }
    told = broken_promises(published)
    assert any("'events[].person_id' was removed; make vision.gaze.v2" in t for t in told)
    assert any("vision.mood.v1 is no longer in the registry" in t for t in told)


def test_every_topic_is_told_by_somebody() -> None:
    for topic in topics.TOPICS.values():
        assert asyncapi.told_by(topic), topic.name


def _strings(schema: Any) -> list[tuple[str, dict[str, Any]]]:
    """Every property of a schema that may hold text, with its name."""
    found = []
    if isinstance(schema, dict):
        for name, value in schema.get("properties", {}).items():
            found += [
                (name, option)
                for option in [value, *value.get("anyOf", [])]
                if option.get("type") == "string"
            ]
        for value in schema.values():
            found += _strings(value)
    elif isinstance(schema, list):
        for value in schema:
            found += _strings(value)
    return found


@pytest.mark.parametrize("name", [t for t in topics.TOPICS if t.startswith("vision.")])
def test_no_event_of_a_camera_can_hold_a_picture_or_an_embedding(name: str) -> None:
    """Text is short (an id), nothing is base64, and no list holds bare numbers."""
    schema = json_schema(topics.TOPICS[name])
    strings = _strings(schema)
    assert strings
    for field, option in strings:
        assert option.get("maxLength", 10_000) <= 128, field
        assert "contentEncoding" not in option, field

    def arrays(part: Any) -> list[dict[str, Any]]:
        if isinstance(part, dict):
            here = [part] if part.get("type") == "array" else []
            return here + [a for value in part.values() for a in arrays(value)]
        return [a for value in part for a in arrays(value)] if isinstance(part, list) else []

    for array in arrays(schema):
        items = array.get("items", {})
        assert items.get("type") not in {"number", "integer", "string"}, array
        assert "prefixItems" not in array, array


def test_every_topic_has_a_policy_that_a_broker_understands() -> None:
    for topic in topics.TOPICS.values():
        assert set(topic.config) <= {"cleanup.policy", "retention.ms", "min.compaction.lag.ms"}
        assert topic.compact == ("compact" in topic.config["cleanup.policy"])
