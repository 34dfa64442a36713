"""What real processes tell of themselves: figures over HTTP, traces, and logs as JSON."""

import asyncio
import json
import os
import sys
import threading
import time
import uuid
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from aiokafka import AIOKafkaProducer
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from prometheus_client.parser import text_string_to_metric_families

from infra.policies import built_in
from infra.stack.ports import free_port
from streams.contracts import codec
from streams.contracts.base import Trace
from streams.contracts.signage import Creative, Play
from streams.contracts.topics import CREATIVE, GAZE, PLAY, POLICY
from streams.contracts.vision import Gaze, GazeBatch

pytestmark = [pytest.mark.stack, pytest.mark.broker]

ROOT = Path(__file__).parents[2]
PATIENCE_S = 45

LAYOUT = """
store_id: store-{run}
name: Store
areas: [{{area_id: area-{run}}}]
zones: [{{zone_id: tea, area_id: area-{run}, name: Tea, category: tea}}]
screens: [{{screen_id: screen-{run}, area_id: area-{run}, name: Screen}}]
"""


def now_ms() -> int:
    return time.time_ns() // 1_000_000


class World:
    """A store that no other test has, on a broker."""

    def __init__(self, bootstrap: str, folder: Path) -> None:
        self.run = uuid.uuid4().hex[:8]
        self.bootstrap = bootstrap
        self.folder = folder
        self.layout = folder / "store.yaml"
        self.layout.write_text(LAYOUT.format(run=self.run))

    @asynccontextmanager
    async def process(self, *words: str, **env: str) -> AsyncIterator[Path]:
        """One of our processes, once it is ready; its log."""
        ready, log = self.folder / f"{words[0]}.ready", self.folder / f"{words[0]}.log"
        with log.open("wb") as file:
            process = await asyncio.create_subprocess_exec(
                *(sys.executable, "-m", "infra", *words, "--ready-file", str(ready)),
                cwd=ROOT,
                stderr=file,
                env={
                    **os.environ,
                    "SMARTSTORE_KAFKA": self.bootstrap,
                    "SMARTSTORE_LAYOUT": str(self.layout),
                    "SMARTSTORE_STATE": str(self.folder / "state"),
                    "SMARTSTORE_GROUP": f"{words[0]}-{self.run}",
                    "SMARTSTORE_MEMBER": f"{words[0]}-{self.run}-1",
                    "SMARTSTORE_LOG_FORMAT": "json",
                    "SMARTSTORE_EXPERIMENT_ADAPTIVE_SHARE": "1",
                    **env,
                },
            )
        try:
            await until(lambda: ready.exists() or process.returncode is not None)
            assert process.returncode is None, log.read_text()
            yield log
            process.terminate()
            async with asyncio.timeout(PATIENCE_S):
                assert await process.wait() == 0, log.read_text()
        finally:
            if process.returncode is None:
                process.kill()
                await process.wait()

    async def send(self, *records: dict[str, Any]) -> None:
        producer = AIOKafkaProducer(bootstrap_servers=self.bootstrap)
        await producer.start()
        try:
            for record in records:
                await producer.send_and_wait(**record)
        finally:
            await producer.stop()

    def catalogue(self) -> tuple[dict[str, Any], ...]:
        """What must be published before a screen answers: a creative, and a policy in force."""
        creative = Creative(
            creative_id=f"tea-{self.run}",
            version=1,
            title="Tea",
            alt_text="Tea",
            language="en",
            media="tea.html",
            sha256="0" * 64,
            owner="us",
            screens=(f"screen-{self.run}",),
            categories=("tea",),
        )
        rule = built_in("rule", f"store-{self.run}", "Ada Lovelace", now_ms())
        return codec.record(CREATIVE, creative, "test"), codec.record(POLICY, rule, "test")

    def gaze(self) -> dict[str, Any]:
        at = now_ms()
        trace = Trace(
            cause_id=f"gaze-{self.run}",
            captured_at_ms=at,
            inferred_at_ms=at,
            sent_at_ms=at,
        )
        gaze = Gaze(
            gaze_id=f"gaze-{self.run}",
            phase="started",
            track_id="t",
            camera_id="cam",
            target_id="tea",
            target_kind="zone",
            probability=0.9,
            started_at_ms=at - 400,
            attention_ms=400,
            calibration_version="c",
            trace=trace,
        )
        batch = GazeBatch(
            store_id=f"store-{self.run}",
            area_id=f"area-{self.run}",
            gateway_id=f"gw-{self.run}",
            seq=1,
            events=(gaze,),
        )
        return codec.record(GAZE, batch, "test")

    def broken(self) -> dict[str, Any]:
        return {"topic": GAZE.name, "key": f"area-{self.run}".encode(), "value": b"no gaze"}


