"""Receipts as broken tills, cut connections and wrong exports send them. Pure: a seed and a number
give the same receipt; each is one line of JSON that nobody may take for a receipt.
"""

import json
import random
from collections.abc import Callable
from typing import Any

Receipt = dict[str, Any]
Damage = Callable[[random.Random, Receipt], bytes]

#: When the till of these receipts closed them, UTC epoch ms (2026-11-20 10:00).
CLOSED_AT_MS = 1_795_168_800_000

#: The number of a test card, as somebody's export writes it beside the receipt.
CARD = "4111111111111111"

#: What stands in fields that ought to hold something else.
_NONSENSE: tuple[Any, ...] = (
    {}, [], [[]], {"a": 1}, True, False, "\x00", "\x1b[31m", "x" * 5_000,
    "\N{RIGHT-TO-LEFT OVERRIDE}",
)  # fmt: skip
_NO_NUMBER: tuple[Any, ...] = (
    "", None, "abc", "NaN", "Infinity", "-inf", "1,5,2", "0x10", "1e999", "--3", {}, [], True,
    "1 2", "\u0663x", "9" * 60,
)  # fmt: skip
_NO_TIME: tuple[Any, ...] = (
    "", None, "yesterday", "2026-13-01T00:00:00", "2026-02-30", "0", 17, -1, 1e300, {}, [], True,
    "9999-99-99", "2026-11-20T25:61:00Z", "\ud800",
)  # fmt: skip


def broken_receipt(seed: int, number: int) -> bytes:
    """The receipt of that number, without an end of line."""
    rng = random.Random(f"{seed}/{number}")  # noqa: S311  (nothing is kept secret by it)
    return rng.choice(_DAMAGES)(rng, _good(rng, number))


def _good(rng: random.Random, number: int) -> Receipt:
    return {
        "receipt": f"{number}",
        "till": f"till-{rng.randrange(4)}",
        "closed_at": "2026-11-20T10:00:00Z",
        "currency": "EUR",
        "note": f"card {CARD}" if rng.random() < 0.5 else "",
        "lines": [
            {
                "sku": f"sku-{rng.randrange(100)}",
                "category": "tea",
                "units": rng.randint(1, 5),
                "value": f"{rng.uniform(0.5, 20):.2f}",
            }
            for _ in range(rng.randint(1, 4))
        ],
    }


def _dump(receipt: Any) -> bytes:
    return json.dumps(receipt).encode()


def _without(rng: random.Random, receipt: Receipt) -> bytes:
    del receipt[rng.choice(["receipt", "closed_at", "lines"])]
    return _dump(receipt)


def _without_in_a_line(rng: random.Random, receipt: Receipt) -> bytes:
    del rng.choice(receipt["lines"])[rng.choice(["units", "value"])]
    return _dump(receipt)


def _no_number(rng: random.Random, receipt: Receipt) -> bytes:
    rng.choice(receipt["lines"])[rng.choice(["units", "value"])] = rng.choice(_NO_NUMBER)
    return _dump(receipt)


def _no_time(rng: random.Random, receipt: Receipt) -> bytes:
    receipt["closed_at"] = rng.choice(_NO_TIME)
    return _dump(receipt)


def _nonsense(rng: random.Random, receipt: Receipt) -> bytes:
    receipt[rng.choice(["receipt", "till", "currency", "kind", "lines"])] = rng.choice(
        _NONSENSE[4:-1]
    )
    return _dump(receipt)


def _nonsense_in_a_line(rng: random.Random, receipt: Receipt) -> bytes:
    rng.choice(receipt["lines"])[rng.choice(["sku", "category"])] = rng.choice(_NONSENSE[2:])
    return _dump(receipt)


def _fuel(rng: random.Random, receipt: Receipt) -> bytes:
    rng.choice(receipt["lines"])["units"] = rng.choice(
        [0, 10_001, 8_942_130, 10**13, -(10**9), 1e15]
    )
    return _dump(receipt)


def _dear(rng: random.Random, receipt: Receipt) -> bytes:
    rng.choice(receipt["lines"])["value"] = rng.choice([1_000_001, "-99999999.99", CARD, 1e300])
    return _dump(receipt)


def _money(rng: random.Random, receipt: Receipt) -> bytes:
    receipt["currency"] = rng.choice(["EURO", "€", "XXX", "E", "12", CARD])
    return _dump(receipt)


def _when(rng: random.Random, receipt: Receipt) -> bytes:
    receipt["closed_at"] = rng.choice(
        ["2031-01-01T00:00:00Z", "1999-12-31T23:59:59Z", "1970-01-01"]
    )
    return _dump(receipt)


def _lines(rng: random.Random, receipt: Receipt) -> bytes:
    receipt["lines"] = rng.choice(
        [[], [{}], [1], ["x"], None, {"0": {}}, receipt["lines"][:1] * 1_001]
    )
    return _dump(receipt)


def _void(rng: random.Random, receipt: Receipt) -> bytes:
    receipt["kind"] = "void"
    receipt["voids"] = f"{CARD}{rng.randrange(10**6)}"
    return _dump(receipt)


def _kind(rng: random.Random, receipt: Receipt) -> bytes:
    receipt["kind"] = rng.choice(["gift", "SALE!", CARD, "0"])
    return _dump(receipt)


def _cut(rng: random.Random, receipt: Receipt) -> bytes:
    whole = _dump(receipt)
    return whole[: rng.randrange(1, len(whole) - 1)]


def _noise(rng: random.Random, _: Receipt) -> bytes:
    # Line breaks part receipts, so that noise has none.
    raw = bytes(
        b for b in rng.randbytes(rng.randrange(2, 300)) if b not in b"\r\n\x0b\x0c\x1c\x1d\x1e\x85"
    )
    return b"\x01" + raw


def _torn(rng: random.Random, receipt: Receipt) -> bytes:
    whole = bytearray(_dump(receipt))
    for _ in range(rng.randrange(1, 6)):
        whole[rng.randrange(len(whole))] = rng.choice(b"\xff\xfe\x00\xc0\xf8")
    return bytes(whole)


def _other(rng: random.Random, _: Receipt) -> bytes:
    return rng.choice([b"null", b"0", b'"receipt"', b"[" * 3_000, b'{"a":' * 2_000, b"[1]x", b"{}"])


_DAMAGES: tuple[Damage, ...] = (
    _without, _without_in_a_line, _no_number, _no_time, _nonsense, _nonsense_in_a_line, _fuel,
    _dear, _money, _when, _lines, _void, _kind, _cut, _noise, _torn, _other,
)  # fmt: skip
