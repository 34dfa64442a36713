"""How far consumer groups are behind the log."""

import asyncio
from collections.abc import Mapping, Sequence

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient

#: Faust commits every few seconds; asking more often than this would only load the broker.
_PAUSE_S = 0.25


async def lag(bootstrap: str, groups: Mapping[str, Sequence[str]]) -> dict[str, int]:
    """Records of its topics that each group has not committed yet.

    `groups` maps a group's name to the topics that it reads.
    """
    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap)
    consumer = AIOKafkaConsumer(bootstrap_servers=bootstrap, enable_auto_commit=False)
    await admin.start()
    try:
        await consumer.start()
        try:
            names = sorted({topic for topics in groups.values() for topic in topics})
            described = await admin.describe_topics(names)
            partitions = [
                TopicPartition(topic["topic"], partition["partition"])
                for topic in described
                for partition in topic["partitions"]
            ]
            ends = await consumer.end_offsets(partitions)
            behind = {}
            for group, topics in groups.items():
                committed = await admin.list_consumer_group_offsets(group)
                behind[group] = sum(
                    end - max(0, committed[place].offset if place in committed else 0)
                    for place, end in ends.items()
                    if place.topic in topics
                )
            return behind
        finally:
            await consumer.stop()
    finally:
        await admin.close()


async def wait_until_caught_up(
    bootstrap: str, groups: Mapping[str, Sequence[str]], timeout_s: float
) -> dict[str, int]:
    """Waits until no group is behind, at most `timeout_s`; returns what lag is left."""
    loop = asyncio.get_running_loop()
    deadline = loop.time() + timeout_s
    while True:
        left = {group: n for group, n in (await lag(bootstrap, groups)).items() if n > 0}
        if not left or loop.time() >= deadline:
            return left
        await asyncio.sleep(_PAUSE_S)
