"""What the player needs from outside: the content that concerns its screen, and a way for proofs.

Both are Kafka in `kafka.py`; tests put fakes behind them.
"""

from collections.abc import Callable, Sequence
from typing import Protocol

from streams.contracts.signage import Content, Play

#: Called with each newest content of the screen, or None when it was deleted.
OnContent = Callable[[Content | None], None]


class ContentFeed(Protocol):
    """The content of one screen: the newest value at the start, then every change."""

    @property
    def connected(self) -> bool:
        """Whether the source is there now."""
        ...

    async def run(self, on_content: OnContent) -> None:
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
