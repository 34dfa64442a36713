"""Reads a layout file (YAML) into the contract's struct, or says in one sentence what is wrong."""

import re
from pathlib import Path
from typing import Any

import msgspec
import yaml

from infra.errors import UserError
from infra.plain_yaml import plain_values
from streams.contracts.layout import StoreLayout

#: A chain's largest store has some thousand zones: a larger file is not a layout.
MAX_LAYOUT_BYTES = 4 * 1024 * 1024

#: How msgspec says where: a path at the end of its text.
_PLACE = re.compile(r"^(?P<what>.*) - at `\$\.?(?P<where>.*)`$", re.DOTALL)


def load_layout(path: Path) -> StoreLayout:
    """The layout in `path`.

    Raises:
        UserError: no such file, not readable, no YAML, or not a valid layout.
    """
    text = _read(path)
    try:
        data = plain_values(text)
    except yaml.YAMLError as error:
        where = getattr(error, "problem_mark", None)
        line = f", line {where.line + 1}" if where is not None else ""
        why = getattr(error, "problem", None) or getattr(error, "reason", None) or "unreadable"
        raise UserError(
            f"the layout {path} is no valid YAML ({why}{line}); mend it there"
        ) from error
    except (ValueError, RecursionError) as error:
        # A date or a number that is none, or brackets without end.
        raise UserError(
            f"the layout {path} is no valid YAML ({str(error)[:120]}); mend that value"
        ) from error
    if not isinstance(data, dict):
        raise UserError(
            f"the layout {path} holds no layout but {_kind(data)}; give its keys, as "
            "examples/store.yaml does"
        )
    try:
        layout = msgspec.convert(data, StoreLayout, strict=True)
    except msgspec.ValidationError as error:
        raise UserError(
            f"the layout {path} is not valid: {_said(error)}; correct it there"
        ) from error
    unknown = _unknown(data, msgspec.to_builtins(layout))
    if unknown is not None:
        raise UserError(f"the layout {path} is not valid: {unknown}; correct it there")
    return layout


def _read(path: Path) -> str:
    try:
        with path.open("rb") as file:
            content = file.read(MAX_LAYOUT_BYTES + 1)
        if len(content) > MAX_LAYOUT_BYTES:
            raise UserError(
                f"the layout {path} is larger than {MAX_LAYOUT_BYTES} bytes; "
                "name a layout file such as examples/store.yaml"
            )
        return content.decode()
    except FileNotFoundError:
        raise UserError(
            f"there is no layout {path}; give one with --layout, such as examples/store.yaml"
        ) from None
    except UnicodeDecodeError as error:
        raise UserError(
            f"the layout {path} is no text (it is not UTF-8); name a YAML file"
        ) from error
    except OSError as error:
        raise UserError(
            f"the layout {path} cannot be read ({error.strerror}); mend its permissions or name "
            "another file"
        ) from error


def _unknown(given: Any, taken: Any, where: str = "") -> str | None:
    """The first key of a file that the contract does not know, in words; None if it knows all."""
    if isinstance(given, dict):
        for key, value in given.items():
            if key not in taken:
                place = f"in {where} " if where else ""
                return f"{place}object contains unknown field '{key}'"
            found = _unknown(value, taken[key], f"{where}.{key}" if where else str(key))
            if found is not None:
                return found
    elif isinstance(given, list):
        for number, (value, kept) in enumerate(zip(given, taken, strict=True)):
            found = _unknown(value, kept, f"{where}[{number}]")
            if found is not None:
                return found
    return None


def _said(error: msgspec.ValidationError) -> str:
    """What msgspec says, with the place first and without its marks."""
    found = _PLACE.match(str(error))
    if found is None:
        return str(error).replace("`", "'")
    where, what = found["where"], found["what"].replace("`", "'")
    what = what[:1].lower() + what[1:]
    return f"in {where} {what}" if where else what


def _kind(data: object) -> str:
    names = {list: "a list", str: "a text", type(None): "nothing"}
    return names.get(type(data), "a single value")
