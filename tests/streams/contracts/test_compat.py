"""Optional fields may come; whatever else changes needs a new topic."""

import copy
from typing import Any

import pytest

from streams.contracts.compat import breaks
from streams.contracts.schema import json_schema
from streams.contracts.topics import GAZE, LAYOUT, TOPICS


def schema(name: str = GAZE.name) -> dict[str, Any]:
    return copy.deepcopy(json_schema(TOPICS[name]))


def gaze(of: dict[str, Any]) -> dict[str, Any]:
    part: dict[str, Any] = of["$defs"]["Gaze"]
    return part


@pytest.mark.parametrize("name", TOPICS)
def test_a_schema_is_compatible_with_itself(name: str) -> None:
    assert breaks(schema(name), schema(name)) == []


def test_an_optional_field_and_other_words_break_nobody() -> None:
    new = schema()
    gaze(new)["properties"]["mood"] = {"type": "string", "default": "unknown"}
    gaze(new)["description"] = "Said better."
    gaze(new)["properties"]["attention_ms"]["default"] = 1
    assert breaks(schema(), new) == []


def test_the_layout_may_grow_too() -> None:
    new = schema(LAYOUT.name)
    new["$defs"]["Zone"]["properties"]["shade"] = {"type": "string", "default": ""}
    assert breaks(schema(LAYOUT.name), new) == []


def _remove(new: dict[str, Any]) -> None:
    del gaze(new)["properties"]["distance_m"]


def _require_a_new_one(new: dict[str, Any]) -> None:
    gaze(new)["properties"]["mood"] = {"type": "string"}
    gaze(new)["required"].append("mood")


def _require(new: dict[str, Any]) -> None:
    gaze(new)["required"].append("censored")


def _no_longer_require(new: dict[str, Any]) -> None:
    gaze(new)["required"].remove("track_id")


def _another_type(new: dict[str, Any]) -> None:
    gaze(new)["properties"]["censored"]["type"] = "integer"


def _another_limit(new: dict[str, Any]) -> None:
    gaze(new)["properties"]["gaze_id"]["maxLength"] = 64


def _another_word(new: dict[str, Any]) -> None:
    gaze(new)["properties"]["phase"]["enum"] = ["started", "ended", "paused"]


def _no_longer_nullable(new: dict[str, Any]) -> None:
    options = gaze(new)["properties"]["distance_m"]["anyOf"]
    options[:] = [option for option in options if option != {"type": "null"}]


def _a_part_of_a_part(new: dict[str, Any]) -> None:
    del new["$defs"]["Trace"]["properties"]["sent_at_ms"]


def _closed(new: dict[str, Any]) -> None:
    gaze(new)["additionalProperties"] = False
    gaze(new)["properties"]["mood"] = {"type": "string"}


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (_remove, "'events[].distance_m' was removed"),
        (_require_a_new_one, "'events[].mood' is required"),
        (_require, "'events[].censored' became required"),
        (_no_longer_require, "'events[].track_id' became optional"),
        (_another_type, "'events[].censored' has another type"),
        (_another_limit, "'events[].gaze_id' has another maxLength: 128 became 64"),
        (_another_word, "'events[].phase' has another enum"),
        (_no_longer_nullable, "'events[].distance_m' has other alternatives"),
        (_a_part_of_a_part, "'events[].trace.sent_at_ms' was removed"),
    ],
)
def test_all_else_breaks_somebody(change: Any, sentence: str) -> None:
    new = schema()
    change(new)
    found = breaks(schema(), new)
    assert len(found) == 1, found
    assert sentence in found[0]


def test_a_closed_struct_can_never_grow() -> None:
    old, new = schema(), schema()
    gaze(old)["additionalProperties"] = False
    _closed(new)
    assert any("refuses unknown fields" in told for told in breaks(old, new))
