"""Whether a receipt can be believed: from what was told to a basket, or to the reason why not.

Pure. The rules, in this order: all fields are there; number and time can be read; it closed neither
in the future (beyond some minutes of a clock) nor longer ago than the mapping says; the currency is
one of ISO 4217; there are 1 to 1,000 lines; each has a number of units and a value that a till
prints. A line of a category that is counted as one has one unit whatever it says: fuel comes in
millilitres.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from typing import Any

from infra.receipts.currencies import CURRENCIES
from infra.receipts.raw import MOST_LINES, Fields, RawReceipt
from infra.receipts.rules import Rules
from streams.contracts.ids import event_id
from streams.contracts.pos import Basket, BasketLine, ReceiptKind, RefusalReason

_DAY_MS = 86_400_000
_LATEST_MS = 4_102_444_800_000

#: As in the contract: an id has this many characters at most.
_MOST_ID = 128

#: A number longer than this is no amount, and costs time to read.
_MOST_DIGITS = 40

#: The database keeps four places.
_PLACES = Decimal("0.0001")

#: Finds the basket that a void takes back: by till and number.
Find = Callable[[str, str], Basket | None]

_WORDS: dict[str, ReceiptKind] = {"": "sale", "sale": "sale", "return": "return", "void": "void"}


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why a receipt was refused. `detail` may hold what the receipt said: mask it."""

    reason: RefusalReason
    detail: str


class _RefusedError(Exception):
    def __init__(self, reason: RefusalReason, detail: str) -> None:
        super().__init__(detail)
        self.refusal = Refusal(reason, detail)


def check(raw: RawReceipt, rules: Rules, now_ms: int, find: Find) -> Basket | Refusal:
    """The basket, or why there is none."""
    try:
        return _basket(raw, rules, now_ms, find)
    except _RefusedError as refused:
        return refused.refusal


def till_and_number(raw: RawReceipt) -> tuple[str, str]:
    """By which a store knows a receipt."""
    return _text(raw.fields, "till", needed=False), _text(raw.fields, "receipt")


def _basket(raw: RawReceipt, rules: Rules, now_ms: int, find: Find) -> Basket:
    till, number = till_and_number(raw)
    kind = _kind(raw.fields, rules)
    closed_at_ms = _time(raw.fields, rules)
    if closed_at_ms > now_ms + 1_000 * rules.mapping.ahead_s:
        raise _RefusedError("future", "it closes in the future; set the till's clock")
    if closed_at_ms < now_ms - rules.mapping.oldest_days * _DAY_MS:
        days = rules.mapping.oldest_days
        raise _RefusedError("too-old", f"it closed more than {days} days ago")
    currency = _text(raw.fields, "currency", needed=False).upper() or rules.currency
    if currency not in CURRENCIES:
        raise _RefusedError("currency", f"{currency!r} is no currency of ISO 4217")
    voided = _text(raw.fields, "voids", needed=False)
    if kind == "void":
        return _void(till, number, voided or number, rules, find)
    if voided:
        raise _RefusedError("void", "it names a receipt to take back and is no void")
    lines = _lines(raw, rules)
    if kind == "sale" and all(line.units < 0 or line.net_value < 0 for line in lines):
        kind = "return"
    day = datetime.fromtimestamp(closed_at_ms / 1_000, UTC).date().isoformat()
    return Basket(
        basket_id=event_id(rules.store_id, "receipt", till, number, day),
        store_id=rules.store_id,
        area_id=rules.area_id,
        closed_at_ms=closed_at_ms,
        currency=currency,
        lines=lines,
        kind=kind,
    )


def _void(till: str, number: str, voided: str, rules: Rules, find: Find) -> Basket:
    """The voided receipt with its signs turned, at the moment at which it was closed."""
    known = find(till, voided)
    if known is None:
        raise _RefusedError("void", f"it takes back receipt {voided!r}, which is not known here")
    return Basket(
        basket_id=event_id(rules.store_id, "void", known.basket_id),
        store_id=known.store_id,
        area_id=known.area_id,
        closed_at_ms=known.closed_at_ms,
        currency=known.currency,
        lines=tuple(
            BasketLine(
                sku=line.sku, category=line.category, units=-line.units, net_value=-line.net_value
            )
            for line in known.lines
        ),
        simulated=known.simulated,
        kind="void",
        voids=known.basket_id,
    )


