"""Puts the whole snapshots into their compacted topics: the layout of a store, the creatives."""

from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError

from infra.errors import UserError
from signage.catalogue import load_catalogue
from signage.partitions import partitions_of
from streams.contracts import topics
from streams.contracts.codec import record
from streams.contracts.layout import StoreLayout
from streams.kafka_log import side_consumer


async def publish_snapshots(
    bootstrap: str, layout: StoreLayout, *, creatives_again: bool = False
) -> int:
    """Publishes `layout`, and our creatives into a catalogue that has never held any: a start must
    not bring back what somebody has withdrawn. Returns how many records that were. Safe to repeat.

    `creatives_again` publishes our creatives whatever was there.

    Raises:
        UserError: no broker there, or one without the topics.
    """
    creatives = load_catalogue().creatives
    producer = AIOKafkaProducer(bootstrap_servers=bootstrap, enable_idempotence=True)
    try:
        await producer.start()
        if not creatives_again and await _ever_held(bootstrap, topics.CREATIVE.name):
            creatives = ()
        for creative in creatives:
            await producer.send(**record(topics.CREATIVE, creative, "smartstore/catalogue"))
        await producer.send_and_wait(**record(topics.LAYOUT, layout, "smartstore/layout"))
        await producer.flush()
    except KafkaError as error:
        raise UserError(
            f"the layout cannot be published on {bootstrap} ({type(error).__name__}); see that the "
            "broker runs there and has its topics (`smartstore topics create`)"
        ) from error
    finally:
        await producer.stop()
    return len(creatives) + 1


async def _ever_held(bootstrap: str, topic: str) -> bool:
    """Whether a record was ever written to `topic`; compaction does not hide it."""
    async with side_consumer(bootstrap) as side:
        partitions = (await partitions_of(bootstrap, topic))[topic]
        ends = await side.end_offsets(partitions) if partitions else {}
    return any(ends.values())
