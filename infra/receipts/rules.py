"""How a till's files are to be read: names of columns, times, and what no till would sell."""

from pathlib import Path
from typing import Annotated, Any, Literal
from zoneinfo import ZoneInfo, available_timezones

import msgspec
import yaml
from msgspec import Meta, Struct

from infra.receipts.errors import MappingError
from streams.contracts.layout import StoreLayout
from streams.contracts.pos import ReceiptKind

#: A mapping is a page of text at the most.
_MOST_BYTES = 64 * 1024

#: What a receipt has, and what each of its lines.
FIELDS = ("receipt", "till", "closed_at", "currency", "kind", "voids")
LINE_FIELDS = ("sku", "category", "units", "value")


class Mapping(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The mapping file (YAML). Every key has a default, so that a small one will do.

    `columns`: our field to the file's column (or JSON key). `time`: `iso` (ISO 8601, with an offset
    or in `zone`), `epoch_s`, `epoch_ms`, or a pattern of strptime. `kinds`: the file's words to
    ours. `count_as_one`: categories whose quantities are no pieces (fuel in millilitres): a line of
    them is one unit, whatever it says. `most_units`, `most_value`: a line beyond them is refused.
    """

    columns: dict[str, str] = {}
    lines: str = "lines"
    delimiter: Annotated[str, Meta(min_length=1, max_length=1)] = ","
    decimal: Literal[".", ","] = "."
    encoding: str = "utf-8-sig"
    time: str = "iso"
    zone: str | None = None
    kinds: dict[str, ReceiptKind] = {}
    currency: str | None = None
    area: str | None = None
    category: str = "unknown"
    count_as_one: tuple[str, ...] = ()
    most_units: Annotated[int, Meta(ge=1)] = 10_000
    most_value: Annotated[int, Meta(ge=1)] = 1_000_000
    oldest_days: Annotated[int, Meta(ge=1, le=3_650)] = 90
    ahead_s: Annotated[int, Meta(ge=0)] = 300

    def column(self, field: str) -> str:
        """The file's name of a field of ours."""
        return self.columns.get(field, field)


class Rules(Struct, frozen=True, kw_only=True):
    """A mapping for one store, whole."""

    mapping: Mapping
    store_id: str
    area_id: str
    currency: str
    zone: str

    @property
    def time_zone(self) -> ZoneInfo:
        """Where times without an offset are."""
        return ZoneInfo(self.zone)


def rules_of(mapping: Mapping, layout: StoreLayout) -> Rules:
    """The rules of a store. Raises MappingError where the two do not fit."""
    areas = [area.area_id for area in layout.areas]
    if mapping.area is not None and mapping.area not in areas:
        raise MappingError(
            f"the mapping's area {mapping.area!r} is none of the store's; give one of {areas}"
        )
    unknown = set(mapping.columns) - {*FIELDS, *LINE_FIELDS}
    if unknown:
        raise MappingError(
            f"the mapping names a column for {sorted(unknown)[0]!r}, which no receipt has; "
            f"fields are {', '.join((*FIELDS, *LINE_FIELDS))}"
        )
    zone = mapping.zone or layout.time_zone
    if zone not in available_timezones():
        raise MappingError(f"the time zone {zone!r} is not known; give one such as Europe/Berlin")
    try:
        "".encode(mapping.encoding)
    except LookupError as error:
        raise MappingError(
            f"the encoding {mapping.encoding!r} is not known; give one such as utf-8 or cp1252"
        ) from error
    return Rules(
        mapping=mapping,
        store_id=layout.store_id,
        area_id=mapping.area or areas[0],
        currency=mapping.currency or layout.currency,
        zone=zone,
    )


def load_mapping(path: Path | None) -> Mapping:
    """The mapping in a file; the defaults where there is none. Raises MappingError."""
    if path is None:
        return Mapping()
    try:
        with path.open("rb") as file:
            text = file.read(_MOST_BYTES + 1)
    except OSError as error:
        raise MappingError(f"the mapping {path} cannot be read ({error.strerror})") from error
    if len(text) > _MOST_BYTES:
        raise MappingError(f"the mapping {path} is larger than {_MOST_BYTES} bytes; name another")
    try:
        data: Any = yaml.safe_load(text)
        return msgspec.convert({} if data is None else data, Mapping, strict=True)
    except (yaml.YAMLError, msgspec.ValidationError, ValueError, RecursionError) as error:
        why = str(error).splitlines()[0][:160]
        raise MappingError(f"the mapping {path} is not valid ({why}); correct it there") from error
