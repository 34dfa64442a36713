"""A planogram from a table: which stretch of shelf is which zone. CSV in, zones of a layout out."""

import csv
import io
import math
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from infra.calibrate.layout_file import Data
from infra.errors import UserError

_COLUMNS = ("zone_id", "name", "category", "x0_m", "z0_m", "x1_m", "z1_m")
_MAY = ("area_id", "skus")

#: A layout has at most 10,000 zones; a line of a planogram some 200 characters.
_MOST_BYTES, _MOST_ROWS, _MOST_SKUS = 4 * 1024 * 1024, 10_000, 1_000

#: Longer shelves are several areas.
_LONGEST_M, _HIGHEST_M = 200.0, 10.0

#: What may stand in an id: it becomes a key on Kafka and a part of addresses.
_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.+-]{0,127}")


@dataclass(frozen=True, slots=True)
class Row:
    """One zone of a planogram. `face`: (x0, z0, x1, z1) in metres, as in the layout."""

    line: int
    zone_id: str
    name: str
    category: str | None
    face: tuple[float, float, float, float]
    area_id: str | None
    skus: tuple[str, ...]


def read_planogram(path: Path) -> list[Row]:
    """The rows of a planogram file: comma or semicolon between columns, a dot in numbers; articles
    (skus) parted by spaces or |.

    Raises:
        UserError: names the line and the column that is wrong.
    """
    try:
        with path.open("rb") as file:
            content = file.read(_MOST_BYTES + 1)
        if len(content) > _MOST_BYTES:
            raise UserError(f"the planogram {path} is larger than {_MOST_BYTES} bytes; split it")
        text = content.decode("utf-8-sig")
    except OSError as error:
        raise UserError(
            f"the planogram {path} cannot be read ({error.strerror}); name a CSV file"
        ) from error
    except UnicodeDecodeError as error:
        raise UserError(
            f"the planogram {path} is no text in UTF-8; save it as CSV UTF-8"
        ) from error
    return parse_planogram(text, str(path))


def parse_planogram(text: str, what: str = "planogram") -> list[Row]:
    """See `read_planogram`."""
    head = text.split("\n", 1)[0]
    table = csv.reader(
        io.StringIO(text, newline=""), delimiter=";" if ";" in head else ",", strict=True
    )
    rows: list[Row] = []
    columns: list[str] | None = None
    try:
        for cells in table:
            if not any(cell.strip() for cell in cells):
                continue
            if columns is None:
                columns = _columns(cells, what)
                continue
            if len(rows) >= _MOST_ROWS:
                raise UserError(f"{what} has more than {_MOST_ROWS} zones; split it by areas")
            rows.append(_row(cells, columns, what, table.line_num))
    except csv.Error as error:
        raise UserError(
            f"{what}, line {table.line_num}: no row of a table ({error}); save it as CSV anew"
        ) from error
    if not rows:
        raise UserError(f"{what} holds no zone; give a head line and a line for each zone")
    _check(rows, what)
    return rows


def _columns(cells: list[str], what: str) -> list[str]:
    columns = [cell.strip().lower() for cell in cells]
    missing = [name for name in _COLUMNS if name not in columns]
    if missing:
        raise UserError(
            f"{what}, line 1: the column {missing[0]} is missing; the head line names "
            f"{', '.join(_COLUMNS)} and may name {' and '.join(_MAY)}"
        )
    strange = [name for name in columns if name not in (*_COLUMNS, *_MAY)]
    if strange or len(set(columns)) != len(columns):
        name = strange[0] if strange else next(c for c in columns if columns.count(c) > 1)
        raise UserError(
            f"{what}, line 1: the column {name!r} is "
            f"{'not known' if strange else 'there twice'}; remove it"
        )
    return columns


