"""Receipts from a topic of a till's own: raw JSON, one receipt or a list of them a message."""

import asyncio
from collections.abc import Callable
from contextlib import suppress

from aiokafka import AIOKafkaConsumer

from infra.receipts.errors import TakingError
from infra.receipts.intake import Intake

_FETCH_MS = 500
_WAIT_S = 2.0


async def follow(
    kafka: str,
    topic: str,
    intake: Intake,
    *,
    now_ms: Callable[[], int],
    stop: asyncio.Event,
    ready: Callable[[], None],
) -> None:
    """Until `stop`. What was taken is committed after it; what was not is read again."""
    consumer = AIOKafkaConsumer(
        topic,
        bootstrap_servers=kafka,
        group_id=f"smartstore-receipts-{topic}",
        enable_auto_commit=False,
        auto_offset_reset="earliest",
        client_id="smartstore-receipts",
    )
    await consumer.start()
    ready()
    try:
        while not stop.is_set():
            batches = await consumer.getmany(timeout_ms=_FETCH_MS, max_records=200)
            for place, records in batches.items():
                for each in records:
                    source = f"{topic}/{place.partition}/{each.offset}"
                    # The log's time, so that a refusal that is told again is the same.
                    await _taken(intake, each.value or b"", source, each.timestamp, stop)
                    if stop.is_set():
                        return
            if batches:
                await consumer.commit()
    finally:
        await consumer.stop()


async def _taken(
    intake: Intake, value: bytes, source: str, at_ms: int, stop: asyncio.Event
) -> None:
    while not stop.is_set():
        try:
            await intake.take(value, "json", source, at_ms)
            return
        except TakingError:
            with suppress(TimeoutError):
                await asyncio.wait_for(stop.wait(), _WAIT_S)
