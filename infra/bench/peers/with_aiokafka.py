"""The attention job on aiokafka alone: records in batches, windows in memory, rows sent without
waiting for each, offsets stored each second.
"""

import asyncio
import time

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer

from infra.bench.peers.job import FETCH_PAUSE_MS, OUTPUT, Attention, Progress, Task
from infra.stack.pacing import pace_empty_fetches

_COMMIT_EVERY_S = 1.0


async def main(task: Task) -> None:
    """Until all messages are handled."""
    consumer = AIOKafkaConsumer(
        *task.topics,
        bootstrap_servers=task.kafka,
        group_id=task.group,
        auto_offset_reset="earliest",
        enable_auto_commit=False,
    )
    producer = AIOKafkaProducer(bootstrap_servers=task.kafka)
    await producer.start()
    await consumer.start()
    try:
        await _work(task, consumer, producer)
    finally:
        await consumer.stop()
        await producer.stop()


async def _work(task: Task, consumer: AIOKafkaConsumer, producer: AIOKafkaProducer) -> None:
    attention, progress = Attention(task), Progress(task)
    stored_s = time.monotonic()
    while True:
        for tp, records in (await consumer.getmany(timeout_ms=200, max_records=500)).items():
            for record in records:
                attention.take(record.topic, record.offset, record.value, record.timestamp)
            pending = [
                await producer.send(OUTPUT, value, key=key) for key, value in attention.rows()
            ]
            if pending:
                await asyncio.gather(*pending)
            if progress.handled(tp.topic, len(records)):
                await consumer.commit()
                return
        if time.monotonic() - stored_s >= _COMMIT_EVERY_S:
            stored_s = time.monotonic()
            await consumer.commit()


if __name__ == "__main__":
    pace_empty_fetches(FETCH_PAUSE_MS / 1_000)
    asyncio.run(main(Task.given()))
