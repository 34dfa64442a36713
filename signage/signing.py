"""Signed playlists: Ed25519 over canonical bytes, keys in files, and who is trusted.

A private key lives in a file that its owner alone may read, never in an argument or a variable. A
trust file lists the public keys whose playlists a player shows.

Reference: RFC 8032 (Ed25519), RFC 8785 (canonical JSON).
"""

import base64
import binascii
import hashlib
import os
import stat
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Self

import msgspec
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
)
from msgspec import Meta, Struct

from signage.errors import KeyFileError, RefusedPlaylistError
from streams.contracts import codec
from streams.contracts.canonical import canonical_bytes, plain
from streams.contracts.playlist import Playlist

#: A signature for a playlist can never be taken for one of anything else.
_DOMAIN = b"smartstore.playlist.v1\n"

#: A key file or a trust file is some lines of text.
_MAX_FILE_BYTES = 64 * 1024
_OTHERS = stat.S_IRWXG | stat.S_IRWXO


class _TrustedKey(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    key_id: Annotated[str, Meta(min_length=1, max_length=64)]
    public_key: Annotated[str, Meta(max_length=64)]
    name: Annotated[str, Meta(max_length=120)] = ""


class _TrustFile(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    keys: Annotated[tuple[_TrustedKey, ...], Meta(min_length=1, max_length=64)]


def key_id(public: Ed25519PublicKey) -> str:
    """The name of a key: the beginning of the SHA-256 of its 32 bytes."""
    return hashlib.sha256(_raw(public)).hexdigest()[:16]


def _raw(public: Ed25519PublicKey) -> bytes:
    return public.public_bytes(Encoding.Raw, PublicFormat.Raw)


@dataclass(frozen=True, slots=True)
class Signer:
    """Signs playlists with one private key."""

    key: Ed25519PrivateKey

    @classmethod
    def load(cls, path: Path) -> Self:
        """The key of a file. Raises KeyFileError: it is missing, open to others, or no such key."""
        try:
            with path.open("rb") as file:
                mode = os.fstat(file.fileno()).st_mode
                text = file.read(_MAX_FILE_BYTES)
        except OSError as error:
            raise KeyFileError(
                f"{path}: the signing key cannot be read ({error.strerror}); make one with "
                "`smartstore keys new` or name its file"
            ) from error
        if mode & _OTHERS:
            raise KeyFileError(
                f"{path}: others than its owner may read this signing key; make a new one with "
                "`smartstore keys new`, or `chmod 600` it if nobody has"
            )
        try:
            key = load_pem_private_key(text, password=None)
        except (ValueError, TypeError, UnsupportedAlgorithm):
            key = None
        if not isinstance(key, Ed25519PrivateKey):
            raise KeyFileError(
                f"{path}: this is no Ed25519 private key in PEM; make one with `smartstore keys "
                "new`"
            )
        return cls(key)

    @property
    def key_id(self) -> str:
        """The key's name."""
        return key_id(self.key.public_key())

    def sign(self, playlist: Playlist) -> Playlist:
        """The playlist with this key's name and signature."""
        named = msgspec.structs.replace(playlist, key_id=self.key_id, signature="")
        signature = self.key.sign(_DOMAIN + canonical_bytes(plain(named), "signature"))
        return msgspec.structs.replace(named, signature=base64.b64encode(signature).decode())


@dataclass(frozen=True, slots=True)
class Trust:
    """The public keys that a player trusts, by name."""

    keys: Mapping[str, Ed25519PublicKey]

    @classmethod
    def load(cls, path: Path) -> Self:
        """The keys of a trust file. Raises KeyFileError."""
        try:
            with path.open("rb") as file:
                text = file.read(_MAX_FILE_BYTES)
            listed = msgspec.json.decode(text, type=_TrustFile)
            keys = {key.key_id: _public(key.public_key) for key in listed.keys}
        except OSError as error:
            raise KeyFileError(
                f"{path}: the file of trusted keys cannot be read ({error.strerror}); copy it from "
                "where `smartstore keys new` wrote it"
            ) from error
        except (msgspec.DecodeError, binascii.Error, ValueError) as error:
            raise KeyFileError(
                f"{path}: this is no file of trusted keys ({' '.join(str(error).split())}); copy "
                "it from where `smartstore keys new` wrote it"
            ) from error
        return cls(keys)

    def verified(self, message: bytes, screen_id: str) -> Playlist:
        """The playlist in a message, once its signature and its screen are right.

        Raises:
            RefusedPlaylistError: it says why.
        """
        if len(message) > codec.MAX_MESSAGE_BYTES:
            raise RefusedPlaylistError("too large", f"{len(message)} bytes")
        try:
            values = plain(message)
            # From the very values that are verified: nothing else is ever looked at.
            playlist = msgspec.convert(values, Playlist)
            signature = base64.b64decode(playlist.signature, validate=True)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError, ValueError) as error:
            raise RefusedPlaylistError("no playlist", " ".join(str(error).split())) from error
        key = self.keys.get(playlist.key_id)
        if key is None:
            raise RefusedPlaylistError("unknown key", f"it names {playlist.key_id or 'none'!r}")
        try:
            key.verify(signature, _DOMAIN + canonical_bytes(values, "signature"))
        except InvalidSignature:
            raise RefusedPlaylistError(
                "wrong signature", f"it is not what the key {playlist.key_id} signed"
            ) from None
        if playlist.screen_id != screen_id:
            raise RefusedPlaylistError("another screen", f"it is for {playlist.screen_id!r}")
        return playlist


def _public(text: str) -> Ed25519PublicKey:
    return Ed25519PublicKey.from_public_bytes(base64.b64decode(text, validate=True))


def new_key(private: Path, trust: Path, name: str = "") -> str:
    """Make a key: the private half into a new file of mode 0600, the public half into the trust
    file, beside what it holds already. Returns the key's name.

    Raises:
        KeyFileError: the private file exists already, or one cannot be written.
    """
    key = Ed25519PrivateKey.generate()
    listed: tuple[_TrustedKey, ...] = ()
    if trust.exists():
        Trust.load(trust)
        listed = msgspec.json.decode(trust.read_bytes(), type=_TrustFile).keys
    named = _TrustedKey(
        key_id=key_id(key.public_key()),
        public_key=base64.b64encode(_raw(key.public_key())).decode(),
        name=name,
    )
    text = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    try:
        private.parent.mkdir(parents=True, exist_ok=True)
        made = os.open(private, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(made, "wb") as file:
            file.write(text)
        trust.parent.mkdir(parents=True, exist_ok=True)
        body = msgspec.json.format(msgspec.json.encode(_TrustFile(keys=(*listed, named))), indent=2)
        trust.write_bytes(body + b"\n")
    except FileExistsError:
        raise KeyFileError(
            f"{private}: there is a key already; name another file, since a key that is "
            "overwritten is lost"
        ) from None
    except OSError as error:
        raise KeyFileError(
            f"{error.filename}: a key cannot be written here ({error.strerror}); name another place"
        ) from error
    return named.key_id
