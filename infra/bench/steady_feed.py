"""Messages of the stream bench's gateways, made as time goes by and sent at the pace at which they
happen.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass

from aiokafka import AIOKafkaProducer

from infra.bench.stream_sent import Sent
from infra.bench.stream_world import messages, store_of

#: People before each camera, and what they are good for.
_PEOPLE = 12
EVENTS_PER_CAMERA_S = 25
#: The messages are made so far ahead.
_CHUNK_MS = 20_000


@dataclass(slots=True)
class Fed:
    """What was sent so far."""

    events: int = 0
    messages: int = 0
    seconds: float = 0.0


async def as_time_goes_by(cameras: int, seconds: float, seed: int) -> AsyncIterator[list[Sent]]:
    """The messages in pieces, the next one made while one is sent; from now on."""
    layout = store_of(cameras)
    begin_ms = time.time_ns() // 1_000_000_000 * 1_000

    def made(number: int) -> list[Sent]:
        told = messages(
            layout,
            people=_PEOPLE,
            begin_ms=begin_ms + number * _CHUNK_MS,
            length_ms=_CHUNK_MS,
            seed=seed + number,
        )
        return list(told)

    count = max(1, round(seconds * 1_000 / _CHUNK_MS))
    making = asyncio.create_task(asyncio.to_thread(made, 0))
    for number in range(count):
        chunk = await making
        if number + 1 < count:
            making = asyncio.create_task(asyncio.to_thread(made, number + 1))
        yield chunk


async def send(
    producer: AIOKafkaProducer, chunk: Sequence[Sent], behind_s: float, sent: Fed
) -> None:
    """Each when it is due: `behind_s` after its own time."""
    for message in chunk:
        ahead_s = message.at_ms / 1_000 + behind_s - time.time()
        if ahead_s > 0:
            await asyncio.sleep(ahead_s)
        await producer.send(
            message.topic,
            message.value,
            key=message.key,
            headers=message.headers,
            timestamp_ms=message.at_ms,
        )
        sent.events += message.events
        sent.messages += 1
