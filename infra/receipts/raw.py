"""From bytes to receipts as they were told: CSV, JSON and JSON lines. Pure.

Nothing here judges values, and nothing here fails: what cannot be read is told with its reason.
"""

import csv
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Literal

import msgspec

from infra.receipts.rules import FIELDS, LINE_FIELDS, Rules
from streams.contracts.pos import RefusalReason

Format = Literal["csv", "json"]

#: A receipt has no more lines than a message may carry.
MOST_LINES = 1_000

#: One receipt is never larger; the limit of a broker's message is.
MOST_RECEIPT_CHARS = 500_000

#: A quoted field may hold line breaks; a stray quote must not swallow the file.
_MOST_JOINED = 20

Fields = dict[str, Any]


@dataclass(frozen=True, slots=True)
class RawReceipt:
    """A receipt as it was told: its fields under our names, its lines likewise."""

    place: str
    text: str
    fields: Fields
    lines: tuple[Fields, ...]


@dataclass(frozen=True, slots=True)
class Unreadable:
    """A piece that is no receipt."""

    place: str
    text: str
    reason: RefusalReason
    detail: str


@dataclass(slots=True)
class _Gathered:
    """The rows of one receipt of a CSV file."""

    place: str
    fields: Fields
    lines: list[Fields] = field(default_factory=list)
    texts: list[str] = field(default_factory=list)
    problem: str | None = None


Piece = RawReceipt | Unreadable


def format_of(name: str) -> Format:
    """By a file's name; what is not .csv is taken for JSON or JSON lines.

    >>> format_of("day.CSV"), format_of("day.jsonl")
    ('csv', 'json')
    """
    return "csv" if name.lower().endswith((".csv", ".tsv", ".txt")) else "json"


def read(content: bytes, form: Format, rules: Rules) -> Iterator[Piece]:
    """The pieces of a file, in its order."""
    if form == "csv":
        yield from _read_csv(content, rules)
    else:
        yield from _read_json(content, rules)


# ── JSON ─────────────────────────────────────────────────────────────────────────────────────────


def _read_json(content: bytes, rules: Rules) -> Iterator[Piece]:
    """One document (a receipt, or a list of them), or one receipt a line."""
    whole = content.strip().removeprefix(b"\xef\xbb\xbf")
    if not whole:
        return
    try:
        document = msgspec.json.decode(whole)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        document = None
    if isinstance(document, list):
        for number, each in enumerate(document, start=1):
            text = msgspec.json.encode(each).decode(errors="replace")
            yield _from_json(each, f"receipt {number}", text, rules)
        return
    if document is not None:
        yield _from_json(document, "receipt 1", whole.decode(errors="replace"), rules)
        return
    for number, line in enumerate(whole.splitlines(), start=1):
        if not line.strip():
            continue
        place, text = f"line {number}", line.decode(errors="replace")
        if len(text) > MOST_RECEIPT_CHARS:
            yield Unreadable(place, text, "too-large", _too_large(text))
            continue
        try:
            data = msgspec.json.decode(line)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            yield Unreadable(place, text, "unreadable", f"it is no JSON ({error})")
            continue
        yield _from_json(data, place, text, rules)


def _from_json(data: Any, place: str, text: str, rules: Rules) -> Piece:
    mapping = rules.mapping
    if len(text) > MOST_RECEIPT_CHARS:
        return Unreadable(place, text, "too-large", _too_large(text))
    if not isinstance(data, dict):
        return Unreadable(place, text, "unreadable", "it is no receipt but another kind of JSON")
    lines = data.get(mapping.lines, [])
    if not isinstance(lines, list) or not all(isinstance(line, dict) for line in lines):
        return Unreadable(place, text, "lines", f"its {mapping.lines!r} are no list of lines")
    return RawReceipt(
        place,
        text,
        {name: data.get(mapping.column(name)) for name in FIELDS},
        tuple({name: line.get(mapping.column(name)) for name in LINE_FIELDS} for line in lines),
    )


def _too_large(text: str) -> str:
    return f"it has {len(text)} characters; no receipt has more than {MOST_RECEIPT_CHARS}"


# ── CSV ──────────────────────────────────────────────────────────────────────────────────────────


def _read_csv(content: bytes, rules: Rules) -> Iterator[Piece]:
    """A row a line of a receipt; the rows of one receipt need not be neighbours. A receipt of which
    a row cannot be read is refused as a whole: without a line it would be a wrong one.
    """
    rows = _rows(content, rules)
    try:
        number, _, header = next(rows)
    except StopIteration:
        return
    names = [name.strip() for name in header]
    missing = [
        f
        for f in ("receipt", "closed_at", "units", "value")
        if rules.mapping.column(f) not in names
    ]
    if missing:
        wanted = rules.mapping.column(missing[0])
        yield Unreadable(
            f"line {number}", ",".join(header), "missing", f"the heading has no column {wanted!r}"
        )
        return
    at = {
        name: names.index(rules.mapping.column(name))
        for name in (*FIELDS, *LINE_FIELDS)
        if rules.mapping.column(name) in names
    }
    gathered: dict[tuple[Any, Any], _Gathered] = {}
    for number, text, row in rows:
        if not any(cell.strip() for cell in row):
            continue
        cells = {name: row[i].strip() if i < len(row) else None for name, i in at.items()}
        # Rows without a number belong to nobody: each is refused for itself.
        key = (cells.get("till"), cells.get("receipt") or number)
        if len(row) != len(names) and not cells.get("receipt"):
            yield Unreadable(f"line {number}", text, "unreadable", _columns(row, names))
            continue
        found = gathered.get(key)
        if found is None:
            fields = {name: cells.get(name) for name in FIELDS}
            found = gathered[key] = _Gathered(f"line {number}", fields)
        if len(row) != len(names):
            found.problem = found.problem or _columns(row, names)
        found.lines.append({name: cells.get(name) for name in LINE_FIELDS})
        found.texts.append(text)
    for each in gathered.values():
        text = "\n".join(each.texts)
        if each.problem is not None:
            yield Unreadable(each.place, text, "unreadable", each.problem)
        elif len(text) > MOST_RECEIPT_CHARS:
            yield Unreadable(each.place, text, "too-large", _too_large(text))
        else:
            yield RawReceipt(each.place, text, each.fields, tuple(each.lines))


def _columns(row: list[str], names: list[str]) -> str:
    return f"a row has {len(row)} columns and the heading {len(names)}"


def _rows(content: bytes, rules: Rules) -> Iterator[tuple[int, str, list[str]]]:
    """Number, text and cells of each row. Lines are joined while a quote is open, a few at most."""
    text = content.decode(rules.mapping.encoding, errors="replace")
    lines = text.replace("\r\n", "\n").replace("\r", "\n").split("\n")
    number = 0
    while number < len(lines):
        taken = 1
        while (
            lines[number].count('"') % 2
            and taken < _MOST_JOINED
            and number + taken < len(lines)
            and "\n".join(lines[number : number + taken]).count('"') % 2
        ):
            taken += 1
        joined = "\n".join(lines[number : number + taken])
        if joined.count('"') % 2:
            taken, joined = 1, lines[number]
        yield number + 1, joined, _cells(joined, rules.mapping.delimiter)
        number += taken


def _cells(text: str, delimiter: str) -> list[str]:
    """The cells of one row. The reader refuses a cell of more than 128 KiB: then it is one cell."""
    try:
        return next(
            csv.reader([text] if "\n" not in text else text.splitlines(True), delimiter=delimiter),
            [],
        )
    except csv.Error:
        return [text]
