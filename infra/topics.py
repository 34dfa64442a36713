"""Makes and lists the topics of the registry on a broker, before anybody uses them.

Left to themselves, brokers make topics with one partition or four; the processor needs them as the
registry says.
"""

import asyncio
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager

from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.errors import KafkaError, for_code

from infra.stack.errors import TopicError
from streams.contracts.topics import (
    CONSUMERS,
    DEAD_LETTER_RETENTION_MS,
    TOPICS,
    Topic,
    dead_letter_topic,
)

#: Nobody reads dead letters in parallel.
_DEAD_LETTER_PARTITIONS = 1

_REQUEST_TIMEOUT_MS = 10_000
#: A cluster may be choosing its controller, or take a moment to tell of what it made.
_ATTEMPTS = 20
_PAUSE_S = 0.25

_NO_ERROR = 0
_EXISTS = 36
#: REQUEST_TIMED_OUT, LEADER_NOT_AVAILABLE, COORDINATOR_NOT_AVAILABLE, NOT_CONTROLLER.
_PASSING = frozenset({5, 7, 15, 41})


async def create_topics(
    bootstrap: str,
    partitions: int | None = None,
    *,
    replication_factor: int = 1,
    retention_limit_ms: int | None = None,
) -> list[str]:
    """Makes every topic of the registry and the dead-letter topics; the names of those made now.

    `partitions` replaces the registry's number, except for dead letters. With
    `retention_limit_ms` nothing but compacted topics is kept longer, for brokers whose cost grows
    with their log. Topics that exist are left as they are.

    Raises:
        TopicError: no broker, a topic that it refuses, or one with another number of partitions
            than the one asked for here.
    """
    wanted = [
        *(_new_topic(t, partitions, replication_factor, retention_limit_ms) for t in _registry()),
        *_dead_letters(replication_factor, retention_limit_ms),
    ]
    async with _admin(bootstrap) as admin:
        made = await _create(admin, wanted)
        existing = await _partitions(admin, [topic.name for topic in wanted])
    if partitions is not None:
        _compare(wanted, existing)
    return made


async def list_topics(bootstrap: str) -> dict[str, int]:
    """All topics on the broker but its own, by name, with their numbers of partitions.

    Raises:
        TopicError: no broker.
    """
    async with _admin(bootstrap) as admin:
        described = await admin.describe_topics()
    return {t["topic"]: len(t["partitions"]) for t in described if not t["is_internal"]}


def _registry() -> Iterable[Topic]:
    return TOPICS.values()


def _new_topic(
    topic: Topic, partitions: int | None, replication_factor: int, limit_ms: int | None
) -> NewTopic:
    config = topic.config
    if limit_ms is not None and not topic.compact:
        config["retention.ms"] = str(min(topic.retention_ms, limit_ms))
    count = topic.partitions if partitions is None else partitions
    return NewTopic(topic.name, count, replication_factor, topic_configs=config)


def _dead_letters(replication_factor: int, limit_ms: int | None) -> list[NewTopic]:
    keep_ms = DEAD_LETTER_RETENTION_MS
    config = {
        "cleanup.policy": "delete",
        "retention.ms": str(keep_ms if limit_ms is None else min(keep_ms, limit_ms)),
    }
    return [
        NewTopic(
            dead_letter_topic(consumer),
            _DEAD_LETTER_PARTITIONS,
            replication_factor,
            topic_configs=config,
        )
        for consumer in CONSUMERS
    ]


async def _create(admin: AIOKafkaAdminClient, wanted: list[NewTopic]) -> list[str]:
    made: list[str] = []
    left = wanted
    for _ in range(_ATTEMPTS):
        response = await admin.create_topics(left)
        again: set[str] = set()
        for name, code, *message in response.topic_errors:
            if code == _NO_ERROR:
                made.append(name)
            elif code in _PASSING:
                again.add(name)
            elif code != _EXISTS:
                reason = (message and message[0]) or for_code(code).__name__
                raise TopicError(
                    f"the broker refused to make topic {name!r} ({reason}); mend its settings, or "
                    "make the topic by hand"
                )
        left = [topic for topic in left if topic.name in again]
        if not left:
            return made
        await asyncio.sleep(_PAUSE_S)
    raise TopicError(
        f"the broker did not make {', '.join(t.name for t in left)} in time; look at its log"
    )


async def _partitions(admin: AIOKafkaAdminClient, names: list[str]) -> dict[str, int]:
    """Numbers of partitions, as soon as the broker tells of all these topics."""
    for _ in range(_ATTEMPTS):
        described = await admin.describe_topics(names)
        found = {t["topic"]: len(t["partitions"]) for t in described if t["error_code"] == 0}
        if len(found) == len(names):
            return found
        await asyncio.sleep(_PAUSE_S)
    missing = sorted(set(names) - found.keys())
    raise TopicError(f"the broker does not show {', '.join(missing)}; look at its log")


def _compare(wanted: list[NewTopic], existing: dict[str, int]) -> None:
    for topic in wanted:
        if existing[topic.name] != topic.num_partitions:
            raise TopicError(
                f"topic {topic.name!r} exists with {existing[topic.name]} partitions, not "
                f"{topic.num_partitions}; delete it first, or do not ask for a number"
            )


@asynccontextmanager
async def _admin(bootstrap: str) -> AsyncIterator[AIOKafkaAdminClient]:
    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap, request_timeout_ms=_REQUEST_TIMEOUT_MS)
    try:
        await admin.start()
        yield admin
    except (KafkaError, OSError, TimeoutError) as error:
        raise TopicError(
            f"the broker at {bootstrap} did not answer ({type(error).__name__}); see that it runs "
            "and that SMARTSTORE_KAFKA names it"
        ) from error
    finally:
        await admin.close()
