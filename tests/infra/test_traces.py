"""Reactions as traces: the spans of a play, and how they arrive at a collector over HTTP."""

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import msgspec
import pytest
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.sdk.trace.export import SpanExportResult
from typer.testing import CliRunner

from infra.commands.tree import app
from infra.errors import UserError
from infra.traces import spans_of
from streams.contracts.base import Trace
from streams.contracts.signage import Play

AT = 1_700_000_000_000
PLAY = Play(
    play_id="play",
    phase="started",
    player_id="player",
    store_id="store",
    area_id="main",
    screen_id="screen",
    decision_id="decision",
    creative_id="tea",
    creative_version=2,
    scheduled_at_ms=AT + 120,
    rendered_at_ms=AT + 150,
    trace=Trace(cause_id="gaze", captured_at_ms=AT, inferred_at_ms=AT + 80, sent_at_ms=AT + 90),
)
STEPS = {
    "reaction": (0, 150, "smartstore-player"),
    "capture to inference": (0, 80, "smartstore-gateway"),
    "inference to event": (80, 90, "smartstore-gateway"),
    "event to decision": (90, 120, "smartstore-react"),
    "decision to render": (120, 150, "smartstore-player"),
}


@pytest.fixture
def collector() -> Iterator[tuple[str, list[ExportTraceServiceRequest]]]:
    """A collector of OTLP over HTTP: its address, and what came."""
    came: list[ExportTraceServiceRequest] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            assert self.path == "/v1/traces"
            request = ExportTraceServiceRequest()
            request.ParseFromString(self.rfile.read(int(self.headers["Content-Length"])))
            came.append(request)
            self.send_response(200)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: Any) -> None:
            """Says nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}", came
    server.shutdown()
    server.server_close()
    thread.join()


def test_a_reaction_arrives_with_its_times_and_parents(
    collector: tuple[str, list[ExportTraceServiceRequest]], monkeypatch: pytest.MonkeyPatch
) -> None:
    address, came = collector
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", address)
    exporter = OTLPSpanExporter()
    assert exporter.export(spans_of(PLAY)) is SpanExportResult.SUCCESS
    exporter.shutdown()
    told = {}
    for resource in came[0].resource_spans:
        (service,) = [a.value.string_value for a in resource.resource.attributes]
        for scope in resource.scope_spans:
            told.update({span.name: (span, service) for span in scope.spans})
    times = {
        name: (
            span.start_time_unix_nano // 1_000_000 - AT,
            span.end_time_unix_nano // 1_000_000 - AT,
            service,
        )
        for name, (span, service) in told.items()
    }
    assert times == STEPS
    root, _ = told["reaction"]
    assert root.parent_span_id == b""
    assert {a.key: a.value.string_value for a in root.attributes} == {
        "smartstore.store": "store",
        "smartstore.area": "main",
        "smartstore.screen": "screen",
        "smartstore.creative": "tea@2",
        "smartstore.decision": "decision",
    }
    assert {span.trace_id for span, _ in told.values()} == {root.trace_id}
    assert {s.parent_span_id for s, _ in told.values() if s is not root} == {root.span_id}
    assert len({span.span_id for span, _ in told.values()}) == len(STEPS)


def test_a_repeat_is_the_same_trace_and_another_play_another_reaction_in_it() -> None:
    first, again = spans_of(PLAY), spans_of(PLAY)
    assert [s.context for s in first] == [s.context for s in again]
    other = spans_of(msgspec.structs.replace(PLAY, play_id="other"))
    assert other[0].context.trace_id == first[0].context.trace_id
    assert not {s.context.span_id for s in other} & {s.context.span_id for s in first}


def test_clocks_that_disagree_make_no_negative_step() -> None:
    ahead = msgspec.structs.replace(PLAY, scheduled_at_ms=AT + 40)
    assert all(span.start_time <= span.end_time for span in spans_of(ahead))


@pytest.mark.parametrize(
    "play",
    [
        msgspec.structs.replace(PLAY, trace=None),
        msgspec.structs.replace(PLAY, success=False),
        msgspec.structs.replace(PLAY, phase="ended", duration_ms=1, stop_reason="finished"),
    ],
)
def test_what_no_glance_caused_has_no_trace(play: Play) -> None:
    assert spans_of(play) == []


def test_the_command_wants_a_collector(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OTEL_EXPORTER_OTLP_ENDPOINT", raising=False)
    monkeypatch.delenv("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", raising=False)
    done = CliRunner().invoke(app, ["traces"])
    assert isinstance(done.exception, UserError)
    assert "OTEL_EXPORTER_OTLP_ENDPOINT" in str(done.exception)
