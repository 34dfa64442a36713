"""`measure` as a Faust application: windows of attention and of baskets, in event time.

Its state is a function of the last minutes of the log, so it keeps none elsewhere: when partitions
are assigned, it reads those minutes back.
"""

import asyncio
import logging
import time
from collections.abc import Callable, Mapping

from aiokafka import AIOKafkaConsumer, TopicPartition

from streams import liveness
from streams.contracts.experiment import Experiment, ExperimentPlan
from streams.contracts.layout import StoreLayout
from streams.contracts.topics import EXPERIMENT
from streams.core.slots import Slots
from streams.faust_app import StreamsApp, new_app
from streams.follow import Followed, follow
from streams.kafka_log import (
    Record,
    deadline,
    last_times_ms,
    offsets_at,
    read_ranges,
    side_consumer,
)
from streams.measure import agents
from streams.measure.figures import Measured
from streams.measure.measurer import BASKET_TOPICS, Measurer
from streams.measure.turns import Turns
from streams.metrics import Handled
from streams.ports import Incoming
from streams.sending import FaustOutbox
from streams.settings import MeasureSettings

log = logging.getLogger(__name__)

#: A worker that has not been at the end of its log for so long is behind: nobody looks at what
#: happens there as it happens, so rows are then told once in so long and not at each interval.
_BEHIND_AFTER_S, _BEHIND_EACH_S = 1.0, 1.0


def create_app(
    settings: MeasureSettings,
    layout: StoreLayout,
    experiment: Experiment | None,
    *,
    ready: Callable[[], None],
) -> StreamsApp:
    """The application; `streams.worker.run_worker` runs it. `ready` is called once, when the
    worker has its partitions and has read their last minutes back.

    `experiment` draws the arms of baskets until a plan of the store is told (None: all control).
    """
    app = new_app(settings, group=settings.group, member=settings.member)
    measurer = Measurer(settings, layout, experiment, FaustOutbox(app))
    handled = Handled()
    agents.attach(app, measurer, handled)
    app.expose(settings, handled, Measured(measurer, _now_ms))
    placed = asyncio.Event()
    plans = _Plans(measurer.slots)

    async def learn_plans(over: Callable[[], bool], known: Callable[[], None]) -> None:
        followed = Followed((EXPERIMENT.name,), {})
        await follow(settings.bootstrap, followed, plans, known=known, changed=_nothing, over=over)

    async def let_go() -> None:
        await measurer.emit()
        measurer.hold({}, {})

    async def take_over() -> None:
        async with deadline(settings.ready_deadline_s, "the state of the windows"):
            # Before any basket: the arm that a window is told in is its own for good.
            informed = asyncio.Event()
            await learn_plans(informed.is_set, informed.set)
            await _read_back(app, settings, measurer)
        placed.set()

    async def keep_informed() -> None:
        await learn_plans(lambda: bool(app.should_stop), lambda: None)

    async def tell() -> None:
        await placed.wait()
        liveness.start(settings, settings.group, agents.TOPICS)
        ready()
        turns = Turns(_BEHIND_AFTER_S, _BEHIND_EACH_S)
        while not app.should_stop:
            await app.sleep(settings.emit_interval_ms / 1_000)
            if turns.due(time.monotonic(), caught_up=app.storing.caught_up()):
                await measurer.emit()

    app.when_revoked(let_go)
    app.when_assigned(take_over)
    app.when_stopping(measurer.emit)
    app.alongside(keep_informed)
    app.alongside(tell)
    return app


class _Plans:
    """The slots take the newest plan of each store."""

    def __init__(self, slots: Slots) -> None:
        self._slots = slots

    def take(self, topic: str, key: str, event: ExperimentPlan | None) -> bool:
        """See `streams.follow.Table`."""
        self._slots.take(key, event)
        return False


async def _nothing() -> None:
    """A plan changes no window that was told."""


async def _read_back(app: StreamsApp, settings: MeasureSettings, measurer: Measurer) -> None:
    assigned = app.storing.assigned()
    if not assigned:  # more workers than partitions
        measurer.hold({}, {})
        return
    async with side_consumer(settings.bootstrap) as side:
        stored = await _mended(app, settings, side)
        # A stamp from the future that was read before moves its source's watermark for so long.
        span_ms = settings.keep_ms + settings.max_ahead_ms
        span_ms += max(
            settings.attention_window_ms, settings.sliding_window_ms, settings.basket_window_ms
        )
        last_ms = await last_times_ms(side, stored)
        begins = await offsets_at(side, {tp: max(0, at - span_ms) for tp, at in last_ms.items()})
        oldest = await side.beginning_offsets(list(begins)) if begins else {}
        # Where the whole log is read, all windows are known; else only those of the kept minutes.
        floors_ms = {
            tp: last_ms[tp] - settings.keep_ms if begins[tp] > oldest[tp] else 0 for tp in begins
        }
        attention = [tp for tp in assigned if tp.topic not in BASKET_TOPICS]
        baskets = [tp for tp in assigned if tp.topic in BASKET_TOPICS]
        measurer.hold(_by_partition(attention, floors_ms), _by_partition(baskets, floors_ms))

        def recall(record: Record) -> None:
            measurer.recall(
                Incoming(
                    record.topic,
                    record.partition,
                    record.offset,
                    record.key,
                    record.value,
                    record.timestamp,
                )
            )

        await read_ranges(side, {tp: (begins[tp], stored[tp]) for tp in begins}, recall)
    measurer.recalled()


def _by_partition(
    tps: list[TopicPartition], floors_ms: Mapping[TopicPartition, int]
) -> dict[int, int]:
    """The floor of each partition: the highest of its topics', for a window needs them all."""
    floors: dict[int, int] = {}
    for tp in tps:
        floors[tp.partition] = max(floors.get(tp.partition, 0), floors_ms.get(tp, 0))
    return floors


async def _mended(
    app: StreamsApp, settings: MeasureSettings, side: AIOKafkaConsumer
) -> dict[TopicPartition, int]:
    """The stored offsets. One that lies beyond its log's end (the broker lost its tail) is set back
    by some minutes: what is then read twice is recognised by its ids.
    """
    stored = await app.storing.stored()
    ends = await side.end_offsets(list(stored)) if stored else {}
    lost = {tp: offset for tp, offset in stored.items() if offset > ends[tp]}
    back = await offsets_at(side, dict.fromkeys(lost, _now_ms() - settings.rewind_ms))
    for tp, offset in lost.items():
        log.error(
            "%s-%d ends at %d, before the stored %d: reading again from %d",
            tp.topic,
            tp.partition,
            ends[tp],
            offset,
            back[tp],
        )
    await app.storing.store(back)
    return {**stored, **back}


def _now_ms() -> int:
    return time.time_ns() // 1_000_000
