# SPDX-License-Identifier: Apache-2.0
"""The canonical bytes of a message, over which it is hashed and signed.

JSON in UTF-8, keys in order of their code points, nothing between the tokens, the named fields left
out. What is hashed so holds strings, whole numbers, booleans, null, lists and objects alone, so
that every language makes the same bytes of it (it is then also RFC 8785). Fields that a reader does
not know are hashed like the others: they are taken from the message, not from the struct.
"""

import hashlib
from typing import Any

import msgspec
from msgspec import Struct

_ENCODER = msgspec.json.Encoder(order="sorted")


def plain(message: bytes | Struct) -> dict[str, Any]:
    """A message as plain values. Raises msgspec.DecodeError where the bytes are no JSON object."""
    if isinstance(message, Struct):
        message = msgspec.json.encode(message)
    return msgspec.json.decode(message, type=dict[str, Any])


def canonical_bytes(values: dict[str, Any], *without: str) -> bytes:
    """The canonical bytes of plain values, without the named fields.

    >>> canonical_bytes({"b": 1, "a": [True, "é"], "sha256": "x"}, "sha256").decode()
    '{"a":[true,"é"],"b":1}'
    """
    return _ENCODER.encode({name: v for name, v in values.items() if name not in without})


def canonical_sha256(values: dict[str, Any], *without: str) -> str:
    """The SHA-256 of the canonical bytes, in hex."""
    return hashlib.sha256(canonical_bytes(values, *without)).hexdigest()
