"""What a till tells, and what becomes of it."""

import csv
import io
import json
import os
from decimal import Decimal
from pathlib import Path
from typing import Any

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import SecretStr, ValidationError

from infra.layouts import load_layout
from infra.receipts.doors import door_counts
from infra.receipts.errors import IntakeError, MappingError, ReceiptsError, TakingError
from infra.receipts.folder import DONE, SETTLED_S, Folder, load
from infra.receipts.http import MOST_BYTES, create_receipts
from infra.receipts.intake import Intake, Record
from infra.receipts.masking import masked
from infra.receipts.memory import KEPT_MS, Memory
from infra.receipts.rules import Mapping, load_mapping, rules_of
from infra.receipts.settings import ReceiptsSettings
from streams.contracts.codec import decode
from streams.contracts.topics import BASKET, REFUSED

LAYOUT = load_layout(Path(__file__).parents[3] / "examples" / "store.yaml")
NOW_MS = 1_795_172_400_000  # 2026-11-20 11:00 UTC
CARD = "4111111111111111"


class Sent:
    """The broker: keeps what it is sent, or is away for `away` deliveries."""

    def __init__(self) -> None:
        self.records: list[Record] = []
        self.away = 0

    async def deliver(self, records: list[Record]) -> None:
        if self.away:
            self.away -= 1
            raise TakingError("away")
        self.records += records

    def of(self, topic: str) -> list[Any]:
        return [decode(topic, each["value"]) for each in self.records if each["topic"] == topic]


@pytest.fixture
def sent() -> Sent:
    return Sent()


@pytest.fixture
def memory(tmp_path: Path) -> Any:
    memory = Memory(tmp_path / "state" / "memory.sqlite")
    yield memory
    memory.close()


def intake_of(memory: Memory, sent: Sent, **mapping: Any) -> Intake:
    return Intake(rules_of(Mapping(**mapping), LAYOUT), memory, sent)


def receipt(number: str = "17", **changes: Any) -> dict[str, Any]:
    line = {"sku": "4001", "category": "tea", "units": 2, "value": "3.10"}
    told = {
        "receipt": number,
        "closed_at": "2026-11-20T10:00:00Z",
        "lines": [line, {**line, "sku": "4002", "units": 1, "value": "2.00"}],
    }
    return told | changes


def dump(*receipts: dict[str, Any]) -> bytes:
    return b"\n".join(json.dumps(each).encode() for each in receipts)


async def test_a_receipt_becomes_a_basket(memory: Memory, sent: Sent) -> None:
    await intake_of(memory, sent).take(dump(receipt()), "json", "http", NOW_MS)
    (basket,) = sent.of(BASKET.name)
    assert (basket.store_id, basket.currency, basket.kind) == (LAYOUT.store_id, "EUR", "sale")
    assert basket.closed_at_ms == NOW_MS - 3_600_000
    assert [line.units for line in basket.lines] == [2, 1]
    assert sum(line.net_value for line in basket.lines) == Decimal("5.10")
    assert not basket.simulated


async def test_csv_with_names_times_and_numbers_of_its_own(memory: Memory, sent: Sent) -> None:
    mapping = load_mapping(Path(__file__).parents[3] / "examples" / "receipts.yaml")
    intake = Intake(rules_of(mapping, LAYOUT), memory, sent)
    rows = (
        "Bon;Kasse;Zeit;Artikel;Warengruppe;Menge;Betrag;Art\n"
        "1;2;20.11.2026 11:00:00;4001;Tee;2;1.003,10;V\n"
        "2;2;20.11.2026 11:01:00;4003;Kaffee;1;4,99;V\n"
        "1;2;20.11.2026 11:00:00;4002;Tee;1;2,00;V\n"
        "3;2;20.11.2026 11:02:00;9000;Kraftstoff;8942130;61,20;V\n"
        "4;2;20.11.2026 11:03:00;4001;Tee;-1;-1,55;R\n"
    ).encode("cp1252")
    taken = await intake.take(rows, "csv", "day.csv", NOW_MS)
    assert (taken.accepted, taken.refused.total()) == (4, 0)
    first, _, fuel, back = sent.of(BASKET.name)
    assert [line.net_value for line in first.lines] == [Decimal("1003.1"), Decimal(2)]
    # 11:00 in the store's zone, which is an hour ahead of UTC in November.
    assert first.closed_at_ms == NOW_MS - 3_600_000
    assert [line.units for line in fuel.lines] == [1], "fuel is no pieces"
    assert (back.kind, back.transactions) == ("return", 0)


async def test_a_repeat_is_none_and_a_change_is_refused(memory: Memory, sent: Sent) -> None:
    intake = intake_of(memory, sent)
    both = await intake.take(dump(receipt(), receipt()), "json", "a.jsonl", NOW_MS)
    again = await intake.take(dump(receipt()), "json", "b.jsonl", NOW_MS + 1)
    other = dump(receipt(lines=[{"sku": "1", "units": 1, "value": 1}]))
    changed = await intake.take(other, "json", "c.jsonl", NOW_MS + 2)
    assert (both.accepted, both.repeated, again.repeated) == (1, 1, 1)
    assert changed.refused == {"conflict": 1}
    assert len(sent.of(BASKET.name)) == 1


