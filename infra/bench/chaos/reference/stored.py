"""The rows of what is stored as it was told: facts that have ended, each once. Pure."""

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any

import msgspec

from infra.bench.chaos.reference.log import KEYS, Decoded, Key, Row, by_key
from streams.contracts.pos import Basket
from streams.contracts.signage import Decision, Play
from streams.contracts.vision import Audience, Crossing, Dwell, DwellBatch, Gaze, GazeBatch

#: What a decision was made of; whoever wants it reads the log.
_OF_DECISIONS_NOT_STORED = (
    "shown_since_ms",
    "shown_reason",
    "adaptive",
    "before_ms",
    "minute",
    "priced",
    "shown",
    "weekday",
)


def stored_as_told(decoded: Sequence[Decoded]) -> dict[str, dict[Key, Row]]:
    """The rows of facts that have ended, each once."""
    rows: dict[str, list[Row]] = {table: [] for table in KEYS}
    for each in decoded:
        for table, row in _rows(each.event):
            rows[table].append(row)
    return {table: by_key(table, found) for table, found in rows.items()}


def _rows(event: Any) -> list[tuple[str, Row]]:
    match event:
        case GazeBatch():
            ended = [gaze for gaze in event.events if gaze.phase == "ended"]
            return [("gaze", _event_row(gaze, event)) for gaze in ended]
        case DwellBatch():
            stays = [d for d in event.events if d.phase == "ended" and not d.excluded]
            return [("dwell", _event_row(dwell, event)) for dwell in stays]
        case Audience():
            return [("presence", _presence_row(event, n)) for n in range(len(event.presences))]
        case Crossing():
            return [("crossings", _renamed(msgspec.structs.asdict(event)))]
        case Play():
            return [("plays", _play_row(event))] if event.phase == "ended" else []
        case Decision():
            return [("decisions", _decision_row(event))]
        case Basket():
            return _basket_rows(event)
        case _:
            return []


def _renamed(fields: Mapping[str, Any]) -> Row:
    """Columns are called as fields, but times have no unit in their name."""
    return {name.removesuffix("_ms") if "_at_ms" in name else name: v for name, v in fields.items()}


def _traced(fields: dict[str, Any]) -> Row:
    """The trace's fields stand beside the others."""
    trace = fields.pop("trace")
    names = ("cause_id", "captured_at_ms", "inferred_at_ms", "sent_at_ms")
    return _renamed(fields | {name: getattr(trace, name, None) for name in names})


def _without(fields: dict[str, Any], *names: str) -> dict[str, Any]:
    return {name: value for name, value in fields.items() if name not in names}


def _event_row(event: Gaze | Dwell, batch: GazeBatch | DwellBatch) -> Row:
    sender = {name: getattr(batch, name) for name in ("store_id", "area_id", "gateway_id")}
    return sender | _traced(_without(msgspec.structs.asdict(event), "phase", "excluded"))


def _presence_row(audience: Audience, number: int) -> Row:
    names = ("store_id", "area_id", "gateway_id", "camera_id")
    sender = {name: getattr(audience, name) for name in names}
    presence = msgspec.structs.asdict(audience.presences[number])
    return sender | _renamed(_without(presence, "watched"))


def _play_row(play: Play) -> Row:
    return _traced(_without(msgspec.structs.asdict(play), "phase", "prices"))


def _decision_row(decision: Decision) -> Row:
    row = _traced(_without(msgspec.structs.asdict(decision), *_OF_DECISIONS_NOT_STORED))
    row["slot_start"] = row.pop("slot_start_ms")
    for name in ("context", "candidates"):
        row[name] = [msgspec.to_builtins(each) for each in row[name]]
    for name in ("features", "stock", "barred"):
        row[name] = msgspec.to_builtins(row[name]) if row.get(name) else None
    return row


def _basket_rows(basket: Basket) -> list[tuple[str, Row]]:
    same = {
        "store_id": basket.store_id,
        "basket_id": basket.basket_id,
        "closed_at": basket.closed_at_ms,
    }
    head = same | {
        "area_id": basket.area_id,
        "currency": basket.currency,
        "basket_units": sum((line.units for line in basket.lines), Decimal()),
        "basket_value": sum((line.net_value for line in basket.lines), Decimal()),
        "simulated": basket.simulated,
    }
    lines = [
        ("basket_lines", same | {"line_no": number} | msgspec.structs.asdict(line))
        for number, line in enumerate(basket.lines, start=1)
    ]
    return [("baskets", head), *lines]
