"""Changes a layout file in place: what is not changed keeps its comments and its form, the file as
it was is kept beside it, and nothing is written that is not a valid layout.
"""

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
import yaml

from infra.errors import UserError
from infra.layouts import load_layout
from streams.contracts.layout import StoreLayout

Data = dict[str, Any]

#: The lists of a layout whose elements are told apart by their id.
_LISTS = {
    "zones": "zone_id",
    "screens": "screen_id",
    "cameras": "camera_id",
    "lines": "line_id",
}

_WIDTH = 100


@dataclass(frozen=True, slots=True)
class Saved:
    """What was written, and where the file as it was is kept. `comments_kept` False: the form of
    the file did not allow to change parts of it, so it was written anew as a whole."""

    path: Path
    backup: Path
    layout: StoreLayout
    comments_kept: bool


def change_layout(
    path: Path, change: Callable[[Data], None], stamp: str, out: Path | None = None
) -> Saved:
    """Applies `change` to the plain data of the layout in `path` and writes it.

    Arguments:
        change: changes the data in place.
        stamp: goes into the backup's name.
        out: another file to write; then the first stays as it is and is its own backup.

    Raises:
        UserError: `path` or the result is no valid layout, or cannot be written.
    """
    load_layout(path)
    text = path.read_text()
    old: Data = yaml.safe_load(text)
    new: Data = yaml.safe_load(text)
    change(new)
    try:
        # Through JSON's types, as the file will be read.
        layout = msgspec.convert(msgspec.to_builtins(new), StoreLayout, strict=True)
    except msgspec.ValidationError as error:
        raise UserError(f"the layout {path} would not be valid ({error}); mend it first") from error
    new = msgspec.to_builtins(new)
    edited = _edited(text, old, new)
    target = out or path
    backup = path if out is not None else path.with_name(f"{path.name}.{stamp}.bak")
    try:
        if out is None:
            backup.write_text(text)
        draft = target.with_name(f".{target.name}.draft")
        draft.write_text(_dump(new, 0) + "\n" if edited is None else edited)
        os.replace(draft, target)
    except OSError as error:
        raise UserError(
            f"the layout {target} cannot be written ({error.strerror}); mend its permissions or "
            "name another file with --out"
        ) from error
    return Saved(target, backup, layout, edited is not None)


def camera_in(data: Data, camera_id: str) -> Data:
    """The camera's part of a layout's data. Raises UserError."""
    return element_in(data, "cameras", camera_id)


def element_in(data: Data, kind: str, name: str) -> Data:
    """One zone, screen, camera or line of a layout's data, by its id. Raises UserError."""
    key = _LISTS[kind]
    for element in data.get(kind) or []:
        if element.get(key) == name:
            found: Data = element
            return found
    known = ", ".join(str(e.get(key)) for e in data.get(kind) or []) or "none"
    raise UserError(f"the layout has no {kind[:-1]} {name!r}; name one of: {known}")


def _edited(text: str, old: Data, new: Data) -> str | None:
    """The text with what differs replaced; None where its form does not allow it."""
    root = yaml.compose(text, Loader=yaml.SafeLoader)
    if not isinstance(root, yaml.MappingNode) or root.flow_style:
        return None
    nodes = {key.value: (key, value) for key, value in root.value}
    splices: list[tuple[int, int, str]] = []
    tail = ""
    for name, value in new.items():
        if name in old and old[name] == value:
            continue
        if name not in nodes:
            tail += _dump({name: value}, 0) + "\n"
            continue
        key, node = nodes[name]
        parts = _elements(name, node, old.get(name), value)
        if parts is None:
            whole = _dump({name: value}, 0)
            parts = [(key.start_mark.index, _end(text, node), whole)]
        splices += parts
    for begin, end, part in sorted(splices, reverse=True):
        text = text[:begin] + part + text[end:]
    if tail:
        text = text.rstrip("\n") + "\n" + tail
    return text if _reads_as(text, new) else None


def _elements(name: str, node: Any, old: Any, new: Any) -> list[tuple[int, int, str]] | None:
    """The changed elements of a block list, where none came, went or changed places."""
    key = _LISTS.get(name)
    if key is None or not isinstance(node, yaml.SequenceNode) or node.flow_style:
        return None
    if [e.get(key) for e in old] != [e.get(key) for e in new]:
        return None
    text = node.start_mark.buffer
    if text is None:
        return None
    plain = text.rstrip("\0")
    found: list[tuple[int, int, str]] = []
    for part, before, after in zip(node.value, old, new, strict=True):
        if before != after:
            begin, indent = part.start_mark.index, part.start_mark.column
            found.append((begin, _end(plain, part), _dump(after, indent).lstrip()))
    return found


def _end(text: str, node: Any) -> int:
    """Where a node ends, without the blank lines and comments that belong to what follows."""
    end = int(node.end_mark.index)
    lines = text[int(node.start_mark.index) : end].split("\n")
    while len(lines) > 1 and (not lines[-1].strip() or lines[-1].lstrip().startswith("#")):
        lines.pop()
    return int(node.start_mark.index) + len("\n".join(lines))


def _reads_as(text: str, data: Data) -> bool:
    try:
        return bool(yaml.safe_load(text) == data)
    except yaml.YAMLError:
        return False


class _Dumper(yaml.SafeDumper):
    """Indents lists below their key, and writes rows of numbers in one line."""

    def increase_indent(self, flow: bool = False, indentless: bool = False) -> Any:
        """See `yaml.SafeDumper`."""
        return super().increase_indent(flow, False)


def _list(dumper: _Dumper, values: Sequence[Any]) -> yaml.Node:
    flat = not any(isinstance(v, dict) for v in values)
    return dumper.represent_sequence("tag:yaml.org,2002:seq", values, flow_style=flat)


_Dumper.add_representer(list, _list)
_Dumper.add_representer(tuple, _list)


def _dump(value: Any, indent: int) -> str:
    text = yaml.dump(
        value, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=_WIDTH - indent
    ).rstrip("\n")
    pad = " " * indent
    return "\n".join(pad + line if line else line for line in text.split("\n"))
