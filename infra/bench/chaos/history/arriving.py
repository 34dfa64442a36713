"""What happens to messages on their way: shuffled, delayed, repeated, corrupted. Pure."""

import random
from collections.abc import Iterable
from dataclasses import replace

from infra.bench.chaos.history.sending import Message
from streams.contracts import codec
from streams.contracts.errors import ContractError
from streams.contracts.topics import Topic

#: What is done to messages, as shares of them.
_SHUFFLED, _REPEATED, _DELAYED, _CORRUPTED = 0.3, 0.2, 0.02, 0.01
_LONGEST_DELAY_MS = 20_000


def hurt(
    sent: Iterable[tuple[Message, Topic]], draw: random.Random, lateness_ms: int
) -> list[Message]:
    """The messages as they arrive: more of them, and later. In no order."""
    arriving: list[Message] = []
    for message, topic in sent:
        at_ms = message.at_ms + draw.uniform(20, 60)
        if draw.random() < _SHUFFLED:
            at_ms += draw.uniform(0, lateness_ms)
        if draw.random() < _DELAYED:
            at_ms += draw.uniform(lateness_ms, _LONGEST_DELAY_MS)
        arriving.append(replace(message, at_ms=at_ms))
        if draw.random() < _REPEATED:
            again_ms = at_ms + draw.uniform(0, _LONGEST_DELAY_MS)
            arriving.append(replace(message, at_ms=again_ms, events=0))
        if draw.random() < _CORRUPTED and message.value is not None:
            value = _corrupted(topic.name, message.value, draw)
            later_ms = at_ms + draw.uniform(0, lateness_ms)
            arriving.append(replace(message, at_ms=later_ms, value=value, events=0, corrupted=True))
    return arriving


def _corrupted(topic: str, value: bytes, draw: random.Random) -> bytes | None:
    """Bytes that nobody can decode: cut, with a byte changed, of another kind, or none at all."""
    for _ in range(100):
        match draw.randrange(5):
            case 0:
                wrong: bytes | None = value[: draw.randrange(len(value))]
            case 1:
                at = draw.randrange(len(value))
                wrong = value[:at] + bytes([draw.randrange(256)]) + value[at + 1 :]
            case 2:
                wrong = b'{"store_id": 7}'
            case 3:
                wrong = draw.randbytes(40)
            case _:
                wrong = None
        try:
            codec.decode(topic, wrong)
        except ContractError:
            return wrong
    return b""
