"""Waits until the processor has handled and the sink has stored all that the log holds."""

import asyncio
from collections.abc import Mapping, Sequence

import psycopg
from aiokafka import AIOKafkaConsumer, TopicPartition
from pydantic import SecretStr

from infra.bench.chaos.log import ends_of
from streams.contracts import topics

_PATIENCE_S = 90.0
_LOOK_EVERY_S = 0.5

#: What the sink reads.
_STORED = (
    topics.GAZE,
    topics.DWELL,
    topics.AUDIENCE,
    topics.CROSSING,
    topics.BASKET,
    topics.DECISION,
    topics.PLAY,
    topics.ATTENTION,
    topics.EXPOSURE,
    topics.BASKET_METRICS,
)


async def until_measured(bootstrap: str, group: str, read: Sequence[str]) -> list[str]:
    """Returns when the group has committed all of its topics; what is wrong, if it has not."""
    ends = {place: end for place, end in (await ends_of(bootstrap, read)).items() if end}
    until_s = asyncio.get_running_loop().time() + _PATIENCE_S
    # A member that never joins: it only asks. Not every broker tells an admin of all at once.
    asking = AIOKafkaConsumer(bootstrap_servers=bootstrap, group_id=group, enable_auto_commit=False)
    await asking.start()
    try:
        asking.assign([TopicPartition(*place) for place in ends])
        while True:
            stored = {place: await asking.committed(TopicPartition(*place)) for place in ends}
            behind = [
                f"{group} is at {stored[place]} of {end} in {place[0]}-{place[1]}"
                for place, end in ends.items()
                if (stored[place] or 0) < end
            ]
            if not behind or asyncio.get_running_loop().time() > until_s:
                return behind
            await asyncio.sleep(_LOOK_EVERY_S)
    finally:
        await asking.stop()


async def until_stored(bootstrap: str, dsn: SecretStr) -> list[str]:
    """Returns when the sink's offsets in the database are the ends of the log."""
    ends = await ends_of(bootstrap, [topic.name for topic in _STORED])
    until_s = asyncio.get_running_loop().time() + _PATIENCE_S
    while True:
        try:
            behind = await asyncio.to_thread(_behind, dsn, ends)
        except psycopg.Error as error:
            behind = [f"the database does not answer: {type(error).__name__}"]
        if not behind or asyncio.get_running_loop().time() > until_s:
            return behind
        await asyncio.sleep(_LOOK_EVERY_S)


def _behind(dsn: SecretStr, ends: Mapping[tuple[str, int], int]) -> list[str]:
    with psycopg.connect(dsn.get_secret_value(), connect_timeout=2) as connection:
        stored = {
            (topic, partition): offset
            for topic, partition, offset in connection.execute(
                "SELECT topic, partition, next_offset FROM stream_offsets WHERE consumer = 'sink'"
            )
        }
    return [
        f"the sink is at {stored.get(place, 0)} of {end} in {place[0]}-{place[1]}"
        for place, end in ends.items()
        if stored.get(place, 0) < end
    ]
