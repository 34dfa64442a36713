"""The contracts as a page for people, made from the registry: never written by hand."""

from typing import Any

from streams.contracts.asyncapi import read_by, summary, told_by
from streams.contracts.schema import json_schema
from streams.contracts.topics import CONSUMERS, DEAD_LETTER_RETENTION_MS, TOPICS, Topic

_DAY_MS = 86_400_000

_HEAD = """# The contracts: what travels on Kafka

Made from the structs in `streams/contracts` by `make schemas`; do not edit. The same for programs:
[asyncapi.json](schemas/asyncapi.json) (AsyncAPI 3.0; paste it into any AsyncAPI viewer) and one
JSON Schema for each topic in [schemas](schemas). A reader in another language:
[examples/kafkajs](../examples/kafkajs).

Keys are plain UTF-8, values JSON, headers CloudEvents 1.0 (`ce_id` with `ce_source` tells a
repeat). Times are UTC epoch milliseconds. **A struct may get optional fields and nothing else**: so
readers ignore fields that they do not know, and a change that would break one of them makes a new
topic (`.v2`). `smartstore topics schema --write docs/schemas` refuses anything else.
"""


def contracts_page() -> str:
    """The page, Markdown."""
    rows = [
        f"| [{name}](#{_anchor(name)}) | {', '.join(told_by(topic))} | "
        f"{', '.join(read_by(topic)) or '-'} | {_kept(topic)} |"
        for name, topic in TOPICS.items()
    ]
    dead = f"{DEAD_LETTER_RETENTION_MS / _DAY_MS:.0f} d"
    rows += [f"| {name}.dlq.v1 | {name} | `smartstore dlq` | {dead} |" for name in CONSUMERS]
    table = "\n".join(["| topic | told by | read by | kept |", "|---|---|---|---|", *rows])
    parts = "\n".join(_topic(topic) for topic in TOPICS.values())
    return f"{_HEAD}\n{table}\n{parts}"


def _topic(topic: Topic) -> str:
    schema = json_schema(topic)
    parts = {topic.struct.__name__: schema["$defs"][topic.struct.__name__]}
    parts |= {name: part for name, part in schema["$defs"].items() if name not in parts}
    tables = "\n".join(
        _struct(name, part, number) for number, (name, part) in enumerate(parts.items())
    )
    return f"\n## {topic.name}\n\n{summary(topic)}\n\n{tables}"


def _struct(name: str, part: dict[str, Any], number: int) -> str:
    head = "" if number == 0 else f"**{name}**: {_first_sentence(part)}\n\n"
    needed = set(part.get("required", ()))
    rows = [
        f"| {field} | {_type(option)} | {'yes' if field in needed else 'no'} |"
        for field, option in part.get("properties", {}).items()
    ]
    table = "\n".join(["| field | type | required |", "|---|---|---|", *rows])
    return f"{head}{table}\n"


def _first_sentence(part: dict[str, Any]) -> str:
    text = " ".join(str(part.get("description", "")).split())
    return text.partition(". ")[0].rstrip(".") + "."


def _type(option: dict[str, Any]) -> str:
    if "$ref" in option:
        return str(option["$ref"]).rsplit("/", 1)[-1]
    if "anyOf" in option:
        return " or ".join(_type(each) for each in option["anyOf"])
    if "enum" in option:
        return ", ".join(f"`{value}`" for value in option["enum"])
    if option.get("type") == "array":
        items = option.get("items")
        return f"list of {_type(items)}" if isinstance(items, dict) else "tuple"
    if option.get("type") == "object":
        return "map"
    return str(option.get("format") or option.get("type", "any"))


def _kept(topic: Topic) -> str:
    days = f"{topic.retention_ms / _DAY_MS:.0f} d" if topic.retention_ms else "for good"
    return f"{days}, newest of each key" if topic.compact else days


def _anchor(name: str) -> str:
    return name.replace(".", "")
