"""What a gateway has begun to tell and not yet ended, in a small file: ids and times, no pictures.

A gateway that is killed cannot end its open gazes and stays. The next one finds them here, ends
them as censored at the last moment at which the dead one had seen anything, and goes on.
"""

import logging
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Protocol, TypeVar
from urllib.parse import quote

import msgspec
from msgspec import Struct

from streams.contracts.topics import DWELL, GAZE, Topic
from streams.contracts.vision import Audience, Dwell, DwellBatch, Gaze, GazeBatch
from vision.ports import EventPublisher

_log = logging.getLogger(__name__)

B = TypeVar("B", GazeBatch, DwellBatch)

#: A heartbeat is noted this often, in event time: a write takes longer than a heartbeat's making,
#: and what a killed gateway left open may end so much too early.
_SEEN_EVERY_MS = 1_000


class Acknowledged(EventPublisher, Protocol):
    """A publisher that knows what the broker has not acknowledged yet."""

    @property
    def unsent(self) -> int:
        """Messages that are not acknowledged."""
        ...


class _Page(Struct, frozen=True):
    """The file. Each batch holds one event: one that has begun, or an end that was not yet
    acknowledged; its `seq` is the last that its gateway used. `seen_at_ms`: event time of the last
    frame.
    """

    seen_at_ms: int = 0
    gazes: tuple[GazeBatch, ...] = ()
    dwells: tuple[DwellBatch, ...] = ()


def journal_of(state: Path, area_id: str) -> Path:
    """The file of an area's gateway in a machine's state folder."""
    return state / "gateways" / f"{quote(area_id, safe='')}.json"


class JournaledPublisher:
    """An EventPublisher that notes in the file at `path` what is open, before it hands events on.

    The file is written, not synced: it outlives the process, and after a power cut it may lack the
    last second. A disk that refuses costs the ends of a later crash, never an event now.
    """

    def __init__(self, publisher: Acknowledged, path: Path) -> None:
        self._publisher = publisher
        self._path = path
        self._partial = str(path.with_suffix(".partial"))
        self._seen_at_ms = 0
        self._noted_ms = 0
        self._open: dict[str, GazeBatch | DwellBatch] = {}
        self._ended: dict[str, GazeBatch | DwellBatch] = {}
        self._seqs: dict[tuple[str, type[Struct]], int] = {}
        self._refused = False

    def recover(self, sent_at_ms: int) -> int:
        """Ends what an earlier gateway left open; how many gazes and stays those were.

        Call it before the first event is published.
        """
        page = self._read()
        gazes = [_over(batch, page.seen_at_ms, sent_at_ms) for batch in page.gazes]
        dwells = [_over(batch, page.seen_at_ms, sent_at_ms) for batch in page.dwells]
        for topic, batches in ((GAZE, _numbered(gazes)), (DWELL, _numbered(dwells))):
            for batch in batches:
                self.publish(topic, batch)
        return len(gazes) + len(dwells)

    def publish(self, topic: Topic, event: Struct) -> None:
        """See `EventPublisher`."""
        self._note(event)
        self._publisher.publish(topic, event)

    async def flush(self, timeout_s: float) -> bool:
        """See `EventPublisher`."""
        flushed = await self._publisher.flush(timeout_s)
        if flushed:
            self._ended.clear()
            self._write()
        return flushed

    @property
    def dropped(self) -> int:
        """See `EventPublisher`."""
        return self._publisher.dropped

    def _note(self, event: Struct) -> None:
        news = False
        if self._ended and self._publisher.unsent == 0:
            self._ended.clear()
            news = True
        if isinstance(event, Audience):
            self._seen_at_ms = max(self._seen_at_ms, event.captured_at_ms)
            long_ago = self._seen_at_ms >= self._noted_ms + _SEEN_EVERY_MS
            news = news or (long_ago and bool(self._open or self._ended))
        elif isinstance(event, GazeBatch | DwellBatch):
            self._seqs[event.gateway_id, type(event)] = event.seq
            for each in event.events:
                self._turn(each, event)
            news = True
        if news:
            self._write()

    def _turn(self, event: Gaze | Dwell, batch: GazeBatch | DwellBatch) -> None:
        event_id = event.gaze_id if isinstance(event, Gaze) else event.dwell_id
        alone = msgspec.structs.replace(batch, events=(event,))
        self._seen_at_ms = max(self._seen_at_ms, event.trace.captured_at_ms)
        if event.phase == "started":
            self._open[event_id] = alone
        else:
            self._open.pop(event_id, None)
            self._ended[event_id] = alone

    def _write(self) -> None:
        self._noted_ms = self._seen_at_ms
        batches = [
            msgspec.structs.replace(batch, seq=self._seqs[batch.gateway_id, type(batch)])
            for batch in (*self._open.values(), *self._ended.values())
        ]
        page = _Page(
            self._seen_at_ms,
            tuple(batch for batch in batches if isinstance(batch, GazeBatch)),
            tuple(batch for batch in batches if isinstance(batch, DwellBatch)),
        )
        try:
            self._replace(msgspec.json.encode(page))
        except OSError as error:
            if not self._refused:
                _log.warning("%s: what is open cannot be noted (%s)", self._path, error)
            self._refused = True
        else:
            self._refused = False

    def _replace(self, text: bytes) -> None:
        """Several times a second, so without a call more than needed."""
        flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC
        try:
            descriptor = os.open(self._partial, flags, 0o600)
        except FileNotFoundError:
            self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            descriptor = os.open(self._partial, flags, 0o600)
        with os.fdopen(descriptor, "wb", buffering=0) as file:
            file.write(text)
        os.replace(self._partial, self._path)

    def _read(self) -> _Page:
        try:
            return msgspec.json.decode(self._path.read_bytes(), type=_Page)
        except FileNotFoundError:
            return _Page()
        except (OSError, msgspec.DecodeError) as error:
            _log.warning("%s: what was left open cannot be read (%s)", self._path, error)
            return _Page()


def _over(batch: B, seen_at_ms: int, sent_at_ms: int) -> B:
    """The batch with its event ended: as it was told, or else as censored."""
    events = tuple(_ended(event, seen_at_ms, sent_at_ms) for event in batch.events)
    return msgspec.structs.replace(batch, events=events)


def _ended(event: Gaze | Dwell, seen_at_ms: int, sent_at_ms: int) -> Gaze | Dwell:
    if event.phase == "ended":
        return event
    trace = msgspec.structs.replace(event.trace, sent_at_ms=sent_at_ms)
    if isinstance(event, Gaze):
        end_ms = max(seen_at_ms, event.started_at_ms + event.attention_ms)
        trace = msgspec.structs.replace(trace, captured_at_ms=end_ms)
        # What was faced since its beginning was told is not known, so it is not counted.
        return msgspec.structs.replace(
            event, phase="ended", ended_at_ms=end_ms, censored=True, trace=trace
        )
    end_ms = max(seen_at_ms, event.entered_at_ms)
    trace = msgspec.structs.replace(trace, captured_at_ms=end_ms)
    return msgspec.structs.replace(
        event, phase="ended", left_at_ms=end_ms, censored=True, trace=trace
    )


def _numbered(batches: Sequence[B]) -> list[B]:
    """The batches with numbers after the last one that their gateway used."""
    return [
        msgspec.structs.replace(batch, seq=batch.seq + 1 + number)
        for number, batch in enumerate(batches)
    ]
