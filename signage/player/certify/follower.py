"""Tries a player that follows its screen's key on Kafka by itself, and proves its plays there."""

import asyncio
import contextlib
import time
from dataclasses import dataclass, field
from typing import Any

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer

from signage.catalogue import load_catalogue
from signage.core.chain import verify
from signage.partitions import partitions_of
from signage.player.certify.checks import Check
from streams.contracts import codec
from streams.contracts.base import Trace
from streams.contracts.errors import UndecodableError
from streams.contracts.signage import Content, Play
from streams.contracts.topics import CONTENT, PLAY

_SOURCE = "/certify"
#: A content is on the glass within this time, or a shopper has looked away.
_START_S = 5.0
#: The player ends a content that has expired within this time.
_END_S = 3.0
_VALID_MS = 60_000
_SHORT_MS = 3_000
#: A player's clock may be off by so much before its times mislead.
_CLOCK_MS = 5_000
_LOOK_S = 0.02


@dataclass(slots=True)
class _Told:
    """The plays of the screen, as they come."""

    plays: list[tuple[float, Play]] = field(default_factory=list)
    raw: list[bytes] = field(default_factory=list)
    keys: set[bytes | None] = field(default_factory=set)
    headers: list[dict[str, bytes]] = field(default_factory=list)
    broken: list[str] = field(default_factory=list)

    def of(self, decision_id: str, phase: str) -> list[tuple[float, Play]]:
        return [
            (at, play)
            for at, play in self.plays
            if play.decision_id == decision_id and play.phase == phase
        ]

    async def wait(self, decision_id: str, phase: str, within_s: float) -> Play | None:
        until_s = time.monotonic() + within_s
        while not (found := self.of(decision_id, phase)):
            if time.monotonic() > until_s:
                return None
            await asyncio.sleep(_LOOK_S)
        return found[0][1]


async def certify_follower(
    bootstrap: str, screen_id: str, area_id: str, wait_s: float
) -> list[Check]:
    """Tells contents for `screen_id` and looks at the plays that come back.

    Raises:
        KafkaError: no broker.
    """
    told = _Told()
    producer = AIOKafkaProducer(bootstrap_servers=bootstrap, enable_idempotence=True)
    consumer = AIOKafkaConsumer(bootstrap_servers=bootstrap, enable_auto_commit=False)
    await producer.start()
    await consumer.start()
    try:
        consumer.assign((await partitions_of(bootstrap, PLAY.name))[PLAY.name])
        await consumer.seek_to_end()
        following = asyncio.create_task(_follow(consumer, screen_id, told))
        try:
            return await _Trying(producer, told, screen_id, area_id, wait_s).all()
        finally:
            following.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await following
    finally:
        await consumer.stop()
        await producer.stop()


async def _follow(consumer: AIOKafkaConsumer, screen_id: str, told: _Told) -> None:
    while True:
        batches = await consumer.getmany(timeout_ms=200)
        for record in (each for batch in batches.values() for each in batch):
            try:
                play: Play = codec.decode(PLAY.name, record.value)
            except UndecodableError as error:
                if record.value is not None and screen_id.encode() in record.value:
                    told.broken.append(str(error))
                continue
            if play.screen_id == screen_id:
                told.plays.append((time.monotonic(), play))
                told.raw.append(record.value)
                told.keys.add(record.key)
                told.headers.append(dict(record.headers))


