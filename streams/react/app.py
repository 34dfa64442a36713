"""`react` as a Faust application: from gaze and audience to what the screens show.

The content policy is handed in by whoever builds the application.
"""

import asyncio
import logging
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from aiokafka import TopicPartition

from streams import liveness
from streams.contracts import codec
from streams.contracts.errors import UndecodableError
from streams.contracts.experiment import Experiment
from streams.contracts.layout import StoreLayout
from streams.contracts.policy import ContentPolicy
from streams.contracts.signage import Content
from streams.contracts.topics import CONTENT, EXPERIMENT, GAZE, PLAY
from streams.errors import ReadBackError
from streams.faust_app import StreamsApp, new_app
from streams.follow import Followed, Table, follow
from streams.kafka_log import (
    Record,
    deadline,
    latest_by_key,
    offsets_at,
    read_ranges,
    side_consumer,
)
from streams.metrics import Handled
from streams.ports import Incoming
from streams.react import agents
from streams.react.arms import FollowedArms
from streams.react.figures import Reacted
from streams.react.reactor import Reactor
from streams.sending import FaustOutbox
from streams.settings import ReactSettings

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Following:
    """What a policy is fed: `topics` from their beginning, then plays since `plays_since_ms`."""

    topics: Sequence[str]
    table: Table
    plays_since_ms: Callable[[int], int | None]


def create_app(
    settings: ReactSettings,
    policy: ContentPolicy,
    layout: StoreLayout,
    experiment: Experiment | None,
    *,
    ready: Callable[[], None],
    following: Following | None = None,
) -> StreamsApp:
    """The application; `streams.worker.run_worker` runs it. `ready` is called once, when the
    worker has its partitions and knows what the screens show.

    `experiment` draws the arms until a plan of this store is told (None: all control); `following`
    is what the policy must be fed, if anything. The store's plan is followed in any case.
    """
    app = new_app(settings, group=settings.group, member=settings.member)
    arms = FollowedArms(layout.store_id, experiment)
    reactor = Reactor(settings, policy, layout, arms, FaustOutbox(app), _now_ms)
    handled = Handled()
    agents.attach(app, reactor, handled)
    app.expose(settings, handled, Reacted(reactor))
    placed, informed = asyncio.Event(), asyncio.Event()

    async def let_go() -> None:
        reactor.hold((), {})

    async def take_over() -> None:
        await _take_over(app, settings, layout, reactor)
        placed.set()

    async def keep_informed() -> None:
        async def look_again() -> None:
            if placed.is_set() and informed.is_set():
                await reactor.tick()

        await follow(
            settings.bootstrap,
            _followed(following),
            _Fed(arms, following),
            known=informed.set,
            changed=look_again,
            over=lambda: bool(app.should_stop),
        )

    async def look_at_the_clock() -> None:
        await placed.wait()
        await informed.wait()
        liveness.start(settings, settings.group, agents.TOPICS)
        await reactor.tick()
        ready()
        while not app.should_stop:
            await app.sleep(settings.tick_ms / 1_000)
            await reactor.tick()

    app.when_revoked(let_go)
    app.when_assigned(take_over)
    app.alongside(keep_informed)
    app.alongside(look_at_the_clock)
    return app


class _Fed:
    """The arms take plans, the policy all else."""

    def __init__(self, arms: FollowedArms, following: Following | None) -> None:
        self._arms = arms
        self._following = following

    def take(self, topic: str, key: str, event: Any | None) -> bool:
        """See `streams.follow.Table`."""
        if topic == EXPERIMENT.name:
            self._arms.take(key, event)
            return True
        return self._following is not None and self._following.table.take(topic, key, event)


def _followed(following: Following | None) -> Followed:
    if following is None:
        return Followed((EXPERIMENT.name,), {})
    since = following.plays_since_ms
    return Followed((*following.topics, EXPERIMENT.name), {PLAY.name: lambda: since(_now_ms())})


async def _take_over(
    app: StreamsApp, settings: ReactSettings, layout: StoreLayout, reactor: Reactor
) -> None:
    """Learns what the screens show and who looks at what, before the first record is read."""
    assigned = app.storing.assigned()
    mine = {tp.partition for tp in assigned if tp.topic == GAZE.name}
    areas = [
        area.area_id
        for area in layout.areas
        if app.consumer.key_partition(GAZE.name, area.area_id.encode()) in mine
    ]
    now_ms = _now_ms()
    try:
        async with deadline(settings.ready_deadline_s, "what the screens show"):
            showing = await _showing(settings, now_ms)
    except ReadBackError as error:  # better a change too many than a screen without content
        log.warning("%s; the screens are decided anew", error)
        showing = {}
    screens = {screen.screen_id for screen in layout.screens if screen.area_id in areas}
    reactor.hold(areas, {name: told for name, told in showing.items() if name in screens})
    async with deadline(settings.ready_deadline_s, "the last minute of gaze and audience"):
        await _look_back(app, settings, assigned, reactor, now_ms)


async def _showing(settings: ReactSettings, now_ms: int) -> dict[str, Content]:
    newest = await latest_by_key(
        settings.bootstrap, CONTENT.name, since_ms=now_ms - settings.content_lookback_ms
    )
    showing: dict[str, Content] = {}
    for record in newest.values():
        try:
            content: Content = codec.decode(CONTENT.name, record.value)
        except UndecodableError:  # deleted, or not ours
            continue
        showing[content.screen_id] = content
    return showing


async def _look_back(
    app: StreamsApp,
    settings: ReactSettings,
    assigned: Iterable[TopicPartition],
    reactor: Reactor,
    now_ms: int,
) -> None:
    """Recalls the last minute, and skips what lies before it: it could change no screen.

    This also brings back a group whose stored offsets lie beyond a log that lost its end.
    """
    stored = await app.storing.stored()
    async with side_consumer(settings.bootstrap) as side:
        begins = await offsets_at(side, dict.fromkeys(assigned, now_ms - settings.lookback_ms))
        ends = await side.end_offsets(list(begins)) if begins else {}
        lost = {tp: o for tp, o in stored.items() if o > ends[tp]}
        for tp, offset in lost.items():
            end = ends[tp]
            log.error("%s-%d ends at %d, before the stored %d", *tp, end, offset)
        moved = {
            tp: begin for tp, begin in begins.items() if tp in lost or stored.get(tp, 0) < begin
        }
        await app.storing.store(moved)
        await read_ranges(
            side, {tp: (begin, ends[tp]) for tp, begin in begins.items()}, _recalling(reactor)
        )


def _recalling(reactor: Reactor) -> Callable[[Record], None]:
    def recall(record: Record) -> None:
        reactor.recall(
            Incoming(
                record.topic,
                record.partition,
                record.offset,
                record.key,
                record.value,
                record.timestamp,
            )
        )

    return recall


def _now_ms() -> int:
    return time.time_ns() // 1_000_000
