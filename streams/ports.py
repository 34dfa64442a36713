"""What the processors' logic sees of Kafka: a record that came in, a place for what goes out."""

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from msgspec import Struct


# A struct, not a dataclass, for one is made for every record.
class Incoming(Struct, frozen=True, gc=False):
    """A record as it was read. `value` is None where it is empty (a tombstone); `logged_ms` is the
    time that the log gives it.
    """

    topic: str
    partition: int
    offset: int
    key: bytes | None
    value: bytes | None
    logged_ms: int


class Outbox(Protocol):
    """Where a processor puts what it has to say."""

    async def deliver(self, records: Sequence[Mapping[str, Any]]) -> None:
        """Sends the records (topic, key, value, headers) in order and waits until the broker has
        them all. Raises DeliveryError.
        """
        ...
