"""Reads the proofs of play that a broker holds, as they were sent."""

from aiokafka import TopicPartition
from aiokafka.errors import KafkaError

from infra.errors import UserError
from streams.contracts.topics import PLAY
from streams.kafka_log import Record, read_ranges, side_consumer


async def read_proofs(bootstrap: str) -> list[bytes]:
    """Every value of `signage.play.v1`, partition by partition in order.

    Raises:
        UserError: no broker, or one without the topic.
    """
    found: list[bytes] = []

    def keep(record: Record) -> None:
        if record.value is not None:
            found.append(record.value)

    try:
        async with side_consumer(bootstrap) as side:
            await side.topics()
            numbers = sorted(side.partitions_for_topic(PLAY.name) or ())
            places = [TopicPartition(PLAY.name, number) for number in numbers]
            begins = await side.beginning_offsets(places)
            ends = await side.end_offsets(places)
            for place in places:
                await read_ranges(side, {place: (begins[place], ends[place])}, keep)
    except (KafkaError, OSError, TimeoutError) as error:
        raise UserError(
            f"the proofs of play cannot be read from {bootstrap} ({error or type(error).__name__});"
            " see that the broker runs and has its topics"
        ) from error
    return found
