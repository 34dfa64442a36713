"""The canonical bytes, and what may be hashed at all; who may use the contracts."""

import json
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streams.contracts.canonical import canonical_bytes, canonical_sha256, plain
from streams.contracts.playlist import Playlist
from streams.contracts.signage import Play

ROOT = Path(__file__).parents[3]

VALUES: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner),
    max_leaves=12,
)


@settings(deadline=None)
@given(st.dictionaries(st.text(max_size=8), VALUES, max_size=5))
def test_the_order_of_the_fields_and_the_writer_make_no_difference(values: dict[str, Any]) -> None:
    backwards = dict(reversed(values.items()))
    by_another = json.dumps(backwards, ensure_ascii=True, indent=1).encode()
    assert canonical_bytes(values) == canonical_bytes(backwards)
    assert canonical_bytes(plain(by_another)) == canonical_bytes(values)
    assert json.loads(canonical_bytes(values)) == values


def test_a_field_that_is_not_known_is_hashed_too() -> None:
    assert canonical_sha256({"a": 1, "from_the_future": 2}) != canonical_sha256({"a": 1})
    assert canonical_sha256({"a": 1, "sha256": "x"}, "sha256") == canonical_sha256({"a": 1})


@pytest.mark.parametrize("struct", [Playlist, Play])
def test_what_is_signed_or_chained_holds_no_float(struct: type[msgspec.Struct]) -> None:
    """Two languages write the same float differently: then neither could check the other."""
    schema = msgspec.json.schema(struct)
    assert '"number"' not in json.dumps(schema)


@pytest.mark.parametrize(
    "path",
    [
        *(p for p in sorted((ROOT / "streams/contracts").glob("*.py")) if p.stat().st_size),
        ROOT / "examples" / "player" / "player.js",
        ROOT / "examples" / "player" / "index.html",
        ROOT / "examples" / "kafkajs" / "follow.mjs",
    ],
    ids=lambda path: path.name,
)
def test_a_vendor_may_use_it(path: Path) -> None:
    assert "SPDX-License-Identifier: Apache-2.0" in "\n".join(path.read_text().splitlines()[:2])
    assert "Apache License" in (path.parent / "LICENSE").read_text()
