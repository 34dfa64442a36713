"""What a consumer could not decode or handle: kept, with its reason, in a topic of its own."""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import Any

from streams.contracts.topics import dead_letter_topic
from streams.errors import DeliveryError
from streams.ports import Incoming, Outbox

log = logging.getLogger(__name__)

#: An error text longer than this is cut: headers are for reading, not for dumps.
_MAX_REASON = 500

#: A record near the broker's limit would not fit once it has our headers: it is cut, and says so.
_MAX_VALUE_BYTES = 1_000_000

#: How long to wait before a dead letter that the broker did not take is sent again.
_RETRY_S = 1.0


def about(record: Incoming) -> dict[str, object]:
    """The record's place in the log, for a line of this process's log."""
    return {"topic": record.topic, "partition": record.partition, "offset": record.offset}


def dead_letter(
    consumer: str,
    *,
    topic: str,
    partition: int,
    offset: int,
    key: bytes | None,
    value: bytes | None,
    error: Exception,
) -> dict[str, Any]:
    """The keyword arguments of a producer's `send` for a record that `consumer` gave up on.

    The value is the original bytes; the headers name exception, reason, topic, partition, offset,
    and `size` where the value is too large to be kept whole.
    """
    headers = [
        ("exception", type(error).__name__.encode()),
        ("reason", str(error)[:_MAX_REASON].encode(errors="replace")),
        ("topic", topic.encode()),
        ("partition", str(partition).encode()),
        ("offset", str(offset).encode()),
    ]
    if value is not None and len(value) > _MAX_VALUE_BYTES:
        headers.append(("size", str(len(value)).encode()))
        value = value[:_MAX_VALUE_BYTES]
    return {
        "topic": dead_letter_topic(consumer),
        "key": key,
        "value": value,
        "headers": headers,
    }


async def handle_or_bury(
    consumer: str,
    outbox: Outbox,
    record: Incoming,
    handle: Callable[[Incoming], Awaitable[None]],
) -> bool:
    """The edge of a consumer's loop: `handle` deals with the record, or it becomes a dead letter
    (False).

    Returns when one or the other is done, so that the record may be acknowledged.
    """
    try:
        await handle(record)
        return True
    except Exception as error:  # whatever is wrong with one record must not stop the others
        await bury(consumer, outbox, record, error)
        return False


async def bury(consumer: str, outbox: Outbox, record: Incoming, error: Exception) -> None:
    """Makes a record that cannot be handled a dead letter; one that the broker does not take is
    sent until it does.
    """
    log.warning(
        "%s partition %d offset %d goes to the dead letters: %s: %s",
        record.topic,
        record.partition,
        record.offset,
        type(error).__name__,
        error,
        extra=about(record),
    )
    letter = dead_letter(
        consumer,
        topic=record.topic,
        partition=record.partition,
        offset=record.offset,
        key=record.key,
        value=record.value,
        error=error,
    )
    while True:
        try:
            await outbox.deliver([letter])
            return
        except DeliveryError as refused:
            log.warning("a dead letter waits: %s", refused)
            await asyncio.sleep(_RETRY_S)
