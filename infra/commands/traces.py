"""`smartstore traces`: reactions as OpenTelemetry traces."""

import asyncio
import os
from pathlib import Path
from typing import Annotated

import typer

from infra.commands.runtime import ready_with, run_until_signal, settings_of
from infra.commands.waiting import wait_for_broker
from infra.errors import UserError
from streams.settings import KafkaSettings

#: OpenTelemetry's own names; its exporter reads them, and those of headers and certificates.
_ENDPOINTS = ("OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT")


def add_to(app: typer.Typer) -> None:
    """Adds the command to the command line."""
    app.command()(traces)


def traces(
    ready_file: Annotated[
        Path | None, typer.Option(help="A file to make once this process works.")
    ] = None,
) -> None:
    """Sends each reaction, from capture to render, as an OpenTelemetry trace to the collector that
    OTEL_EXPORTER_OTLP_ENDPOINT names (OTLP over HTTP). Waits for the broker."""
    if not any(os.environ.get(name) for name in _ENDPOINTS):
        raise UserError(
            f"no collector of traces was named; set {_ENDPOINTS[0]}, for instance to "
            "http://127.0.0.1:4318"
        )
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter

    from infra.traces import run_traces

    settings = settings_of(KafkaSettings)

    async def main(stop: asyncio.Event) -> None:
        if await wait_for_broker(settings.kafka, stop):
            ready = ready_with(ready_file)
            await run_traces(settings.kafka, OTLPSpanExporter(), stop=stop, ready=ready)

    run_until_signal(main)