async def test_a_void_takes_back_what_is_known(memory: Memory, sent: Sent) -> None:
    intake = intake_of(memory, sent)
    void = receipt("18", kind="void", voids="17", lines=[])
    early = await intake.take(dump(void), "json", "a", NOW_MS)
    assert early.refused == {"void": 1}
    await intake.take(dump(receipt(), void), "json", "b", NOW_MS)
    again = await intake.take(dump(void), "json", "c", NOW_MS)
    sale, back = sent.of(BASKET.name)
    assert (back.kind, back.voids, back.transactions) == ("void", sale.basket_id, -1)
    assert back.closed_at_ms == sale.closed_at_ms
    assert [line.units for line in back.lines] == [-line.units for line in sale.lines]
    assert again.repeated == 1


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"receipt": None}, "missing"),
        ({"receipt": 1.5}, "format"),
        ({"closed_at": "2026-11-20T12:00:00Z"}, "future"),
        ({"closed_at": "2026-08-01T12:00:00Z"}, "too-old"),
        ({"currency": "XXX"}, "currency"),
        ({"lines": []}, "lines"),
        ({"lines": [{"units": 8_942_130, "value": 1, "category": "fuel"}]}, "quantity"),
        ({"lines": [{"units": 0, "value": 1}]}, "quantity"),
        ({"lines": [{"units": 1, "value": 1_000_001}]}, "value"),
        ({"lines": [{"units": "NaN", "value": 1}]}, "format"),
        ({"kind": "gift"}, "format"),
        ({"voids": "16"}, "void"),
        ({"note": "x" * 600_000}, "too-large"),
    ],
)
async def test_what_no_till_prints_is_refused(
    memory: Memory, sent: Sent, changes: dict[str, Any], reason: str
) -> None:
    taken = await intake_of(memory, sent).take(dump(receipt(**changes)), "json", "x", NOW_MS)
    assert taken.refused == {reason: 1}
    (refused,) = sent.of(REFUSED.name)
    assert refused.reason == reason
    assert sent.of(BASKET.name) == []


@given(st.text("0123456789 -a.", max_size=60))
def test_no_long_run_of_digits_is_left(text: str) -> None:
    shown = masked(text, 40)
    assert len(shown) <= 40
    assert not any(part.isdigit() and len(part) > 8 for part in shown.replace("-", " ").split())


def test_a_card_is_hidden_before_the_text_is_cut() -> None:
    for most in range(10, 40):
        assert "4111 1111" not in masked("card 4111 1111 1111 1111 of Ms X", most)
        assert "41111111" not in masked(f"card {CARD}", most)


async def test_a_broker_that_is_away_loses_nothing(memory: Memory, sent: Sent) -> None:
    intake = intake_of(memory, sent)
    sent.away = 1
    with pytest.raises(TakingError):
        await intake.take(dump(receipt()), "json", "a", NOW_MS)
    taken = await intake.take(dump(receipt()), "json", "a", NOW_MS)
    assert taken.accepted == 1
    assert len(sent.of(BASKET.name)) == 1


async def test_a_kill_before_it_is_remembered_sends_the_same_again(
    tmp_path: Path, sent: Sent
) -> None:
    """The broker has acknowledged, and then the machine is gone: the ids are the same."""
    file = tmp_path / "day.jsonl"
    file.write_bytes(dump(receipt(), receipt("18", currency="XXX")))
    for name in ("first", "second"):
        lives = Memory(tmp_path / f"{name}.sqlite")
        lives.begin(file.read_bytes(), file.name, NOW_MS)
        await load(file, intake_of(lives, sent), lives, lambda: NOW_MS + 5)
        lives.close()
    first, again = sent.of(BASKET.name)
    assert first == again
    refused, told_again = sent.of(REFUSED.name)
    assert refused == told_again


async def test_a_folder_takes_each_file_once(tmp_path: Path, memory: Memory, sent: Sent) -> None:
    folder = tmp_path / "in"
    folder.mkdir()
    watched = Folder(folder, intake_of(memory, sent), memory, sent, lambda: NOW_MS)
    (folder / "day.jsonl").write_bytes(dump(receipt()))
    (folder / "half.part").write_bytes(dump(receipt("99")))
    (folder / "link.jsonl").symlink_to(folder / "day.jsonl")
    assert await watched.round(0.0) == 0, "it may still be written"
    assert await watched.round(SETTLED_S) == 1
    # The same content under another name, and another under the same name.
    (folder / "copy.jsonl").write_bytes(dump(receipt()))
    (folder / "day.jsonl").write_bytes(dump(receipt("18")))
    for now_s in (10.0, 20.0, 30.0):
        await watched.round(now_s)
    assert len(sent.of(BASKET.name)) == 2
    done = sorted(path.name for path in (folder / DONE).iterdir())
    assert done == ["copy.jsonl", "day.2.jsonl", "day.jsonl"]


