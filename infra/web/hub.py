"""Joins the log's and the database's view into the page's, and tells when it changed."""

import asyncio
import time
from datetime import datetime
from zoneinfo import ZoneInfo

import msgspec
from aiokafka.structs import ConsumerRecord

from infra.alerts.watch import Alert
from infra.alerts.watcher import Watcher
from infra.alerts.webhook import Webhook
from infra.web.counted import COUNTED
from infra.web.feed import Feed
from infra.web.left import CAMERA_TOPICS, Left
from infra.web.live import Live
from infra.web.outage import Outage, Row
from infra.web.probe import Probe
from infra.web.settings import WebSettings
from infra.web.totals import TotalsReader
from infra.web.view import AlertView, LeftPage, LiveView, ServersView
from streams.contracts.layout import StoreLayout

#: The page is told at most this often, and at least every other interval: a glance is followed by
#: the eye at five times a second, and ages of things have to move on.
_TELL_EVERY_S = 0.2


class Hub:
    """Everything behind the page. `run` feeds it, `view` reads it, `next` waits for news."""

    def __init__(self, settings: WebSettings, layout: StoreLayout) -> None:
        midnight_ms = _midnight_ms(layout.time_zone)
        since_ms = midnight_ms if settings.web_since_ms is None else settings.web_since_ms
        self._layout = layout
        self._simulated = settings.web_simulated
        self._live = Live(layout, since_ms)
        self._left = Left()
        self._true_effect = settings.web_true_effect
        self._outage = Outage()
        self._feed = Feed(settings.kafka, since_ms, self.take, self._live.counted.begin_again)
        self._totals = TotalsReader(settings.database, layout.store_id, since_ms, midnight_ms)
        hook = settings.alert_webhook
        self._webhook = None if hook is None else Webhook(hook, layout.store_id, _now_ms)
        self._watcher = Watcher(
            layout, settings.database, self._live, lambda: self._feed.read, self._webhook
        )
        self._preview = Probe(settings.preview_url)
        self._player = Probe(settings.player_url)
        self._told = asyncio.Condition()
        self._newest = b""
        self._stopped = False

    async def run(self, stop: asyncio.Event) -> None:
        """Feed the page until `stop` is set."""
        async with asyncio.TaskGroup() as tasks:
            for part in (self._feed, self._totals, self._preview, self._player):
                tasks.create_task(part.run(stop))
            tasks.create_task(self._tell(stop))
            tasks.create_task(self._watcher.run(stop))
            if self._webhook is not None:
                tasks.create_task(self._webhook.run(stop))

    def take(self, record: ConsumerRecord, event: object | None) -> None:
        """Take in a record of the log."""
        if record.topic in CAMERA_TOPICS and record.value is not None:
            self._left.add(
                record.topic, record.partition, record.offset, record.timestamp, record.value
            )
        if event is not None and self._live.reads(record.topic):
            self._live.apply(record.topic, event)

    def broker_killed(self, at_ms: int) -> None:
        """The button was pressed at `at_ms`, and the broker is dead."""
        self._outage.killed(at_ms)

    async def _tell(self, stop: asyncio.Event) -> None:
        while not stop.is_set():
            self._watch_broker()
            newest = msgspec.json.encode(self.view())
            async with self._told:
                self._newest = newest
                self._told.notify_all()
            await asyncio.sleep(_TELL_EVERY_S)
        async with self._told:
            self._stopped = True
            self._told.notify_all()

    def _watch_broker(self) -> None:
        totals = self._totals.totals
        self._outage.step(
            _now_ms(),
            self._rows(),
            broker_up=self._feed.up,
            log_read=self._feed.read,
            database_at_ms=totals.asked_at_ms if totals else None,
        )

    async def next(self) -> bytes | None:
        """The next view as JSON, or None when there will be none."""
        async with self._told:
            if not self._stopped:
                await self._told.wait()
            return None if self._stopped else self._newest

    @property
    def alerts(self) -> tuple[Alert, ...]:
        """What should be looked at now."""
        return self._watcher.alerts

    def left(self) -> LeftPage:
        """The messages that left the cameras."""
        return self._left.page()

    def view(self) -> LiveView:
        """The page as it is now."""
        now_ms = _now_ms()
        live, totals = self._live, self._totals.totals
        baskets = totals.baskets if totals else ()
        return LiveView(
            at_ms=now_ms,
            store_id=self._layout.store_id,
            store_name=self._layout.name,
            simulated=self._simulated or live.simulated or any(b.simulated for b in baskets),
            true_effect=self._true_effect,
            servers=ServersView(
                broker=self._feed.up,
                database=self._totals.up,
                preview=self._preview.up,
                player=self._player.up,
                broker_breaks=self._feed.breaks,
            ),
            silent_ms=live.silent_ms(now_ms),
            people=live.people(now_ms),
            watchers=live.watchers(now_ms),
            targets=live.targets(now_ms),
            screens=live.screens(),
            latency=live.latency(),
            reaction=live.reaction(),
            baskets=baskets,
            counts=tuple(self._outage.count(row) for row in self._rows()),
            outage=self._outage.view(),
            broker_forgot=totals.forgotten if totals else None,
            left=self._left.total(),
            alerts=tuple(AlertView(title=a.title, sentence=a.sentence) for a in self.alerts),
        )

    def _rows(self) -> tuple[Row, ...]:
        counted, totals = self._live.counted, self._totals.totals
        logged, forgotten = counted.counts(), counted.forgotten()
        return tuple(
            Row(
                what,
                logged[what],
                totals.counts[what] if totals else None,
                # While the log is read anew, what has not come yet is not forgotten.
                unread=forgotten[what] if self._feed.read else 0,
                unlogged=totals.forgotten if totals else 0,
            )
            for what in COUNTED
        )


def _now_ms() -> int:
    return int(time.time() * 1_000)


def _midnight_ms(time_zone: str) -> int:
    now = datetime.now(ZoneInfo(time_zone))
    midnight = now.replace(hour=0, minute=0, second=0, microsecond=0)
    return int(midnight.timestamp() * 1_000)