def _lines(raw: RawReceipt, rules: Rules) -> tuple[BasketLine, ...]:
    if not 1 <= len(raw.lines) <= MOST_LINES:
        raise _RefusedError("lines", f"it has {len(raw.lines)} lines; 1 to {MOST_LINES} are taken")
    return tuple(_line(fields, i, rules) for i, fields in enumerate(raw.lines, start=1))


def _line(fields: Fields, number: int, rules: Rules) -> BasketLine:
    mapping = rules.mapping
    category = _text(fields, "category", needed=False) or mapping.category
    units = _number(fields, "units", number, rules)
    value = _number(fields, "value", number, rules)
    if category in mapping.count_as_one and units != 0:
        units = Decimal(1).copy_sign(units)
    if units == 0:
        raise _RefusedError("quantity", f"line {number} has no units")
    if abs(units) > mapping.most_units:
        raise _RefusedError(
            "quantity",
            f"line {number} has {units:f} units of {category!r}; no till sells more than "
            f"{mapping.most_units}, unless the category is one of `count_as_one`",
        )
    if abs(value) > mapping.most_value:
        raise _RefusedError(
            "value", f"line {number} costs {value:f}; no line costs more than {mapping.most_value}"
        )
    return BasketLine(
        sku=_text(fields, "sku", needed=False) or category,
        category=category,
        units=units,
        net_value=value,
    )


def _kind(fields: Fields, rules: Rules) -> ReceiptKind:
    word = _text(fields, "kind", needed=False)
    kind = rules.mapping.kinds.get(word) or _WORDS.get(word.lower())
    if kind is None:
        raise _RefusedError("format", f"{word!r} is no kind of receipt; map it under `kinds`")
    return kind


def _text(fields: Fields, name: str, *, needed: bool = True) -> str:
    """A field as an id: short, printable text."""
    value = fields.get(name)
    if isinstance(value, bool | float | dict | list):
        raise _RefusedError("format", f"its {name} is no text")
    text = "" if value is None else str(value).strip()
    if not text and needed:
        raise _RefusedError("missing", f"it has no {name}")
    if len(text) > _MOST_ID:
        raise _RefusedError("format", f"its {name} has more than {_MOST_ID} characters")
    if not text.isprintable():
        raise _RefusedError("format", f"its {name} holds characters that cannot be printed")
    return text


def _number(fields: Fields, name: str, line: int, rules: Rules) -> Decimal:
    value: Any = fields.get(name)
    if value is None or value == "":
        raise _RefusedError("missing", f"line {line} has no {name}")
    if isinstance(value, bool | dict | list):
        raise _RefusedError("format", f"the {name} of line {line} is no number")
    text = str(value).strip()
    if isinstance(value, str) and rules.mapping.decimal == ",":
        text = text.replace(".", "").replace(",", ".")
    try:
        if len(text) > _MOST_DIGITS:
            raise InvalidOperation
        number = Decimal(text)
    except InvalidOperation:
        raise _RefusedError(
            "format", f"the {name} of line {line} is no number: {text[:60]!r}"
        ) from None
    if not number.is_finite():
        raise _RefusedError("format", f"the {name} of line {line} is no number: {text!r}")
    if abs(number) >= Decimal(10) ** 12:
        reason: RefusalReason = "quantity" if name == "units" else "value"
        raise _RefusedError(reason, f"the {name} of line {line} is {text!r}")
    return number.quantize(_PLACES).normalize() + 0


def _time(fields: Fields, rules: Rules) -> int:
    value: Any = fields.get("closed_at")
    if value is None or value == "":
        raise _RefusedError("missing", "it has no closed_at")
    pattern = rules.mapping.time
    try:
        if pattern in ("epoch_s", "epoch_ms"):
            scale = 1_000 if pattern == "epoch_s" else 1
            at_ms = int(Decimal(str(value)) * scale)
        else:
            if not isinstance(value, str):
                raise ValueError
            text = value.strip()
            at = (
                datetime.fromisoformat(text)
                if pattern == "iso"
                else datetime.strptime(text, pattern)
            )
            if at.tzinfo is None:
                at = at.replace(tzinfo=rules.time_zone)
            at_ms = round(at.timestamp() * 1_000)
    except (ValueError, OverflowError, InvalidOperation, OSError):
        raise _RefusedError(
            "format",
            f"its closed_at {str(value)[:60]!r} is no time as the mapping has it ({pattern})",
        ) from None
    if not 0 <= at_ms <= _LATEST_MS:
        raise _RefusedError("format", f"its closed_at {str(value)[:60]!r} is no time of a till")
    return at_ms
