# SPDX-License-Identifier: Apache-2.0
"""Whether a topic's value may change as it did: optional fields only, all else is a new topic.

Both ways must hold, since producers and consumers are never renewed at one moment: old values are
read by new consumers, and new values by old ones. Descriptions may change freely.
"""

from collections.abc import Iterator, Mapping
from typing import Any

#: What tells people something and refuses nothing.
_WORDS = frozenset({"title", "description", "$id", "$schema", "examples"})

#: What is compared field by field.
_FIELDS = frozenset({"properties", "required", "additionalProperties"})


def breaks(old: Mapping[str, Any], new: Mapping[str, Any]) -> list[str]:
    """What in the JSON Schema `new` breaks somebody who knows `old`, one sentence each.

    >>> old = {"properties": {"a": {"type": "integer"}}, "required": ["a"]}
    >>> breaks(old, {**old, "properties": {**old["properties"], "b": {"type": "string"}}})
    []
    >>> breaks(old, {"properties": {}})
    ["the field 'a' was removed"]
    """
    return list(_compare(old, new, _Names(old, new), "", frozenset()))


class _Names:
    """The named parts of both schemas."""

    def __init__(self, old: Mapping[str, Any], new: Mapping[str, Any]) -> None:
        self._old = old.get("$defs", {})
        self._new = new.get("$defs", {})

    def resolve(self, part: Any, *, old: bool) -> tuple[str | None, Any]:
        """The part itself, and its name where it was only named."""
        if isinstance(part, Mapping) and "$ref" in part:
            name = str(part["$ref"]).rsplit("/", 1)[-1]
            return name, (self._old if old else self._new)[name]
        return None, part


def _compare(old: Any, new: Any, names: _Names, where: str, seen: frozenset[str]) -> Iterator[str]:
    name, old = names.resolve(old, old=True)
    _, new = names.resolve(new, old=False)
    if name is not None:
        if name in seen:
            return
        seen |= {name}
    if not (isinstance(old, Mapping) and isinstance(new, Mapping)):
        if old != new:
            yield f"{_place(where)} changed from {old!r} to {new!r}"
        return
    if "properties" in old or "properties" in new:
        yield from _compare_fields(old, new, names, where, seen)
    for key in sorted((old.keys() | new.keys()) - _WORDS - _FIELDS - {"$defs", "$ref", "default"}):
        before, after = old.get(key), new.get(key)
        if key in ("items", "additionalProperties"):
            yield from _compare(before, after, names, f"{where}[]", seen)
        elif key in ("anyOf", "prefixItems"):
            yield from _compare_list(before, after, names, where, seen)
        elif before != after:
            yield f"{_place(where)} has another {key}: {before!r} became {after!r}"


def _compare_fields(
    old: Mapping[str, Any], new: Mapping[str, Any], names: _Names, where: str, seen: frozenset[str]
) -> Iterator[str]:
    before, after = old.get("properties", {}), new.get("properties", {})
    needed, needs = set(old.get("required", ())), set(new.get("required", ()))
    for field in sorted(before.keys() | after.keys()):
        path = f"{where}.{field}" if where else field
        if field not in after:
            yield f"the field {path!r} was removed"
        elif field not in before:
            if field in needs:
                yield f"the new field {path!r} is required, which old values do not have"
        elif field in needs - needed:
            yield f"the field {path!r} became required, which old values may not have"
        elif field in needed - needs:
            yield f"the field {path!r} became optional, which old consumers require"
        else:
            yield from _compare(before[field], after[field], names, path, seen)
    if old.get("additionalProperties", True) is False and after.keys() - before.keys():
        yield f"{_place(where)} refuses unknown fields, so that none can be added"


def _compare_list(
    old: Any, new: Any, names: _Names, where: str, seen: frozenset[str]
) -> Iterator[str]:
    if not (isinstance(old, list) and isinstance(new, list) and len(old) == len(new)):
        yield f"{_place(where)} has other alternatives"
        return
    for before, after in zip(old, new, strict=True):
        yield from _compare(before, after, names, where, seen)


def _place(where: str) -> str:
    return f"the field {where!r}" if where else "the value"
