"""Replays logged decisions: from a broker's log, or from a file that holds a part of it.

The file is JSON lines, one record each: {"topic": ..., "key": ..., "value": ...}.
"""

from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated

import msgspec
from aiokafka.structs import ConsumerRecord
from msgspec import Meta, Struct

from infra.errors import UserError, os_sentence
from signage.core.replay import History, Outcome, Replayer
from streams.contracts import codec
from streams.contracts.errors import UndecodableError
from streams.contracts.layout import StoreLayout
from streams.contracts.signage import Creative, Decision
from streams.contracts.topics import CREATIVE, DECISION, POLICY
from streams.errors import ReadBackError
from streams.kafka_log import deadline, offsets_at, read_ranges, side_consumer

#: A day of a store with many screens is some millions of small records.
_DEADLINE_S = 600.0

#: So many differences are told; one is a fault already.
_TOLD = 20


class _Line(Struct, frozen=True):
    topic: Annotated[str, Meta(max_length=249)]
    value: msgspec.Raw


@dataclass(slots=True)
class Told:
    """What a replay found. `unknown`: how many decisions could not be decided again, by reason."""

    decisions: int = 0
    equal: int = 0
    without_sentence: int = 0
    unknown: Counter[str] = field(default_factory=Counter)
    differences: list[Outcome] = field(default_factory=list)

    def note(self, decision: Decision, outcome: Outcome) -> None:
        """The verdict on one decision."""
        self.decisions += 1
        self.equal += outcome.verdict == "equal"
        self.without_sentence += not decision.sentence.strip()
        if outcome.verdict == "unknown":
            self.unknown[outcome.why] += 1
        elif outcome.verdict == "different" and len(self.differences) < _TOLD:
            self.differences.append(outcome)


class _Log:
    """The decisions of a store in a stretch of time, and all that was published."""

    def __init__(self, layout: StoreLayout, from_ms: int, to_ms: int) -> None:
        self._layout = layout
        self._from_ms, self._to_ms = from_ms, to_ms
        self._history = History()
        self._decisions: dict[str, Decision] = {}

    def take(self, topic: str, value: bytes) -> None:
        """One record, in order of its topic."""
        if topic not in (CREATIVE.name, POLICY.name, DECISION.name):
            return
        try:
            event = codec.decode(topic, value)
        except UndecodableError:  # the dead letters tell of it
            return
        if isinstance(event, Creative):
            self._history.published(event)
        elif not isinstance(event, Decision):
            self._history.learned(event)
        elif (
            event.store_id == self._layout.store_id
            and self._from_ms <= event.decided_at_ms < self._to_ms
        ):
            self._decisions[event.decision_id] = event

    def replayed(self) -> Told:
        """Decides all of them again, in order."""
        replayer, told = Replayer(self._layout, self._history), Told()
        for decision in sorted(self._decisions.values(), key=lambda each: each.decided_at_ms):
            told.note(decision, replayer.replayed(decision))
        return told


async def replay_log(bootstrap: str, layout: StoreLayout, from_ms: int, to_ms: int) -> Told:
    """Replays the decisions of the store from `from_ms` to before `to_ms` (UTC epoch).

    Raises:
        UserError: no broker there.
    """
    log = _Log(layout, from_ms, to_ms)

    def take(record: ConsumerRecord) -> None:
        if record.value:
            log.take(record.topic, record.value)

    try:
        async with (
            deadline(_DEADLINE_S, "the decisions"),
            side_consumer(bootstrap, CREATIVE.name, POLICY.name, DECISION.name) as consumer,
        ):
            partitions = sorted(consumer.assignment())
            begins = dict(await consumer.beginning_offsets(partitions))
            decisions = [tp for tp in partitions if tp.topic == DECISION.name]
            begins |= await offsets_at(consumer, dict.fromkeys(decisions, from_ms))
            ends = await consumer.end_offsets(partitions)
            await read_ranges(consumer, {tp: (begins[tp], ends[tp]) for tp in partitions}, take)
    except ReadBackError as error:
        raise UserError(str(error)) from error
    return log.replayed()


def replay_file(path: Path, layout: StoreLayout, from_ms: int, to_ms: int) -> Told:
    """Replays the decisions that a file of the log holds.

    Raises:
        UserError: the file cannot be read, or a line of it is no record.
    """
    log = _Log(layout, from_ms, to_ms)
    decoder = msgspec.json.Decoder(_Line)
    try:
        with path.open("rb") as lines:
            for number, text in enumerate(lines, 1):
                try:
                    line = decoder.decode(text)
                except (msgspec.DecodeError, UnicodeDecodeError) as error:
                    raise UserError(
                        f"{path}, line {number}, is no record of a log ({error}); give JSON lines "
                        'such as {"topic": "signage.decision.v1", "value": {...}}'
                    ) from error
                log.take(line.topic, bytes(line.value))
    except OSError as error:
        raise UserError(os_sentence(error, str(path))) from error
    return log.replayed()