def _row(cells: list[str], columns: list[str], what: str, line: int) -> Row:
    if len(cells) != len(columns):
        raise UserError(
            f"{what}, line {line}: {len(cells)} cells for {len(columns)} columns; put texts with "
            "commas in quotes"
        )
    given = {name: cell.strip() for name, cell in zip(columns, cells, strict=True)}

    def wrong(column: str, why: str) -> UserError:
        return UserError(f"{what}, line {line}, column {column}: {why}")

    def name(column: str) -> str:
        if not _ID.fullmatch(given[column]):
            raise wrong(
                column,
                f"{given[column][:40]!r} is no id; use letters, digits and . _ + -, "
                "128 at the most",
            )
        return given[column]

    def metres(column: str, most: float) -> float:
        try:
            value = float(given[column])
        except ValueError:
            value = math.nan
        if not math.isfinite(value) or abs(value) > most:
            raise wrong(
                column,
                f"{given[column][:40]!r} is no length up to {most:g} m; write metres such as 1.25",
            )
        return value

    face = (
        metres("x0_m", _LONGEST_M),
        metres("z0_m", _HIGHEST_M),
        metres("x1_m", _LONGEST_M),
        metres("z1_m", _HIGHEST_M),
    )
    for low, high, column in ((0, 2, "x1_m"), (1, 3, "z1_m")):
        if face[low] >= face[high]:
            raise wrong(column, f"{face[high]:g} must be greater than {face[low]:g}; exchange them")
    if not 0 < len(given["name"]) <= 500:
        raise wrong("name", "a name has 1 to 500 characters; give one that people know")
    skus = tuple(given.get("skus", "").replace("|", " ").split())
    if len(skus) > _MOST_SKUS or any(len(sku) > 128 for sku in skus):
        raise wrong("skus", f"at most {_MOST_SKUS} articles of 128 characters; split the zone")
    return Row(
        line,
        name("zone_id"),
        given["name"],
        name("category") if given["category"] else None,
        face,
        name("area_id") if given.get("area_id") else None,
        skus,
    )


def _check(rows: list[Row], what: str) -> None:
    seen: dict[str, Row] = {}
    for row in rows:
        before = seen.setdefault(row.zone_id, row)
        if before is not row:
            raise UserError(
                f"{what}, line {row.line}, column zone_id: {row.zone_id!r} is in line "
                f"{before.line} already; give each zone one line"
            )
    for index, row in enumerate(rows):
        for other in rows[:index]:
            a, b = row.face, other.face
            apart = a[2] <= b[0] or b[2] <= a[0] or a[3] <= b[1] or b[3] <= a[1]
            if row.area_id == other.area_id and not apart:
                raise UserError(
                    f"{what}, line {row.line}, column x0_m: {row.zone_id!r} overlaps "
                    f"{other.zone_id!r} of line {other.line}; correct one of the two"
                )


def merge_planogram(data: Data, rows: list[Row]) -> tuple[int, int]:
    """Puts the rows into a layout's data: a zone that is there keeps its floor and its rules.

    Returns how many zones were changed and how many are new. Raises UserError.
    """
    areas = [area["area_id"] for area in data["areas"]]
    zones: list[Any] = data.setdefault("zones", [])
    known = {zone["zone_id"]: zone for zone in zones}
    changed = new = 0
    for row in rows:
        if row.area_id is not None and row.area_id not in areas:
            raise UserError(
                f"line {row.line}, column area_id: the layout has no area {row.area_id!r}; it has "
                f"{', '.join(areas)}"
            )
        if row.zone_id not in known and row.area_id is None and len(areas) > 1:
            raise UserError(
                f"line {row.line}: the layout has {len(areas)} areas, so the new zone "
                f"{row.zone_id!r} needs a column area_id"
            )
        zone = known.get(row.zone_id)
        if zone is None:
            zone = {"zone_id": row.zone_id, "area_id": row.area_id or areas[0]}
            zones.append(zone)
            new += 1
        else:
            changed += 1
        zone["name"] = row.name
        zone["face"] = list(row.face)
        if row.area_id is not None:
            zone["area_id"] = row.area_id
        if row.category is not None:
            zone["category"] = row.category
        if row.skus:
            zone["skus"] = list(row.skus)
    return changed, new
