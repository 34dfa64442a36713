"""Puts the whole snapshots into their compacted topics: the layout of a store, the creatives."""

from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError

from infra.errors import UserError
from signage.catalogue import load_catalogue
from streams.contracts import topics
from streams.contracts.codec import record
from streams.contracts.layout import StoreLayout


async def publish_snapshots(bootstrap: str, layout: StoreLayout) -> int:
    """Publishes `layout` and our creatives; returns how many records that were. Safe to repeat.

    Raises:
        UserError: no broker there, or one without the topics.
    """
    creatives = load_catalogue().creatives
    producer = AIOKafkaProducer(bootstrap_servers=bootstrap, enable_idempotence=True)
    try:
        await producer.start()
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
