"""The attention job on Quix Streams, by message: each is decoded whole and its events go to windows
in memory (as a sink of Quix' own keeps its batch); rows go to the output topic by `to_topic`.
"""

from typing import Any

from quixstreams import Application, message_context
from quixstreams.models import SerializationContext, Serializer

from infra.bench.peers.job import OUTPUT, Attention, Progress, Task


class RowSerializer(Serializer):  # type: ignore[misc] # the package brings no types
    """Of a row (key, value), the value."""

    def __call__(self, value: tuple[bytes, bytes], ctx: SerializationContext) -> bytes:
        """See `Serializer`."""
        return value[1]


def main(task: Task) -> None:
    """Until all messages are handled."""
    app = Application(
        broker_address=task.kafka,
        consumer_group=task.group,
        auto_offset_reset="earliest",
        auto_create_topics=False,
        state_dir=task.state,
        commit_interval=1.0,
        loglevel="WARNING",
    )
    attention, progress = Attention(task), Progress(task)
    output = app.topic(OUTPUT, key_serializer="bytes", value_serializer=RowSerializer())
    for name in task.topics:
        _table(app, name, attention, progress, output)
    app.run()


def _table(
    app: Application, name: str, attention: Attention, progress: Progress, output: Any
) -> None:
    topic = app.topic(name, key_deserializer="bytes", value_deserializer="bytes")

    def handle(value: bytes, _key: Any, timestamp_ms: int, _headers: Any) -> Any:
        attention.take(name, message_context().offset, value, timestamp_ms)
        if progress.handled(name):
            app.stop()
        return attention.rows()

    rows = app.dataframe(topic).apply(handle, metadata=True, expand=True)
    rows.to_topic(output, key=lambda row: row[0])


if __name__ == "__main__":
    main(Task.given())