async def test_a_file_that_was_taken_and_not_moved_is_only_moved(
    tmp_path: Path, memory: Memory, sent: Sent
) -> None:
    """A kill between the two."""
    folder = tmp_path / "in"
    folder.mkdir()
    file = folder / "day.jsonl"
    file.write_bytes(dump(receipt()))
    await load(file, intake_of(memory, sent), memory, lambda: NOW_MS)
    watched = Folder(folder, intake_of(memory, sent), memory, sent, lambda: NOW_MS)
    await watched.round(0.0)
    await watched.round(SETTLED_S)
    assert len(sent.of(BASKET.name)) == 1
    assert os.listdir(folder) == [DONE]


async def test_http_takes_bounded_bodies_with_the_token(memory: Memory, sent: Sent) -> None:
    web = create_receipts(intake_of(memory, sent), SecretStr("s" * 20), lambda: NOW_MS)
    transport = httpx.ASGITransport(app=web)
    async with httpx.AsyncClient(transport=transport, base_url="http://till") as client:
        json_ = {"content-type": "application/json"}
        right = {**json_, "authorization": "Bearer " + "s" * 20}
        assert (await client.post("/receipts", content=b"{}", headers=json_)).status_code == 401
        other = {**right, "content-type": "text/html"}
        assert (await client.post("/receipts", content=b"{}", headers=other)).status_code == 415
        large = b" " * (MOST_BYTES + 1)
        assert (await client.post("/receipts", content=large, headers=right)).status_code == 413
        body = dump(receipt(), receipt("18", note=CARD, currency=CARD))
        told = (await client.post("/receipts", content=body, headers=right)).json()
        assert (told["accepted"], told["refused"], told["reasons"]) == (1, 1, {"currency": 1})
        assert CARD not in str(told)
        sent.away = 1
        away = await client.post("/receipts", content=dump(receipt("19")), headers=right)
        assert (away.status_code, away.headers["retry-after"]) == (503, "5")


def test_who_listens_to_everybody_needs_a_token() -> None:
    with pytest.raises(ValidationError, match="receipts_token"):
        ReceiptsSettings(kafka="k:1", receipts_host="0.0.0.0")  # noqa: S104
    with_token = ReceiptsSettings(
        kafka="k:1",
        receipts_host="0.0.0.0",  # noqa: S104
        receipts_token=SecretStr("x" * 16),
    )
    assert "x" * 16 not in repr(with_token)


def test_the_token_may_stand_in_a_file(tmp_path: Path) -> None:
    file = tmp_path / "token"
    given = {"kafka": "k:1", "receipts_host": "0.0.0.0", "receipts_token_file": file}  # noqa: S104
    settings = ReceiptsSettings(**given)  # type: ignore[arg-type]
    with pytest.raises(ReceiptsError, match="cannot be read"):
        settings.token()
    file.write_text("short")
    with pytest.raises(ReceiptsError, match="5 characters"):
        settings.token()
    file.write_text("0123456789abcdef\n")
    token = settings.token()
    assert token is not None
    assert token.get_secret_value() == "0123456789abcdef"
    assert ReceiptsSettings(kafka="k:1").token() is None


def test_what_is_remembered_is_forgotten(memory: Memory, tmp_path: Path) -> None:
    memory.begin(b"a", f"{CARD}.csv", NOW_MS)
    memory.done(b"a", NOW_MS)
    assert memory.is_done(b"a")
    assert not memory.is_done(b"b")
    assert CARD.encode() not in b"".join(p.read_bytes() for p in (tmp_path / "state").iterdir())
    assert KEPT_MS == 35 * 86_400_000


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("columns: {colour: x}", "colour"),
        ("zone: Mars/Olympus", "Mars"),
        ("encoding: klingon", "klingon"),
        ("area: roof", "roof"),
        ("most_units: many", "int"),
        ("{", "valid"),
    ],
)
def test_a_mapping_that_cannot_be_is_one_sentence(tmp_path: Path, text: str, why: str) -> None:
    file = tmp_path / "m.yaml"
    file.write_text(text)
    with pytest.raises(MappingError, match=why):
        rules_of(load_mapping(file), LAYOUT)


def test_counts_at_the_door() -> None:
    out = io.StringIO()
    rows = csv.writer(out)
    rows.writerow(["counter", "from", "until", "entering", "passers_by"])
    rows.writerow(["door", "2026-11-20T10:00:00Z", "2026-11-20T10:15:00Z", "12", "80"])
    zone = rules_of(Mapping(), LAYOUT).time_zone
    (count,) = door_counts(out.getvalue(), "s", zone, NOW_MS)
    assert (count.entering, count.leaving, count.passers_by) == (12, None, 80)
    with pytest.raises(IntakeError, match="line 3"):
        door_counts(out.getvalue() + "door,x,y,1,\n", "s", zone, NOW_MS)
