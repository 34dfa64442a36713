"""The partitions of topics, asked for in a way that never creates a topic. A consumer without a
subscription cannot say: Kafka tells it of no topic that it has not named.
"""

import contextlib

from aiokafka import TopicPartition
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import KafkaError

_REQUEST_TIMEOUT_MS = 10_000


async def partitions_of(bootstrap: str, *topics: str) -> dict[str, list[TopicPartition]]:
    """The partitions of each of `topics`, in order; none of a topic that the broker does not have.

    Raises:
        KafkaError: the broker is away; OSError and TimeoutError likewise.
    """
    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap, request_timeout_ms=_REQUEST_TIMEOUT_MS)
    try:
        await admin.start()
        # All topics, since asking for one by name may create it with the broker's own settings.
        described = {each["topic"]: each["partitions"] for each in await admin.describe_topics()}
    finally:
        with contextlib.suppress(KafkaError, OSError, TimeoutError):
            await admin.close()
    return {
        topic: [
            TopicPartition(topic, number)
            for number in sorted(each["partition"] for each in described.get(topic, ()))
        ]
        for topic in topics
    }
