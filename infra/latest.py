"""What a compacted topic holds now: the newest value of each key. Read once, from the beginning."""

import contextlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from aiokafka.errors import KafkaError

from infra.errors import UserError
from signage.partitions import partitions_of
from streams.contracts import codec
from streams.contracts.errors import UndecodableError
from streams.contracts.topics import Topic

_REQUEST_TIMEOUT_MS = 10_000
_POLL_MS = 500


async def latest(bootstrap: str, topic: Topic) -> dict[str, Any]:
    """The values of `topic` by key, without those that were deleted. What cannot be decoded is
    left out.

    Raises:
        UserError: no broker, or one without the topic.
    """
    consumer = AIOKafkaConsumer(
        bootstrap_servers=bootstrap,
        enable_auto_commit=False,
        auto_offset_reset="earliest",
        request_timeout_ms=_REQUEST_TIMEOUT_MS,
    )
    found: dict[str, Any] = {}
    try:
        await consumer.start()
        places = (await partitions_of(bootstrap, topic.name))[topic.name]
        if not places:
            raise UserError(
                f"the broker at {bootstrap} has no topic {topic.name}; make the topics with "
                "`smartstore topics create`, or name another broker"
            )
        consumer.assign(places)
        ends = await consumer.end_offsets(places)
        await consumer.seek_to_beginning(*places)
        for place in places:
            while await consumer.position(place) < ends[place]:
                batches = await consumer.getmany(timeout_ms=_POLL_MS)
                for record in (each for batch in batches.values() for each in batch):
                    _take(found, topic, record)
    except (KafkaError, OSError, TimeoutError) as error:
        raise _away(bootstrap, error) from error
    finally:
        with contextlib.suppress(KafkaError, OSError, TimeoutError):
            await consumer.stop()
    return found


def _take(found: dict[str, Any], topic: Topic, record: Any) -> None:
    key = (record.key or b"").decode(errors="replace")
    if record.value is None:
        found.pop(key, None)
        return
    with contextlib.suppress(UndecodableError):
        found[key] = codec.decode(topic.name, record.value)


@asynccontextmanager
async def told_to(bootstrap: str) -> AsyncIterator[AIOKafkaProducer]:
    """A producer that is stopped again, whose faults are one sentence.

    Raises:
        UserError: no broker, or it does not take what it is told.
    """
    producer = AIOKafkaProducer(
        bootstrap_servers=bootstrap,
        enable_idempotence=True,
        request_timeout_ms=_REQUEST_TIMEOUT_MS,
    )
    try:
        await producer.start()
        yield producer
        await producer.flush()
    except (KafkaError, OSError, TimeoutError) as error:
        raise _away(bootstrap, error) from error
    finally:
        with contextlib.suppress(KafkaError, OSError, TimeoutError):
            await producer.stop()


def _away(bootstrap: str, error: Exception) -> UserError:
    return UserError(
        f"the broker at {bootstrap} did not answer ({type(error).__name__}); see that it runs and "
        "that SMARTSTORE_KAFKA names it"
    )
