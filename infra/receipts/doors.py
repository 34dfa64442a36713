"""Counts of a counter of the store's own, from a CSV file. Pure.

Columns: counter, from, until, entering, and if it counts them leaving and passers_by. Times as in
ISO 8601.
"""

import csv
import io
from datetime import datetime
from zoneinfo import ZoneInfo

import msgspec

from infra.receipts.errors import IntakeError
from streams.contracts.pos import DoorCount

_NEEDED = ("counter", "from", "until", "entering")


def door_counts(text: str, store_id: str, zone: ZoneInfo, now_ms: int) -> list[DoorCount]:
    """The counts of a file, all or none of them.

    Raises:
        IntakeError: a row cannot be read; it names the line.
    """
    reader = csv.DictReader(io.StringIO(text))
    missing = [name for name in _NEEDED if name not in (reader.fieldnames or ())]
    if missing:
        raise IntakeError(
            f"the counts have no column {missing[0]!r}; the heading is {','.join(_NEEDED)} and if "
            "you have them leaving,passers_by"
        )
    found = []
    for row in reader:
        try:
            found.append(
                msgspec.convert(
                    {
                        "store_id": store_id,
                        "counter_id": row["counter"],
                        "from_ms": _ms(row["from"], zone),
                        "until_ms": _ms(row["until"], zone),
                        "entering": int(row["entering"]),
                        "leaving": _count(row.get("leaving")),
                        "passers_by": _count(row.get("passers_by")),
                        "told_at_ms": now_ms,
                    },
                    DoorCount,
                )
            )
        except (ValueError, TypeError, msgspec.ValidationError) as error:
            raise IntakeError(
                f"line {reader.line_num} of the counts cannot be read ({error}); correct it"
            ) from error
    return found


def _ms(text: str, zone: ZoneInfo) -> int:
    at = datetime.fromisoformat(text.strip())
    return round((at if at.tzinfo else at.replace(tzinfo=zone)).timestamp() * 1_000)


def _count(text: str | None) -> int | None:
    return int(text) if text and text.strip() else None
