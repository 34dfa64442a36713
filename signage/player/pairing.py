"""Which pages may have this screen: paired with a one-time code, known by a token afterwards.

Only hashes are kept. The code is made on the player's own machine (`smartstore player pair`), holds
for some minutes and some attempts, and pairs one page. Files: `pairing.json` (the open offer) and
`paired.json` (the pages), both for their owner alone.
"""

import hashlib
import hmac
import os
import secrets
from pathlib import Path
from typing import Annotated, TypeVar

import msgspec
from msgspec import Meta, Struct

from signage.errors import PairingError

#: Eight digits and five attempts: one chance in twenty million to guess it.
_DIGITS = 8
_ATTEMPTS = 5
#: Long enough to walk to the screen and type.
OFFER_MS = 600_000
#: A screen has one page, and a few that watch.
_MAX_PAGES = 32
_TOKEN_BYTES = 32

_T = TypeVar("_T")


class _Offer(Struct, frozen=True, kw_only=True):
    salt: str
    code_sha256: str
    expires_at_ms: int
    attempts_left: int


class _Page(Struct, frozen=True, kw_only=True):
    token_sha256: str
    paired_at_ms: int


_Pages = Annotated[tuple[_Page, ...], Meta(max_length=_MAX_PAGES)]


class Pairing:
    """The pages of one player, whose state is in `folder`."""

    def __init__(self, folder: Path) -> None:
        self._offer = folder / "pairing.json"
        self._paired = folder / "paired.json"

    def offer(self, now_ms: int) -> str:
        """A new code; an older one no longer counts. Raises PairingError."""
        code = f"{secrets.randbelow(10**_DIGITS):0{_DIGITS}d}"
        salt = secrets.token_hex(16)
        offer = _Offer(
            salt=salt,
            code_sha256=_sha256(salt + code),
            expires_at_ms=now_ms + OFFER_MS,
            attempts_left=_ATTEMPTS,
        )
        _write(self._offer, msgspec.json.encode(offer))
        return code

    def redeem(self, code: str, now_ms: int) -> str | None:
        """The token of a page that knows the code, None where it does not. Either counts."""
        offer = _read(self._offer, _Offer)
        if offer is None or offer.attempts_left < 1 or now_ms >= offer.expires_at_ms:
            return None
        if not hmac.compare_digest(_sha256(offer.salt + code), offer.code_sha256):
            left = msgspec.structs.replace(offer, attempts_left=offer.attempts_left - 1)
            _write(self._offer, msgspec.json.encode(left))
            return None
        self._offer.unlink(missing_ok=True)
        token = secrets.token_urlsafe(_TOKEN_BYTES)
        page = _Page(token_sha256=_sha256(token), paired_at_ms=now_ms)
        pages = (*self._pages(), page)[-_MAX_PAGES:]
        _write(self._paired, msgspec.json.encode(pages))
        return token

    def knows(self, token: str) -> bool:
        """Whether a page was paired with this screen."""
        found = _sha256(token)
        return any(hmac.compare_digest(found, page.token_sha256) for page in self._pages())

    def forget(self) -> int:
        """Let go of every page; how many there were."""
        pages = self._pages()
        self._paired.unlink(missing_ok=True)
        self._offer.unlink(missing_ok=True)
        return len(pages)

    def _pages(self) -> tuple[_Page, ...]:
        return _read(self._paired, _Pages) or ()


def _sha256(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def _read(path: Path, kind: type[_T]) -> _T | None:
    """What a file holds; nothing where it is not there, or is not what we wrote."""
    try:
        return msgspec.json.decode(path.read_bytes(), type=kind)
    except (OSError, msgspec.DecodeError, UnicodeDecodeError):
        return None


def _write(path: Path, data: bytes) -> None:
    new = path.with_suffix(".new")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        made = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(made, "wb") as file:
            file.write(data)
        new.replace(path)
    except OSError as error:
        raise PairingError(
            f"{path}: what pages are paired cannot be kept here ({error.strerror}); make room on "
            "the disk or mend its permissions"
        ) from error
