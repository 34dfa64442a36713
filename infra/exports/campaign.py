"""The campaign report: what was booked against what was delivered, signed. Pure but for the key.

Whoever gets the report can check with the public key that the numbers are those that left the
store, and with the definitions beside them what they mean.
"""

import base64
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec
from cryptography.exceptions import InvalidSignature

from infra.exports.errors import ExportError
from signage.signing import Signer, Trust
from streams.contracts.canonical import canonical_bytes, plain

#: A signature for a report can never be taken for one of anything else.
_DOMAIN = b"smartstore.campaign-report.v1\n"

#: Cells of fewer people are not told.
_FEWEST = 5

#: What each number means: IAB and MRC's wording where there is one, ours where there is none.
DEFINITIONS: Mapping[str, str] = {
    "plays": "plays that the player's page has painted on the glass (proof of play)",
    "on_glass_ms": "their time on the glass, of a monotonic clock",
    "gross_impressions": "individuals present in the screen's exposure zone during a play",
    "ots": "of the paired ones, those whose place and heading let them see the screen",
    "verified_impressions": "presences that overlap a play by at least 1 s of event time",
    "attention_ms": "time in which faces were directed at the screen: an estimate from facing",
    "dark_plays": "plays that failed, whatever the reason",
}


@dataclass(frozen=True, slots=True)
class Delivered:
    """What one screen did for the campaign on one day. None: not measured."""

    day: str
    screen_id: str
    creative_id: str
    creative_version: int
    plays: int
    dark_plays: int
    on_glass_ms: int
    gross_impressions: int
    ots: int | None
    verified_impressions: int
    attention_ms: int | None


def report(
    *,
    campaign: str,
    store_id: str,
    first_day: str,
    last_day: str,
    booked_plays: int | None,
    delivered: Sequence[Delivered],
    simulated: bool,
) -> dict[str, Any]:
    """The report, unsigned. Audience numbers of fewer than five people are null."""
    plays = sum(row.plays for row in delivered)
    return {
        "campaign": campaign,
        "store_id": store_id,
        "first_day": first_day,
        "last_day": last_day,
        "simulated": simulated,
        "definitions": dict(DEFINITIONS),
        "booked": {"plays": booked_plays},
        "delivered": _sums(delivered),
        # A string: what is signed holds no fractions, which languages write each in their own way.
        "delivered_share": None if not booked_plays else f"{plays / booked_plays:.4f}",
        "rows": [_row(row) for row in delivered],
    }


def _sums(rows: Sequence[Delivered]) -> dict[str, Any]:
    people = sum(row.gross_impressions for row in rows)
    known = [row.ots for row in rows if row.ots is not None]
    attention = [row.attention_ms for row in rows if row.attention_ms is not None]
    return {
        "plays": sum(row.plays for row in rows),
        "dark_plays": sum(row.dark_plays for row in rows),
        "on_glass_ms": sum(row.on_glass_ms for row in rows),
        **_audience(
            people,
            sum(known) if known else None,
            sum(row.verified_impressions for row in rows),
            sum(attention) if attention else None,
        ),
    }


def _row(row: Delivered) -> dict[str, Any]:
    return {
        "day": row.day,
        "screen_id": row.screen_id,
        "creative_id": row.creative_id,
        "creative_version": row.creative_version,
        "plays": row.plays,
        "dark_plays": row.dark_plays,
        "on_glass_ms": row.on_glass_ms,
        **_audience(row.gross_impressions, row.ots, row.verified_impressions, row.attention_ms),
    }


def _audience(
    people: int, ots: int | None, verified: int, attention_ms: int | None
) -> dict[str, int | None]:
    few = 0 < people < _FEWEST
    return {
        "gross_impressions": None if few else people,
        "ots": None if few else ots,
        "verified_impressions": None if few else verified,
        "attention_ms": None if few else attention_ms,
    }


def signed(content: Mapping[str, Any], signer: Signer) -> dict[str, Any]:
    """The report with the key's name and its signature."""
    named = {**content, "key_id": signer.key_id}
    signature = signer.key.sign(_DOMAIN + _canonical(named))
    return {**named, "signature": base64.b64encode(signature).decode()}


def verify(content: Mapping[str, Any], trust: Trust) -> None:
    """Raises ExportError unless one of the trusted keys signed exactly this report."""
    key = trust.keys.get(str(content.get("key_id")))
    if key is None:
        raise ExportError(
            f"the report names the key {content.get('key_id')!r}, which is not among the trusted "
            "ones; ask its maker for their public key"
        )
    try:
        signature = base64.b64decode(str(content.get("signature")), validate=True)
        key.verify(signature, _DOMAIN + _canonical(content))
    except (InvalidSignature, ValueError):
        raise ExportError(
            "the report is not what its key signed: it was changed on the way; ask for it again"
        ) from None


def _canonical(content: Mapping[str, Any]) -> bytes:
    return canonical_bytes(plain(msgspec.json.encode(content)), "signature")
