"""No malformed receipt crashes the intake: each is refused with its reason, and no card is left."""

import re
from pathlib import Path

import pytest

from infra.layouts import load_layout
from infra.receipts.intake import Intake, Record
from infra.receipts.memory import Memory
from infra.receipts.rules import Mapping, rules_of
from infra.simulator.broken_receipts import CARD, CLOSED_AT_MS, broken_receipt
from streams.contracts.codec import decode
from streams.contracts.pos import RefusedReceipt
from streams.contracts.topics import BASKET, REFUSED

LAYOUT = load_layout(Path(__file__).parents[3] / "examples" / "store.yaml")
NOW_MS = CLOSED_AT_MS + 3_600_000
MANY = 20_000


class Sent:
    """Keeps what is delivered."""

    def __init__(self) -> None:
        self.records: list[Record] = []

    async def deliver(self, records: list[Record]) -> None:
        self.records += records


@pytest.fixture
def memory(tmp_path: Path) -> Memory:
    return Memory(tmp_path / "memory.sqlite")


async def test_twenty_thousand_malformed_receipts(memory: Memory) -> None:
    sent = Sent()
    intake = Intake(rules_of(Mapping(), LAYOUT), memory, sent)
    lines = b"\n".join(broken_receipt(7, number) for number in range(MANY))
    taken = await intake.take(lines, "json", f"till-{CARD}.jsonl", NOW_MS)
    told = [
        decode(REFUSED.name, each["value"])
        for each in sent.records
        if each["topic"] == REFUSED.name
    ]
    baskets = [each["value"] for each in sent.records if each["topic"] == BASKET.name]
    assert baskets == []
    assert (taken.accepted, taken.repeated, taken.refused.total()) == (0, 0, MANY)
    assert len({each.refused_id for each in told}) == MANY
    assert set(taken.refused) >= {
        "unreadable", "missing", "format", "lines", "quantity", "value", "currency", "future",
        "too-old", "void",
    }  # fmt: skip
    assert all(each.detail for each in told)
    _hide_cards(told)
    memory.close()


def _hide_cards(told: list[RefusedReceipt]) -> None:
    for each in told:
        text = "".join((each.source, each.place, each.detail, each.masked_text))
        assert not re.search(r"\d{9}", text)
        assert "\x00" not in text
        text.encode()


async def test_a_csv_of_broken_rows(memory: Memory) -> None:
    """The same bytes as rows of a CSV file: whatever it makes of them, it says so."""
    sent = Sent()
    intake = Intake(rules_of(Mapping(), LAYOUT), memory, sent)
    heading = b"receipt,till,closed_at,currency,sku,category,units,value\n"
    rows = b"\n".join(broken_receipt(11, number) for number in range(2_000))
    taken = await intake.take(heading + rows, "csv", "day.csv", NOW_MS)
    assert taken.accepted == 0
    # Rows with the same first cells are one receipt, and an open quote joins some.
    assert taken.refused.total() > 1_000
    _hide_cards([decode(REFUSED.name, each["value"]) for each in sent.records])
    memory.close()
