"""Looks every few seconds whether something is amiss, and tells the webhook of changes."""

import asyncio
import logging
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import Any, Protocol

import psycopg
from psycopg import AsyncConnection
from psycopg.rows import dict_row
from pydantic import SecretStr

from infra.alerts.watch import (
    Alert,
    HourOfAttention,
    attention_drops,
    changes,
    dark_cameras,
    dark_screens,
)
from infra.alerts.webhook import Webhook
from streams.contracts.layout import StoreLayout

_LOG = logging.getLogger(__name__)

_LOOK_EVERY_S = 5.0
_ASK_EVERY_S = 300.0
_CONNECT_TIMEOUT_S = 3

#: Late rows have come by then.
_HOUR_SETTLES = timedelta(minutes=2)

_WEEKS = 4

_ATTENTION = """
SELECT target_id, bucket, sum(attention_ms)::bigint AS attention_ms,
       coalesce(sum(watchers), 0)::bigint AS watchers
FROM v_audience_by_hour
WHERE store_id = %(store)s AND target_kind = 'zone' AND bucket = ANY (%(hours)s)
GROUP BY target_id, bucket
"""


class Heard(Protocol):
    """What the log has told so far."""

    def cameras_told_ms(self) -> Mapping[str, int]:
        """When each camera last told, event time."""
        ...

    def screens_played_ms(self) -> Mapping[str, int]:
        """When each screen last proved a play, event time."""
        ...


class Watcher:
    """`run` looks, `alerts` are up now. `reading` says whether the log can be read: while it
    cannot, silence says nothing about cameras."""

    def __init__(
        self,
        layout: StoreLayout,
        database: SecretStr,
        heard: Heard,
        reading: Callable[[], bool],
        webhook: Webhook | None,
    ) -> None:
        self._layout = layout
        self._database = database
        self._heard = heard
        self._reading = reading
        self._webhook = webhook
        self._drops: list[Alert] = []
        self._since_ms = _now_ms()
        self.alerts: tuple[Alert, ...] = ()

    async def run(self, stop: asyncio.Event) -> None:
        """Look until `stop` is set."""
        ask_at_s = 0.0
        while not stop.is_set():
            if time.monotonic() >= ask_at_s:
                await self._ask()
                ask_at_s = time.monotonic() + _ASK_EVERY_S
            self._look(_now_ms())
            with suppress(TimeoutError):
                await asyncio.wait_for(stop.wait(), _LOOK_EVERY_S)

    def _look(self, now_ms: int) -> None:
        if not self._reading():
            self._since_ms = now_ms
            return
        found = [
            *dark_cameras(
                [camera.camera_id for camera in self._layout.cameras],
                self._heard.cameras_told_ms(),
                self._since_ms,
                now_ms,
            ),
            *dark_screens(
                {screen.screen_id: screen.name for screen in self._layout.screens},
                self._heard.screens_played_ms(),
                self._since_ms,
                now_ms,
            ),
            *self._drops,
        ]
        for change in changes(self.alerts, found):
            state = "up" if change.up else "over"
            _LOG.warning("alert %s: %s %s", state, change.alert.kind, change.alert.subject)
            if self._webhook is not None:
                self._webhook.tell(change)
        self.alerts = tuple(found)

    async def _ask(self) -> None:
        """Compares the last whole hour with the same hour of the weeks before."""
        now = datetime.now(UTC) - _HOUR_SETTLES
        last = now.replace(minute=0, second=0, microsecond=0) - timedelta(hours=1)
        hours = [last - timedelta(weeks=week) for week in range(_WEEKS + 1)]
        try:
            connection = await AsyncConnection.connect(
                self._database.get_secret_value(),
                row_factory=dict_row,
                autocommit=True,
                connect_timeout=_CONNECT_TIMEOUT_S,
                application_name="smartstore-alerts",
            )
            async with connection:
                given = {"store": self._layout.store_id, "hours": hours}
                rows = await (await connection.execute(_ATTENTION, given)).fetchall()
        except psycopg.Error:
            return  # the page says that the database is away; what was known stays
        self._drops = attention_drops(self._hours(rows, last))

    def _hours(self, rows: list[dict[str, Any]], last: datetime) -> list[HourOfAttention]:
        found = []
        for zone in self._layout.zones:
            mine = {row["bucket"]: row for row in rows if row["target_id"] == zone.zone_id}
            now = mine.pop(last, {"attention_ms": 0, "watchers": 0})
            found.append(
                HourOfAttention(
                    zone.zone_id,
                    zone.name,
                    now["attention_ms"],
                    now["watchers"],
                    tuple(row["attention_ms"] for row in mine.values()),
                    tuple(row["watchers"] for row in mine.values()),
                )
            )
        return found


def _now_ms() -> int:
    return int(time.time() * 1_000)
