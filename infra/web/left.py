"""The very messages that left the cameras: the newest of them, and how much it was. Pure."""

from collections import deque
from collections.abc import Iterator

import msgspec

from infra.web.view import LeftMessage, LeftPage, LeftView
from streams.contracts import topics

#: What a camera's gateway says; nothing else leaves it.
CAMERA_TOPICS = (
    topics.GAZE.name,
    topics.DWELL.name,
    topics.AUDIENCE.name,
    topics.CROSSING.name,
)

#: Kept of each topic: the many audience beats must not push out the few gazes.
_KEPT = 20
_KEPT_BEATS = 4

#: A longer message is cut in the panel (a batch of thousands of events).
_MOST_CHARS = 8_000


class Left:
    """Counts and keeps; a message that is read again after a break is not counted twice."""

    def __init__(self) -> None:
        self._kept = {
            topic: deque[LeftMessage](
                maxlen=_KEPT_BEATS if topic == topics.AUDIENCE.name else _KEPT
            )
            for topic in CAMERA_TOPICS
        }
        self._newest: dict[tuple[str, int], tuple[int, int]] = {}
        self._messages = 0
        self._size_bytes = 0

    def add(self, topic: str, partition: int, offset: int, at_ms: int, value: bytes) -> None:
        """Take in a message of a camera topic."""
        # By time before offset: a broker that lost the end of its log gives offsets out again.
        order = (at_ms, offset)
        if order <= self._newest.get((topic, partition), (-1, -1)):
            return
        self._newest[topic, partition] = order
        self._messages += 1
        self._size_bytes += len(value)
        self._kept[topic].append(
            LeftMessage(
                topic=topic,
                partition=partition,
                offset=offset,
                at_ms=at_ms,
                size_bytes=len(value),
                text=value.decode(errors="replace")[:_MOST_CHARS],
            )
        )

    def total(self) -> LeftView:
        """How much left."""
        return LeftView(messages=self._messages, size_bytes=self._size_bytes)

    def page(self) -> LeftPage:
        """The newest messages of each topic, newest first."""
        messages = [message for kept in self._kept.values() for message in kept]
        messages.sort(key=lambda message: (message.at_ms, message.offset), reverse=True)
        return LeftPage(total=self.total(), fields=_FIELDS, messages=tuple(messages))


def _fields(kind: msgspec.inspect.Type) -> Iterator[str]:
    """The names of all fields of a type, those of the structs within it included."""
    if isinstance(kind, msgspec.inspect.StructType):
        for known in kind.fields:
            yield known.encode_name
            yield from _fields(known.type)
    elif isinstance(kind, msgspec.inspect.VarTupleType):
        yield from _fields(kind.item_type)
    elif isinstance(kind, msgspec.inspect.UnionType):
        for part in kind.types:
            yield from _fields(part)


_FIELDS = {
    topic: tuple(
        dict.fromkeys(_fields(msgspec.inspect.type_info(topics.topic_named(topic).struct)))
    )
    for topic in CAMERA_TOPICS
}