class _Trying:
    def __init__(
        self,
        producer: AIOKafkaProducer,
        told: _Told,
        screen_id: str,
        area_id: str,
        wait_s: float,
    ) -> None:
        self._producer = producer
        self._told = told
        self._screen_id = screen_id
        self._area_id = area_id
        self._wait_s = wait_s
        self._run = f"certify-{time.time_ns() // 1_000_000}"
        self._creatives = load_catalogue().creatives
        self._checks: list[Check] = []

    async def all(self) -> list[Check]:
        first = await self._tell(1, _VALID_MS)
        play = await self._told.wait(first, "started", self._wait_s)
        self._note(
            "plays what its key says", play is not None, "it did" if play else "no play was told"
        )
        if play is None:
            return self._checks
        await self._supersedes(first)
        await self._expired()
        await self._ends()
        await asyncio.sleep(1.0)
        self._records(play)
        return self._checks

    async def _tell(self, number: int, valid_ms: int, ago_ms: int = 0) -> str:
        now_ms = time.time_ns() // 1_000_000 - ago_ms
        creative = self._creatives[number % len(self._creatives)]
        content = Content(
            decision_id=f"{self._run}-{number}",
            store_id="certify",
            area_id=self._area_id,
            screen_id=self._screen_id,
            creative_id=creative.creative_id,
            creative_version=creative.version,
            not_before_ms=now_ms,
            expires_at_ms=now_ms + valid_ms,
            arm="adaptive",
            reason="attention",
            sentence="A trial.",
            trace=Trace(
                cause_id=f"{self._run}-gaze-{number}",
                captured_at_ms=now_ms - 100,
                inferred_at_ms=now_ms - 50,
                sent_at_ms=now_ms - 10,
            ),
        )
        await self._producer.send_and_wait(**codec.record(CONTENT, content, _SOURCE))
        return content.decision_id

    async def _supersedes(self, first: str) -> None:
        began = time.monotonic()
        second = await self._tell(2, _VALID_MS)
        play = await self._told.wait(second, "started", _START_S)
        took = self._told.of(second, "started")
        self._note(
            "shows a newer content at once",
            play is not None,
            f"told after {took[0][0] - began:.2f} s" if took else "it did not",
        )
        over = await self._told.wait(first, "ended", _START_S)
        self._note(
            "ends the older play as pre-empted",
            over is not None and over.stop_reason == "pre-empted",
            "no end was told" if over is None else str(over.stop_reason),
        )

    async def _expired(self) -> None:
        stale = await self._tell(3, _SHORT_MS, ago_ms=_VALID_MS)
        await asyncio.sleep(_START_S / 2)
        shown = self._told.of(stale, "started")
        self._note("does not show what has expired", not shown, "shown" if shown else "left out")

    async def _ends(self) -> None:
        short = await self._tell(4, _SHORT_MS)
        began = await self._told.wait(short, "started", _START_S)
        over = await self._told.wait(short, "ended", _SHORT_MS / 1_000 + _END_S)
        right = (
            began is not None
            and over is not None
            and over.stop_reason in ("finished", "pre-empted")
            and over.duration_ms is not None
            and over.duration_ms <= _SHORT_MS + _END_S * 1_000
        )
        seen = "no end was told" if over is None else f"{over.stop_reason}, {over.duration_ms} ms"
        self._note("ends a content when it expires", right, seen)

    def _records(self, first: Play) -> None:
        told = self._told
        now_ms = time.time_ns() // 1_000_000
        self._note(
            "tells nothing that is not signage.play.v1",
            not told.broken,
            told.broken[0] if told.broken else f"{len(told.plays)} proofs",
        )
        wanted = {self._area_id.encode()}
        self._note("keys proofs by the area", told.keys == wanted, _names(told.keys))
        right = all(_cloud_event(headers) for headers in told.headers)
        self._note(
            "CloudEvents headers", right, "ce_id, ce_source, ce_type" if right else "missing"
        )
        came_ms = now_ms - 1_000 * (time.monotonic() - told.of(first.decision_id, "started")[0][0])
        off_ms = first.rendered_at_ms - came_ms
        self._note("its clock is right", abs(off_ms) < _CLOCK_MS, f"off by {off_ms:+.0f} ms")
        kept = first.trace is not None and first.trace.cause_id.startswith(self._run)
        self._note("carries the content's trace", kept, "carried" if kept else "absent")
        proofs = [(play.play_id, play.phase) for _, play in told.plays]
        twice = len(proofs) - len(set(proofs))
        self._note("tells each beginning and each end once", not twice, f"{twice} told twice")
        if first.seq is not None:
            chains = verify(told.raw)
            found = next((what for chain in chains for what in chain.found), "linked")
            self._note("its hash chain holds", all(chain.intact for chain in chains), found)

    def _note(self, name: str, passed: bool, seen: str) -> None:
        self._checks.append(Check(name, passed, seen))


def _cloud_event(headers: dict[str, Any]) -> bool:
    return (
        headers.get("ce_specversion") == b"1.0"
        and bool(headers.get("ce_id"))
        and bool(headers.get("ce_source"))
        and headers.get("ce_type") == PLAY.name.encode()
    )


def _names(keys: set[bytes | None]) -> str:
    return ", ".join(sorted((key or b"none").decode(errors="replace") for key in keys))
