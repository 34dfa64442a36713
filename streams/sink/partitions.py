"""The partitions of topics, asked for in a way that never creates a topic."""

from collections.abc import Sequence

from aiokafka import TopicPartition
from aiokafka.admin import AIOKafkaAdminClient

from streams.sink.closing import close
from streams.sink.errors import NoTopicsError


async def all_partitions(
    bootstrap: str, topics: Sequence[str], needed: Sequence[str]
) -> list[TopicPartition]:
    """All partitions of `topics`.

    Raises:
        NoTopicsError: the broker has not all of the topics `needed`.
        KafkaError: the broker is away.
    """
    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap)
    try:
        await admin.start()
        # All topics, since asking for one by name may create it with the broker's own settings.
        described = {t["topic"]: t["partitions"] for t in await admin.describe_topics()}
    finally:
        await close(admin.close())
    missing = [topic for topic in needed if topic not in described]
    if missing:
        raise NoTopicsError(
            f"the broker at {bootstrap} has no topic {missing[0]} "
            f"({len(missing)} missing); run `smartstore topics create`"
        )
    return [
        TopicPartition(topic, partition["partition"])
        for topic in topics
        for partition in described[topic]
    ]
