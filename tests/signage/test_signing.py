"""Who signed a playlist, and that nothing in it was changed since."""

import base64
import json
import stat
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from signage.errors import KeyFileError, RefusedPlaylistError
from signage.signing import Signer, Trust, new_key
from streams.contracts.playlist import Playlist, PlaylistEntry, Turn
from streams.contracts.signage import MediaFile

SHA = "ab" * 32


def playlist(**fields: Any) -> Playlist:
    entry = PlaylistEntry(
        creative_id="coffee",
        creative_version=1,
        title="Coffee",
        alt_text="A cup.",
        language="en",
        owner="smartstore",
        kind="page",
        media="coffee/1/index.html",
        sha256=SHA,
        turns=(Turn(from_ms=0, until_ms=100),),
    )
    base = Playlist(
        store_id="store",
        screen_id="screen-1",
        version=7,
        made_at_ms=7,
        valid_from_ms=0,
        valid_until_ms=100,
        slot_ms=10_000,
        entries=(entry,),
        files=(MediaFile(path="coffee/1/index.html", sha256=SHA, bytes=3),),
    )
    return msgspec.structs.replace(base, **fields)


@pytest.fixture(scope="module")
def keys(tmp_path_factory: pytest.TempPathFactory) -> tuple[Signer, Trust]:
    folder = tmp_path_factory.mktemp("keys")
    new_key(folder / "signing.key", folder / "trust.json", "the store")
    return Signer.load(folder / "signing.key"), Trust.load(folder / "trust.json")


def signed(keys: tuple[Signer, Trust], **fields: Any) -> bytes:
    return msgspec.json.encode(keys[0].sign(playlist(**fields)))


def test_what_was_signed_is_verified(keys: tuple[Signer, Trust]) -> None:
    found = keys[1].verified(signed(keys), "screen-1")
    assert msgspec.structs.replace(found, key_id="", signature="") == playlist()


@settings(deadline=None)
@given(data=st.data())
def test_a_changed_byte_is_refused(keys: tuple[Signer, Trust], data: st.DataObject) -> None:
    message = bytearray(signed(keys))
    place = data.draw(st.integers(0, len(message) - 1))
    message[place] ^= data.draw(st.integers(1, 255))
    whole = keys[1].verified(signed(keys), "screen-1")
    try:
        found = keys[1].verified(bytes(message), "screen-1")
    except RefusedPlaylistError:
        return
    # What is taken is the same in another spelling, such as a base64 that decodes alike.
    unsigned = msgspec.structs.replace(found, signature="")
    assert unsigned == msgspec.structs.replace(whole, signature="")


def test_a_field_of_a_newer_publisher_is_signed_too(keys: tuple[Signer, Trust]) -> None:
    values = json.loads(signed(keys))
    values["from_the_future"] = 1
    with pytest.raises(RefusedPlaylistError, match="wrong signature"):
        keys[1].verified(json.dumps(values).encode(), "screen-1")


@pytest.mark.parametrize(
    ("message", "why"),
    [
        (b"", "no playlist"),
        (b"[]", "no playlist"),
        (b"{}", "no playlist"),
        (b"\xff" * 10, "no playlist"),
        (b"[" * 100_000, "no playlist"),
        (b" " * 2_000_000, "too large"),
    ],
)
def test_what_is_no_playlist_is_refused(
    keys: tuple[Signer, Trust], message: bytes, why: str
) -> None:
    with pytest.raises(RefusedPlaylistError) as caught:
        keys[1].verified(message, "screen-1")
    assert caught.value.why == why


def test_a_stranger_s_key_and_another_screen_are_refused(
    keys: tuple[Signer, Trust], tmp_path: Path
) -> None:
    new_key(tmp_path / "k", tmp_path / "t")
    stranger = msgspec.json.encode(Signer.load(tmp_path / "k").sign(playlist()))
    with pytest.raises(RefusedPlaylistError) as caught:
        keys[1].verified(stranger, "screen-1")
    assert caught.value.why == "unknown key"
    # A stranger who names our key gains nothing.
    forged = msgspec.structs.replace(
        msgspec.json.decode(stranger, type=Playlist), key_id=keys[0].key_id
    )
    with pytest.raises(RefusedPlaylistError) as caught:
        keys[1].verified(msgspec.json.encode(forged), "screen-1")
    assert caught.value.why == "wrong signature"
    with pytest.raises(RefusedPlaylistError) as caught:
        keys[1].verified(signed(keys), "screen-2")
    assert caught.value.why == "another screen"


def test_a_signature_means_a_playlist_and_nothing_else(keys: tuple[Signer, Trust]) -> None:
    """The bytes that are signed begin with what they are for."""
    plain = playlist(key_id=keys[0].key_id)
    bare = keys[0].key.sign(
        msgspec.json.Encoder(order="sorted").encode(
            {k: v for k, v in msgspec.to_builtins(plain).items() if k != "signature"}
        )
    )
    forged = msgspec.structs.replace(plain, signature=base64.b64encode(bare).decode())
    with pytest.raises(RefusedPlaylistError, match="wrong signature"):
        keys[1].verified(msgspec.json.encode(forged), "screen-1")


def test_a_private_key_is_its_owner_s_alone(tmp_path: Path) -> None:
    key, trust = tmp_path / "a" / "signing.key", tmp_path / "trust.json"
    first = new_key(key, trust)
    assert stat.S_IMODE(key.stat().st_mode) == 0o600
    with pytest.raises(KeyFileError, match="there is a key already"):
        new_key(key, trust)
    second = new_key(tmp_path / "b.key", trust)
    assert set(Trust.load(trust).keys) == {first, second}
    key.chmod(0o640)
    with pytest.raises(KeyFileError, match="others than its owner"):
        Signer.load(key)


@pytest.mark.parametrize("text", ["", "{}", '{"keys": []}', '{"keys": [{"key_id": "a"}]}', "x"])
def test_a_broken_file_is_one_sentence(tmp_path: Path, text: str) -> None:
    path = tmp_path / "file"
    path.write_text(text)
    path.chmod(0o600)
    for load in (Trust.load, Signer.load):
        with pytest.raises(KeyFileError) as caught:
            load(path)
        assert "\n" not in str(caught.value)
        with pytest.raises(KeyFileError, match="cannot be read"):
            load(tmp_path / "absent")
