# SPDX-License-Identifier: Apache-2.0
"""JSON Schemas of the topics' values, made from the structs, and the guard of their promise."""

import json
from typing import Any

import msgspec

from streams.contracts.compat import breaks
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


def broken_promises(published: dict[str, str]) -> list[str]:
    """What the structs of today break of the schemas that were published (file name to text), one
    sentence each with its mend; a topic that is not told any more breaks its readers too.
    """
    found = []
    for file, text in sorted(published.items()):
        name = file.removesuffix(".json")
        if name not in TOPICS:
            found.append(
                f"{name} is no longer in the registry; keep it until its last reader is gone"
            )
            continue
        found += [
            f"{name}: {what}; make {_next_version(name)} for it, or an optional field"
            for what in breaks(json.loads(text), json_schema(TOPICS[name]))
        ]
    return found


def _next_version(name: str) -> str:
    """
    >>> _next_version("vision.gaze.v1")
    'vision.gaze.v2'
    """
    stem, _, version = name.rpartition(".v")
    return f"{stem}.v{int(version) + 1}"
