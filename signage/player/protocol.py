"""What page and service say to each other, one JSON object a WebSocket message (PROTOCOL.md)."""

import hashlib
from collections.abc import Sequence

import msgspec
from msgspec import UNSET, Struct, UnsetType

from signage.player.programme import Ask
from streams.contracts.base import Id, Sentence
from streams.contracts.signage import Arm, PriceShown, ReasonCode

#: A page says little; a longer message is not one of ours.
MAX_MESSAGE_BYTES = 16 * 1024


class Preload(Struct, frozen=True, kw_only=True, tag="preload"):
    """Service to page, first and whenever it changes: what it may be asked to show, so that it can
    be fetched early. `ask` is the address for shoppers whose code (`/qr.svg`) the page shows.
    """

    urls: tuple[str, ...]
    ask: str | None = None


class Show(Struct, frozen=True, kw_only=True, tag="show"):
    """Service to page: show this, at once."""

    play_id: str
    decision_id: str
    creative_id: str
    version: int
    url: str
    alt_text: str
    reason: ReasonCode
    sentence: str
    arm: Arm | None


class Stop(Struct, frozen=True, kw_only=True, tag="stop"):
    """Service to page: a newer page has this screen; keep quiet and do not come back."""


class Pong(Struct, frozen=True, kw_only=True, tag="pong"):
    """Service to page: the answer to a ping."""


class Rendered(Struct, frozen=True, kw_only=True, tag="rendered"):
    """Page to service: the play has been painted."""

    play_id: Id


class Failed(Struct, frozen=True, kw_only=True, tag="failed"):
    """Page to service: the play cannot be shown."""

    play_id: Id
    error: Sentence | UnsetType = UNSET


class Ping(Struct, frozen=True, kw_only=True, tag="ping"):
    """Page to service, every few seconds: still here."""


FromPage = Rendered | Failed | Ping
ToPage = Preload | Show | Stop | Pong

_DECODER: msgspec.json.Decoder[FromPage] = msgspec.json.Decoder(FromPage)


def decode(message: str) -> FromPage:
    """A page's message. Raises msgspec.DecodeError (a ValueError) where it is none."""
    return _DECODER.decode(message)


def encode(message: ToPage) -> str:
    """A service's message as text."""
    return msgspec.json.encode(message).decode()


def media_url(media: str, sha256: str) -> str:
    """Where a creative's page is served; the hash keeps a browser's cache honest."""
    return f"/media/{media}?sha256={sha256[:16]}"


def filled_url(ask: Ask) -> str:
    """Where a play's creative is served. A template with other prices is another page."""
    creative = ask.programme.creative
    url = media_url(creative.media, creative.sha256)
    return f"{url}&prices={prices_key(ask.prices)}" if ask.prices else url


def prices_key(prices: Sequence[PriceShown]) -> str:
    """Names some prices in an address."""
    values = "|".join(f"{each.sku}={each.price}{each.currency}" for each in prices)
    return hashlib.sha256(values.encode()).hexdigest()[:16]


def show(ask: Ask) -> Show:
    """The message that asks the page for a play."""
    creative = ask.programme.creative
    return Show(
        play_id=ask.play_id,
        decision_id=ask.programme.decision_id,
        creative_id=creative.creative_id,
        version=creative.version,
        url=filled_url(ask),
        alt_text=creative.alt_text,
        reason=ask.programme.reason,
        sentence=ask.programme.sentence,
        arm=ask.programme.arm,
    )
