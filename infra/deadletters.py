"""Dead letters for whoever operates a chain: what was given up on, why, and what to do with it.

Which letters are still open is kept on the broker, as the stored offset of a group of their own: a
letter that was replayed or dropped lies before it, and retention deletes it. Replaying is safe to
repeat, since all that reads the topics drops repeats by their ids.
"""

from collections import Counter
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.errors import KafkaError
from aiokafka.structs import ConsumerRecord

from infra.errors import UserError
from streams.contracts.topics import TOPICS, dead_letter_topic

_REQUEST_TIMEOUT_MS = 10_000
_POLL_MS = 500

#: A letter is a message of the largest size and its headers.
_MAX_BYTES = 2 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Letter:
    """One dead letter of `consumer`: where it lies, where it came from, and why.

    `value` is the original bytes; they are `whole` unless the record was too large to be kept.
    """

    consumer: str
    offset: int
    at_ms: int
    exception: str
    reason: str
    topic: str
    partition: int
    topic_offset: int
    key: bytes | None
    value: bytes | None
    whole: bool

    @property
    def origin(self) -> tuple[str, int, int]:
        """Topic, partition and offset of the original; the same letter may be kept twice."""
        return self.topic, self.partition, self.topic_offset

    @property
    def told_at(self) -> str:
        """When it was given up on, for people."""
        return datetime.fromtimestamp(self.at_ms / 1_000, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")


@dataclass(frozen=True, slots=True)
class Heap:
    """Open letters of one kind: how many distinct ones, and the newest of them."""

    consumer: str
    topic: str
    exception: str
    count: int
    newest: Letter


def heaps(letters: Sequence[Letter]) -> list[Heap]:
    """The letters by consumer, topic and exception, the largest heap first."""
    distinct = {(letter.consumer, letter.origin): letter for letter in letters}.values()
    counts = Counter((x.consumer, x.topic, x.exception) for x in distinct)
    newest = {(x.consumer, x.topic, x.exception): x for x in sorted(distinct, key=_age)}
    return [Heap(*kind, count, newest[kind]) for kind, count in counts.most_common()]


async def open_letters(bootstrap: str, consumer: str) -> list[Letter]:
    """The letters of a consumer that were neither replayed nor dropped, oldest first.

    Raises:
        UserError: no broker, or no such topic.
    """
    async with _reader(bootstrap, consumer) as (reader, place):
        begin, end = await _bounds(reader, place)
        return await _read(reader, place, consumer, begin, end)


async def letter_at(bootstrap: str, consumer: str, offset: int) -> Letter:
    """One letter, open or not.

    Raises:
        UserError: no broker, no such topic, or no letter there.
    """
    async with _reader(bootstrap, consumer) as (reader, place):
        begin = (await reader.beginning_offsets([place]))[place]
        end = (await reader.end_offsets([place]))[place]
        if begin <= offset < end:
            found = await _read(reader, place, consumer, offset, offset + 1)
            if found:
                return found[0]
    held = f"{begin} to {end - 1}" if begin < end else "none"
    raise UserError(
        f"{place.topic} has no letter at offset {offset} (it holds {held}); "
        "`smartstore dlq list` shows which there are"
    )


async def replay(bootstrap: str, letters: Sequence[Letter]) -> int:
    """Sends the originals to their topics again, each distinct one once; how many.

    Raises:
        UserError: no broker, or one that cannot be replayed (cut, or of an unknown topic).
    """
    distinct = {letter.origin: letter for letter in letters}
    for letter in distinct.values():
        if not letter.whole or letter.topic not in TOPICS:
            what = "was too large to be kept whole" if not letter.whole else "has an unknown topic"
            raise UserError(
                f"the letter {letter.offset} of {letter.consumer} {what}, so it cannot be "
                f"replayed; drop it with `smartstore dlq drop {letter.consumer} --through "
                f"{letter.offset}`, or name others"
            )
    producer = AIOKafkaProducer(
        bootstrap_servers=bootstrap, acks="all", max_request_size=_MAX_BYTES
    )
    try:
        await producer.start()
        for letter in distinct.values():
            origin = f"{letter.topic}/{letter.partition}/{letter.topic_offset}"
            await producer.send_and_wait(
                letter.topic,
                letter.value,
                key=letter.key,
                headers=[("replayed_from", origin.encode())],
            )
    except (KafkaError, OSError) as error:
        raise _away(bootstrap, error) from error
    finally:
        await producer.stop()
    return len(distinct)


async def close_through(bootstrap: str, consumer: str, offset: int) -> None:
    """All letters up to this offset are dealt with: they are no longer listed.

    Raises:
        UserError: no broker.
    """
    async with _reader(bootstrap, consumer) as (reader, place):
        begin, _ = await _bounds(reader, place)
        await reader.commit({place: max(begin, offset + 1)})


def _age(letter: Letter) -> int:
    return letter.offset


@asynccontextmanager
async def _reader(
    bootstrap: str, consumer: str
) -> AsyncIterator[tuple[AIOKafkaConsumer, TopicPartition]]:
    place = TopicPartition(dead_letter_topic(consumer), 0)
    reader = AIOKafkaConsumer(
        bootstrap_servers=bootstrap,
        group_id=f"smartstore.dlq.{consumer}",
        enable_auto_commit=False,
        auto_offset_reset="earliest",
        request_timeout_ms=_REQUEST_TIMEOUT_MS,
    )
    try:
        await reader.start()
        if place.topic not in await reader.topics():
            raise UserError(
                f"the broker at {bootstrap} has no topic {place.topic}; make the topics with "
                "`smartstore topics create`, or name another broker"
            )
        reader.assign([place])
        yield reader, place
    except (KafkaError, OSError) as error:
        raise _away(bootstrap, error) from error
    finally:
        await reader.stop()


def _away(bootstrap: str, error: Exception) -> UserError:
    return UserError(
        f"the broker at {bootstrap} did not answer ({type(error).__name__}); see that it runs and "
        "that SMARTSTORE_KAFKA names it"
    )


async def _bounds(reader: AIOKafkaConsumer, place: TopicPartition) -> tuple[int, int]:
    """The first open letter's offset, and the one after the last letter."""
    begin = (await reader.beginning_offsets([place]))[place]
    end = (await reader.end_offsets([place]))[place]
    stored = await reader.committed(place)
    # A broker that lost its tail may have fewer letters than were dealt with.
    return min(max(begin, stored or 0), end), end


async def _read(
    reader: AIOKafkaConsumer, place: TopicPartition, consumer: str, begin: int, end: int
) -> list[Letter]:
    letters: list[Letter] = []
    reader.seek(place, begin)
    while await reader.position(place) < end:
        fetched = await reader.getmany(place, timeout_ms=_POLL_MS)
        letters += [_letter(r, consumer) for r in fetched.get(place, []) if r.offset < end]
    return letters


def _letter(record: ConsumerRecord, consumer: str) -> Letter:
    told = {name: value.decode(errors="replace") for name, value in record.headers}
    return Letter(
        consumer=consumer,
        offset=record.offset,
        at_ms=record.timestamp,
        exception=told.get("exception", "unknown"),
        reason=told.get("reason", "unknown"),
        topic=told.get("topic", "unknown"),
        partition=_number(told.get("partition")),
        topic_offset=_number(told.get("offset")),
        key=record.key,
        value=record.value,
        whole=not {"size", "cut"} & told.keys(),
    )


def _number(text: str | None) -> int:
    """A number that a stranger may have written; -1 for none."""
    return int(text) if text is not None and text.isdecimal() and len(text) < 19 else -1