async def until(true: Callable[[], Any]) -> None:
    async with asyncio.timeout(PATIENCE_S):
        while not true():  # noqa: ASYNC110 - it becomes true in another process
            await asyncio.sleep(0.05)


Figures = dict[str, list[tuple[dict[str, str], float]]]


async def figures(port: int, true: Callable[[Figures], Any]) -> Figures:
    """Asks until the figures are as they should be."""
    told: Figures = {}
    async with aiohttp.ClientSession() as session, asyncio.timeout(PATIENCE_S):
        while True:
            async with session.get(f"http://127.0.0.1:{port}/metrics") as answer:
                text = await answer.text()
            told = {}
            for family in text_string_to_metric_families(text):
                for sample in family.samples:
                    told.setdefault(sample.name, []).append((sample.labels, sample.value))
            if true(told):
                return told
            await asyncio.sleep(0.2)


def total(told: Figures, name: str, **labels: str) -> float:
    found = told.get(f"smartstore_{name}", [])
    return sum(value for has, value in found if labels.items() <= has.items())


@pytest.fixture
def world(bootstrap: str, tmp_path: Path) -> World:
    return World(bootstrap, tmp_path)


async def test_the_processors_tell_of_what_they_did(world: World) -> None:
    ports = {"measure": free_port(), "react": free_port()}
    await world.send(*world.catalogue())
    async with (
        world.process("measure", "--metrics-port", str(ports["measure"])) as log,
        world.process("react", "--metrics-port", str(ports["react"])),
    ):
        gaze = world.gaze()
        await world.send(gaze, gaze, world.broken())

        def handled(told: Figures) -> bool:
            # A named broker may hold records of other stores: those are dead letters here too.
            return (
                total(told, "dead_letters_total", topic=GAZE.name) >= 1
                and total(told, "commits_total") >= 1
                and total(told, "lag_records") == 0
                and bool(told["smartstore_lag_records"])
            )

        told = await figures(
            ports["measure"],
            lambda told: handled(told) and total(told, "emitted_rows_total") >= 1,
        )
        assert total(told, "facts_total", outcome="added") == 1
        assert total(told, "facts_total", outcome="repeated") == 1
        assert total(told, "state_entries", kind="facts") == 1
        assert total(told, "handler_seconds_count", topic=GAZE.name) >= 3
        assert total(told, "assignments_total") >= 1
        (delay,) = (value for _, value in told["smartstore_watermark_delay_seconds"])
        assert 0 <= delay < PATIENCE_S

        told = await figures(
            ports["react"],
            lambda told: handled(told) and total(told, "decisions_total", reason="attention"),
        )
        assert total(told, "reaction_seconds_count") >= 1
        assert total(told, "areas") == 1
        lines = [json.loads(line) for line in log.read_text().splitlines()]
    letters = [line for line in lines if line.get("topic") == GAZE.name]
    assert letters
    assert all(line["level"] == "WARNING" and line["offset"] >= 0 for line in letters)


@pytest.fixture
def collector() -> Iterator[tuple[str, list[ExportTraceServiceRequest]]]:
    came: list[ExportTraceServiceRequest] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
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


async def test_a_play_in_the_log_becomes_a_trace_at_the_collector(
    world: World, collector: tuple[str, list[ExportTraceServiceRequest]]
) -> None:
    address, came = collector
    at = now_ms()
    play = Play(
        play_id=f"play-{world.run}",
        phase="started",
        player_id="player",
        store_id=f"store-{world.run}",
        area_id=f"area-{world.run}",
        screen_id=f"screen-{world.run}",
        decision_id="d",
        creative_id="tea",
        creative_version=1,
        scheduled_at_ms=at + 120,
        rendered_at_ms=at + 150,
        trace=Trace(cause_id="g", captured_at_ms=at, inferred_at_ms=at + 80, sent_at_ms=at + 90),
    )

    def mine() -> dict[str, int]:
        spans = [
            span
            for request in came
            for resource in request.resource_spans
            for scope in resource.scope_spans
            for span in scope.spans
            if span.start_time_unix_nano >= at * 1_000_000
        ]
        return {s.name: (s.end_time_unix_nano - s.start_time_unix_nano) // 10**6 for s in spans}

    async with world.process("traces", OTEL_EXPORTER_OTLP_ENDPOINT=address):
        await world.send(
            {"topic": PLAY.name, "key": b"x", "value": b"broken"},
            codec.record(PLAY, play, "test"),
        )
        await until(mine)
    assert mine() == {
        "reaction": 150,
        "capture to inference": 80,
        "inference to event": 10,
        "event to decision": 30,
        "decision to render": 30,
    }
