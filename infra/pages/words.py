"""Values as people read them, and as programs do. Pure."""

from datetime import date, datetime
from decimal import Decimal
from zoneinfo import ZoneInfo

from infra.pages.model import Figure, Missing, Unit, Value

_MINUTE_MS = 60_000
_HOUR_MS = 3_600_000


def said(value: Value, unit: Unit, currency: str = "", zone: ZoneInfo | None = None) -> str:
    """`value` for a person.

    >>> said(0.123, "share"), said(1_234_567, "count"), said(95_000, "ms")
    ('12.3 %', '1 234 567', '1 min 35 s')
    >>> said(Decimal("12.5"), "money", "EUR"), said(Missing.NOT_MEASURED, "count")
    ('12.50 EUR', 'not measured')
    """
    if isinstance(value, Missing):
        return value.value
    if isinstance(value, datetime):
        return f"{value.astimezone(zone):%Y-%m-%d %H:%M:%S}"
    if isinstance(value, date | str):
        return str(value)
    if unit == "share":
        return f"{float(value) * 100:.1f} %"
    if unit == "ms":
        return _duration(float(value))
    if unit == "money":
        return f"{_grouped(value, 2)} {currency}".strip()
    if unit == "number":
        return _grouped(value, 2)
    return _grouped(value, 0)


def written(value: Value) -> str:
    """`value` for a program: a plain number, an ISO 8601 time, empty where there is none.

    >>> written(0.5), written(Missing.FEW), written(Decimal("2.50"))
    ('0.5', '', '2.50')
    """
    if isinstance(value, Missing):
        return ""
    return value.isoformat() if isinstance(value, date | datetime) else str(value)


def change(figure: Figure) -> str:
    """How a figure differs from the one it is compared with; empty where that cannot be said.

    >>> change(Figure("a", "A", 110, "count", "", before=100))
    '+10.0 % (100)'
    >>> change(Figure("a", "A", 0.30, "share", "", before=0.25))
    '+5.0 points (25.0 %)'
    """
    now, before = figure.value, figure.before
    if not isinstance(now, int | float | Decimal) or not isinstance(before, int | float | Decimal):
        return ""
    then = said(before, figure.unit)
    if figure.unit == "share":
        return f"{(float(now) - float(before)) * 100:+.1f} points ({then})"
    if not before:
        return ""
    return f"{(float(now) / float(before) - 1) * 100:+.1f} % ({then})"


def _duration(ms: float) -> str:
    if ms < _MINUTE_MS:
        return f"{ms / 1000:.1f} s"
    if ms < _HOUR_MS:
        return f"{int(ms // _MINUTE_MS)} min {int(ms % _MINUTE_MS // 1000)} s"
    return f"{_grouped(int(ms // _HOUR_MS), 0)} h {int(ms % _HOUR_MS // _MINUTE_MS)} min"


def _grouped(value: int | float | Decimal, digits: int) -> str:
    # A space groups digits (ISO 80000-1), since comma and point mean different things in Europe.
    return f"{value:,.{digits}f}".replace(",", " ")
