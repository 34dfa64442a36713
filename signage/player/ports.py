"""What the player needs from outside: what concerns its screen, a way for proofs, and files.

The first two are Kafka in `kafka.py`; tests put fakes behind them.
"""

from collections.abc import Sequence
from typing import Protocol

from streams.contracts.signage import Content, Creative, MediaFile, Play
from streams.contracts.store import Price


class Listener(Protocol):
    """Is told what concerns the screen."""

    def content(self, content: Content | None) -> None:
        """The newest content of the screen, None when it was deleted."""
        ...

    def playlist(self, message: bytes) -> None:
        """The newest playlist of the screen, as it came."""
        ...

    def creative(self, creative_id: str, creative: Creative | None) -> None:
        """A creative was published, or (None) withdrawn."""
        ...

    def price(self, sku: str, price: Price | None) -> None:
        """A price of the store, None when it was deleted."""
        ...

    def logged(self, at_ms: int) -> None:
        """A record has just arrived that was written at this time by its writer's clock."""
        ...


class ContentFeed(Protocol):
    """What the log says to one screen: the newest at the start, then every change."""

    @property
    def connected(self) -> bool:
        """Whether the source is there now."""
        ...

    async def run(self, listener: Listener) -> None:
        """Follow until cancelled; a source that is away is waited for."""
        ...


class ProofChannel(Protocol):
    """Where proofs of play go."""

    async def send(self, plays: Sequence[Play]) -> None:
        """Deliver in order; returns when all are acknowledged. Raises ProofSendError."""
        ...

    async def close(self) -> None:
        """Let go of the connection."""
        ...


class MediaSource(Protocol):
    """Where the files of a playlist come from."""

    async def fetch(self, file: MediaFile) -> bytes:
        """The bytes of a file, which are then verified. Raises MediumError."""
        ...
