"""The campaign report: sums, what is held back, and a signature that a changed byte breaks."""

import json
from pathlib import Path
from typing import Any

import pytest

from infra.exports.campaign import Delivered, report, signed, verify
from infra.exports.errors import ExportError
from signage.signing import Signer, Trust, new_key


def _delivered(**changed: Any) -> Delivered:
    row: dict[str, Any] = {
        "day": "2026-03-09",
        "screen_id": "screen-1",
        "creative_id": "tea",
        "creative_version": 1,
        "plays": 40,
        "dark_plays": 1,
        "on_glass_ms": 400_000,
        "gross_impressions": 90,
        "ots": 60,
        "verified_impressions": 70,
        "attention_ms": 55_000,
    }
    return Delivered(**{**row, **changed})


def _report(*rows: Delivered, booked: int | None = 100) -> dict[str, Any]:
    return report(
        campaign="spring",
        store_id="demo",
        first_day="2026-03-09",
        last_day="2026-03-15",
        booked_plays=booked,
        delivered=rows,
        simulated=True,
    )


@pytest.fixture
def keys(tmp_path: Path) -> tuple[Signer, Trust]:
    private, trust = tmp_path / "key.pem", tmp_path / "trust.json"
    new_key(private, trust)
    return Signer.load(private), Trust.load(trust)


def test_delivered_is_summed_and_set_against_what_was_booked() -> None:
    content = _report(_delivered(), _delivered(day="2026-03-10", plays=10, gross_impressions=20))
    assert content["delivered"]["plays"] == 50
    assert content["delivered"]["gross_impressions"] == 110
    assert content["delivered_share"] == "0.5000"
    assert content["simulated"] is True
    assert set(content["delivered"]) == set(content["definitions"])


def test_what_nobody_measured_stays_unmeasured() -> None:
    content = _report(_delivered(ots=None, attention_ms=None))
    assert content["delivered"]["ots"] is None
    assert content["delivered"]["attention_ms"] is None


def test_cells_of_fewer_than_five_people_hold_plays_alone() -> None:
    row = _report(_delivered(gross_impressions=4, verified_impressions=3, ots=2))["rows"][0]
    assert row["plays"] == 40
    for name in ("gross_impressions", "ots", "verified_impressions", "attention_ms"):
        assert row[name] is None


def test_without_a_booking_there_is_no_share() -> None:
    assert _report(_delivered(), booked=None)["delivered_share"] is None


def test_the_signature_holds_after_a_trip_through_a_file(keys: tuple[Signer, Trust]) -> None:
    signer, trust = keys
    verify(json.loads(json.dumps(signed(_report(_delivered()), signer))), trust)


@pytest.mark.parametrize("field", ["delivered_share", "campaign", "rows", "definitions"])
def test_a_changed_report_is_refused(keys: tuple[Signer, Trust], field: str) -> None:
    signer, trust = keys
    content = signed(_report(_delivered()), signer)
    content[field] = "1.0000" if isinstance(content[field], str) else []
    with pytest.raises(ExportError, match="changed on the way"):
        verify(content, trust)


def test_an_unknown_key_is_refused(keys: tuple[Signer, Trust], tmp_path: Path) -> None:
    other = tmp_path / "other.pem"
    new_key(other, tmp_path / "others.json")
    content = signed(_report(_delivered()), Signer.load(other))
    with pytest.raises(ExportError, match="not among the trusted"):
        verify(content, keys[1])
