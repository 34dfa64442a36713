"""JSON Schema of every topic's value, generated from the structs."""

import json
from typing import Any

import msgspec

from streams.contracts.topics import TOPICS, Topic


def json_schema(topic: Topic) -> dict[str, Any]:
    """The JSON Schema (2020-12) of a topic's value."""
    schema = msgspec.json.schema(topic.struct)
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": f"urn:smartstore:{topic.name}",
        **schema,
    }


def schema_files() -> dict[str, str]:
    """File name to text of the schema of every topic, ready to be written or compared."""
    return {
        f"{name}.json": json.dumps(json_schema(topic), indent=2, sort_keys=True) + "\n"
        for name, topic in TOPICS.items()
    }
