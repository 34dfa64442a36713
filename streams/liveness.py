"""Watches the process's own consumer group from beside it, and ends the process when it no longer
reads: consumers can stop in silence, and a broker can lose the end of its log. The supervisor
starts the process again, and the start mends what was wrong.
"""

import asyncio
import logging
import os
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from aiokafka import TopicPartition
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import KafkaError

from streams.kafka_log import side_consumer
from streams.settings import ProcessorSettings

log = logging.getLogger(__name__)

#: sysexits.h EX_TEMPFAIL: trying again may help.
EXIT_STUCK = 75

_REQUEST_TIMEOUT_MS = 5_000


@dataclass(frozen=True, slots=True)
class Seen:
    """Where a partition stood when its stored offset last moved, or it was last read to its end."""

    at_s: float
    stored: int
    end: int


class LagWatch:
    """Judges what is seen of a group. Pure: the time is an argument."""

    def __init__(self, stuck_s: float) -> None:
        self._stuck_s = stuck_s
        self._seen: dict[TopicPartition, Seen] = {}

    def complaint(
        self, at_s: float, stored: Mapping[TopicPartition, int], ends: Mapping[TopicPartition, int]
    ) -> str | None:
        """What is wrong, if something is: `stored` was asked for before `ends`."""
        for tp, end in ends.items():
            offset = stored.get(tp, 0)
            if offset > end:
                return f"{tp.topic}-{tp.partition} ends at {end}, before the stored {offset}"
            seen = self._seen.get(tp)
            if seen is None or offset != seen.stored or offset >= end:
                self._seen[tp] = Seen(at_s, offset, end)
            elif end > seen.end and at_s - seen.at_s >= self._stuck_s:
                return (
                    f"{tp.topic}-{tp.partition} grew to {end} but nothing was stored "
                    f"after {offset} for {at_s - seen.at_s:.0f} s"
                )
        return None


def start(settings: ProcessorSettings, group: str, topics: Sequence[str]) -> None:
    """Watches from a thread with a loop of its own, so that a blocked loop is noticed as well.

    Does nothing where `liveness_interval_s` is 0.
    """
    if settings.liveness_interval_s <= 0:
        return
    threading.Thread(
        target=lambda: asyncio.run(_watch(settings, group, topics, _end_process)),
        name="liveness",
        daemon=True,
    ).start()


async def _watch(
    settings: ProcessorSettings,
    group: str,
    topics: Sequence[str],
    give_up: Callable[[str], None],
) -> None:
    watch = LagWatch(settings.liveness_stuck_s)
    loop = asyncio.get_running_loop()
    while True:
        await asyncio.sleep(settings.liveness_interval_s)
        try:
            complaint = await _look(settings.bootstrap, group, topics, watch, loop.time)
        except (KafkaError, OSError, TimeoutError) as error:  # a broker that is away is not our lag
            log.info("the lag of %s cannot be seen: %r", group, error)
            continue
        if complaint is not None:
            give_up(complaint)
            return


async def _look(
    bootstrap: str,
    group: str,
    topics: Sequence[str],
    watch: LagWatch,
    clock_s: Callable[[], float],
) -> str | None:
    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap, request_timeout_ms=_REQUEST_TIMEOUT_MS)
    await admin.start()
    try:
        committed = await admin.list_consumer_group_offsets(group)
    finally:
        await admin.close()
    stored = {TopicPartition(*tp): at.offset for tp, at in committed.items() if at.offset >= 0}
    async with side_consumer(bootstrap, *topics) as side:
        ends = await side.end_offsets(list(side.assignment()))
    return watch.complaint(clock_s(), stored, ends)


def _end_process(complaint: str) -> None:
    log.critical("%s: the process ends, to be started again", complaint)
    logging.shutdown()
    os._exit(EXIT_STUCK)
