"""What a consumer could not handle: kept whole, with its reason, in a topic of its own."""

from typing import Any

from streams.contracts.topics import dead_letter_topic

#: An error text longer than this is cut: headers are for reading, not for dumps.
_MAX_REASON = 500


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

    The value is the original bytes; the headers name exception, reason, topic, partition, offset.
    """
    return {
        "topic": dead_letter_topic(consumer),
        "key": key,
        "value": value,
        "headers": [
            ("exception", type(error).__name__.encode()),
            ("reason", str(error)[:_MAX_REASON].encode()),
            ("topic", topic.encode()),
            ("partition", str(partition).encode()),
            ("offset", str(offset).encode()),
        ],
    }
