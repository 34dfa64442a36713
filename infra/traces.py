"""One OpenTelemetry trace a reaction, from the frame that showed a glance to the screen.

Everything is read off the proof of play: it carries the stamps of the gateway's trace, the time of
the decision that it shows (`react` makes a content's `not_before_ms` of it, which the player hands
back as `scheduled_at_ms`), and when it was rendered. So nothing on the way waits for a collector,
and no two topics have to be joined. Ids are made of the events' own, so that a repeat is the same.
"""

import asyncio
import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from uuid import UUID, uuid5

from aiokafka import AIOKafkaConsumer
from opentelemetry.sdk.resources import SERVICE_NAME, Resource
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export import SpanExporter, SpanExportResult
from opentelemetry.trace import SpanContext, SpanKind, Status, StatusCode, TraceFlags

from streams.contracts import codec
from streams.contracts.errors import ContractError
from streams.contracts.ids import NAMESPACE
from streams.contracts.signage import Play
from streams.contracts.topics import PLAY
from streams.sink.closing import close

log = logging.getLogger(__name__)

_RESOURCES = {
    name: Resource({SERVICE_NAME: f"smartstore-{name}"}) for name in ("gateway", "react", "player")
}

#: How long the loop waits for plays before it looks whether it shall stop.
_POLL_MS = 500


@dataclass(frozen=True, slots=True)
class _Step:
    """A part of a reaction: who did it, and from when until when."""

    name: str
    service: str
    began_ms: int
    ended_ms: int


def spans_of(play: Play) -> list[ReadableSpan]:
    """The spans of a reaction, its whole first; none where no shopper caused the play.

    Each step begins when the one before it was stamped as done. Where two clocks disagree so much
    that a step would end before it began, it has no length.
    """
    trace = play.trace
    if trace is None or play.phase != "started" or not play.success:
        return []
    whole = _Step("reaction", "player", trace.captured_at_ms, play.rendered_at_ms)
    steps = (
        _Step("capture to inference", "gateway", trace.captured_at_ms, trace.inferred_at_ms),
        _Step("inference to event", "gateway", trace.inferred_at_ms, trace.sent_at_ms),
        _Step("event to decision", "react", trace.sent_at_ms, play.scheduled_at_ms),
        _Step("decision to render", "player", play.scheduled_at_ms, play.rendered_at_ms),
    )
    root = _context(trace.cause_id, play.play_id, whole.name)
    attributes = {
        "smartstore.store": play.store_id,
        "smartstore.area": play.area_id,
        "smartstore.screen": play.screen_id,
        "smartstore.creative": f"{play.creative_id}@{play.creative_version}",
        "smartstore.decision": play.decision_id,
    }
    return [
        _span(whole, root, None, attributes),
        *(_span(s, _context(trace.cause_id, play.play_id, s.name), root, {}) for s in steps),
    ]


def _context(cause_id: str, play_id: str, step: str) -> SpanContext:
    """A glance is a trace; each play that it caused, and each step of it, a span."""
    span = _id(f"{play_id}\x1f{step}")
    return SpanContext(
        trace_id=_id(cause_id).int,
        span_id=span.int >> 64,
        is_remote=True,
        trace_flags=TraceFlags(TraceFlags.SAMPLED),
    )


def _id(text: str) -> UUID:
    return uuid5(NAMESPACE, f"trace\x1f{text}")


def _span(
    step: _Step, context: SpanContext, parent: SpanContext | None, attributes: dict[str, str]
) -> ReadableSpan:
    # The SDK makes spans while they happen; these have happened, elsewhere, with ids of their own.
    return ReadableSpan(
        name=step.name,
        context=context,
        parent=parent,
        resource=_RESOURCES[step.service],
        attributes=attributes,
        kind=SpanKind.INTERNAL,
        status=Status(StatusCode.OK),
        start_time=step.began_ms * 1_000_000,
        end_time=max(step.began_ms, step.ended_ms) * 1_000_000,
    )


async def run_traces(
    bootstrap: str, exporter: SpanExporter, *, stop: asyncio.Event, ready: Callable[[], None]
) -> int:
    """Sends a trace for each reaction from now on, until `stop` is set; how many spans were taken.
    `ready` is called once it is known where in the log "now" is.

    Traces are for looking, not for counting: what is played while this does not run, or while the
    collector does not answer, has none.
    """
    consumer = AIOKafkaConsumer(
        PLAY.name,
        bootstrap_servers=bootstrap,
        enable_auto_commit=False,
        auto_offset_reset="latest",
    )
    taken = 0
    try:
        await consumer.start()
        for place in consumer.assignment():
            await consumer.position(place)
        ready()
        while not stop.is_set():
            fetched = await consumer.getmany(timeout_ms=_POLL_MS)
            values = [record.value for records in fetched.values() for record in records]
            spans = [span for value in values for span in _spans_in(value)]
            if spans:
                taken += await asyncio.to_thread(_send, exporter, spans)
    finally:
        await close(consumer.stop())
        exporter.shutdown()
    return taken


def _spans_in(value: bytes | None) -> list[ReadableSpan]:
    try:
        return spans_of(codec.decode(PLAY.name, value))
    except ContractError:  # its consumers bury it
        return []


def _send(exporter: SpanExporter, spans: Sequence[ReadableSpan]) -> int:
    """How many of the spans were taken: all or none."""
    if exporter.export(spans) is SpanExportResult.SUCCESS:
        return len(spans)
    log.warning("the collector of traces did not take %d spans: they are dropped", len(spans))
    return 0
