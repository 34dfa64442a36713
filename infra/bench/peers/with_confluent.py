"""The limit: confluent-kafka takes the messages and nothing is done with them."""

from collections import Counter

from confluent_kafka import Consumer

from infra.bench.peers.job import Progress, Task

_AT_ONCE = 1_000


def main(task: Task) -> None:
    """Until all messages are taken."""
    progress = Progress(task)
    consumer = Consumer(
        {
            "bootstrap.servers": task.kafka,
            "group.id": task.group,
            "auto.offset.reset": "earliest",
        }
    )
    consumer.subscribe(task.topics)
    try:
        while True:
            taken = Counter(message.topic() for message in consumer.consume(_AT_ONCE, 0.2))
            for topic, count in taken.items():
                if progress.handled(str(topic), count):
                    return
    finally:
        consumer.close()


if __name__ == "__main__":
    main(Task.given())
