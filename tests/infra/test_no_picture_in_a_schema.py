"""Every published schema, node by node: nothing that goes on the wire has room for a picture of
anybody, or for an embedding of a face.
"""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from streams.contracts.topics import TOPICS

SCHEMAS = Path(__file__).parents[2] / "docs" / "schemas"

#: Text is a sentence at the most: the smallest picture of a face, in base64, is longer.
LONGEST_TEXT = 500

#: Numbers side by side: a lens has 8, a face's embedding 128 and more.
MOST_NUMBERS = 8

#: What a policy has learned is sums over its decisions, and a decision tells the few named numbers
#: that it saw (`signage.core.context.FEATURES`: counts and clocks); no camera's event has these.
MOST_NUMBERS_OF = {"signage.policy.v1": 465, "signage.decision.v1": 30}

#: A layout holds polygons and landmarks that a person drew, of the store alone.
MOST_POINTS = {"store.layout.v1": 256}

#: What a text may be named that is a picture's, or somebody's.
NAMES = (
    "image",
    "jpeg",
    "png",
    "pixel",
    "crop",
    "thumb",
    "embedding",
    "descriptor",
    "face_",
    "b64",
)

Node = dict[str, Any]


def nodes(schema: Any, path: str = "") -> Iterator[tuple[str, Node]]:
    """Every schema within a schema, with the way to it."""
    if isinstance(schema, dict):
        yield path, schema
        for key, value in schema.items():
            # Examples, defaults and lists of words are values, not schemas.
            if key not in ("enum", "default", "examples", "required", "const"):
                yield from nodes(value, f"{path}.{key}")
    elif isinstance(schema, list):
        for number, value in enumerate(schema):
            yield from nodes(value, f"{path}[{number}]")


def schema_of(name: str) -> Any:
    return json.loads((SCHEMAS / f"{name}.json").read_text())


def longest(node: Node) -> float:
    """How much text fits: a pattern of fixed length bounds it too."""
    if "maxLength" in node:
        return float(node["maxLength"])
    if node.get("format") == "decimal":
        return 0.0  # read as a number, and refused if it is none
    pattern = str(node.get("pattern", ""))
    bounded = pattern.startswith("^") and pattern.endswith("$")
    return len(pattern) if bounded and "*" not in pattern and "+" not in pattern else float("inf")


def numbers_in(node: Node, root: Any) -> int:
    """How many bare numbers one item of a list holds: 1, or those of a fixed list of them."""
    if "$ref" in node:
        node = root["$defs"][node["$ref"].rsplit("/", 1)[-1]]
    if node.get("type") in ("number", "integer"):
        return 1
    if node.get("type") == "array":
        fixed = [numbers_in(item, root) for item in node.get("prefixItems", [])]
        items = node.get("items")
        more = numbers_in(items, root) if isinstance(items, dict) else 0
        return sum(fixed) + more * int(node.get("maxItems", 10_000))
    return 0


def test_every_topic_has_a_published_schema() -> None:
    assert {path.stem for path in SCHEMAS.glob("*.v*.json")} == set(TOPICS)


@pytest.mark.parametrize("name", sorted(TOPICS))
def test_no_text_is_long_enough_for_a_picture(name: str) -> None:
    checked = 0
    for path, node in nodes(schema_of(name)):
        if node.get("type") == "string" and "enum" not in node:
            checked += 1
            assert longest(node) <= LONGEST_TEXT, path
            assert not {"contentEncoding", "contentMediaType"} & node.keys(), path
            assert node.get("format") not in ("byte", "binary"), path
    assert checked >= 2


@pytest.mark.parametrize("name", sorted(TOPICS))
def test_no_list_of_numbers_is_long_enough_for_an_embedding(name: str) -> None:
    schema = schema_of(name)
    for path, node in nodes(schema):
        if node.get("type") != "array":
            continue
        items = node.get("items")
        each = numbers_in(items, schema) if isinstance(items, dict) else 0
        if each == 1:
            assert node.get("maxItems", 10_000) <= MOST_NUMBERS_OF.get(name, MOST_NUMBERS), path
        elif each > 1:
            assert node.get("maxItems", 10_000) <= MOST_POINTS.get(name, 0), path


@pytest.mark.parametrize("name", sorted(TOPICS))
def test_no_field_is_open(name: str) -> None:
    """A field without a type could hold anything."""
    for path, node in nodes(schema_of(name)):
        if path.rsplit(".", 1)[0].endswith(("properties", "$defs")) or not path:
            told = {"type", "$ref", "anyOf", "enum", "const", "allOf"} & node.keys()
            assert told, path


@pytest.mark.parametrize("name", sorted(t for t in TOPICS if t.startswith(("vision.", "streams."))))
def test_no_field_is_named_like_a_picture(name: str) -> None:
    for path, node in nodes(schema_of(name)):
        for field in node.get("properties", {}) if path.rsplit(".", 1)[-1] != "properties" else {}:
            assert not any(word in field for word in NAMES), f"{path}.{field}"


def test_a_field_for_a_picture_would_be_found() -> None:
    """The walk itself: each rule finds what it is for."""
    assert longest({"type": "string"}) > LONGEST_TEXT
    assert longest({"type": "string", "pattern": "^[A-Z]{3}$"}) <= LONGEST_TEXT
    embedding = {"type": "array", "items": {"type": "number"}}
    assert numbers_in(embedding, {}) > MOST_NUMBERS
    found = dict(nodes({"properties": {"crop": {"anyOf": [{"type": "string"}]}}}))
    assert found[".properties.crop.anyOf[0]"] == {"type": "string"}
