"""What the processes tell Prometheus: over HTTP, from the port that was named, or not at all."""

import asyncio
import logging
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import aiohttp
import pytest
from prometheus_client.metrics_core import Metric
from prometheus_client.parser import text_string_to_metric_families
from pydantic import ValidationError

from streams.metrics import HANDLING_S, Handled, Histogram, Standing, Telling, exposed
from streams.settings import MeasureSettings


@dataclass(frozen=True)
class Settings:
    metrics_port: int | None
    metrics_host: str = "127.0.0.1"


class Some:
    """A collector of everything that `Telling` can say."""

    def __init__(self) -> None:
        self.handled = Handled()
        self.standing = Standing(commits=7, assignments=2)

    def collect(self) -> Iterable[Metric]:
        telling = Telling("test")
        yield telling.lag({("vision.gaze.v1", 3): 12})
        yield from telling.standing(self.standing)
        yield from telling.handled(self.handled)


async def asked(url: str | None) -> dict[tuple[str, tuple[tuple[str, str], ...]], float]:
    assert url is not None
    async with aiohttp.ClientSession() as session, session.get(url) as answer:
        assert answer.status == 200
        text = await answer.text()
    return {
        (sample.name, tuple(sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


async def test_figures_are_read_when_somebody_asks() -> None:
    some = Some()
    async with exposed(Settings(0), some) as url:
        some.handled.note("t", 0.002, buried=False)
        some.handled.note("t", 0.3, buried=True)
        told = await asked(url)
    who = ("consumer", "test")
    at = (who, ("partition", "3"), ("topic", "vision.gaze.v1"))
    assert told["smartstore_lag_records", at] == 12
    assert told["smartstore_commits_total", (who,)] == 7
    assert told["smartstore_assignments_total", (who,)] == 2
    assert told["smartstore_dead_letters_total", (who, ("topic", "t"))] == 1
    assert told["smartstore_handler_seconds_count", (who, ("topic", "t"))] == 2
    assert told["smartstore_handler_seconds_sum", (who, ("topic", "t"))] == pytest.approx(0.302)
    below = (who, ("le", "0.0025"), ("topic", "t"))
    assert told["smartstore_handler_seconds_bucket", below] == 1
    assert told["process_resident_memory_bytes", ()] > 1e6


async def test_nothing_listens_unless_a_port_is_named() -> None:
    async with exposed(Settings(None), Some()) as url:
        assert url is None
    assert MeasureSettings(kafka="127.0.0.1:9").metrics_port is None
    assert MeasureSettings(kafka="127.0.0.1:9").metrics_host == "127.0.0.1"
    with pytest.raises(ValidationError):
        MeasureSettings(kafka="127.0.0.1:9", metrics_port=70_000)


async def test_a_port_that_is_taken_costs_the_figures_alone(
    caplog: pytest.LogCaptureFixture,
) -> None:
    taken = await asyncio.start_server(lambda *_: None, "127.0.0.1", 0)
    port = taken.sockets[0].getsockname()[1]
    async with taken:
        with caplog.at_level(logging.ERROR):
            async with exposed(Settings(port), Some()) as url:
                assert url is None
    (line,) = caplog.messages
    assert f"127.0.0.1:{port}" in line
    assert "SMARTSTORE_METRICS_PORT" in line


@pytest.mark.parametrize("path", ["/", "/table/", "/metrics/../etc/passwd"])
async def test_there_is_nothing_but_the_figures(path: str) -> None:
    async with exposed(Settings(0), Some()) as url, aiohttp.ClientSession() as session:
        assert url is not None
        async with session.get(url.removesuffix("/metrics") + path) as answer:
            assert answer.status == 404


def test_a_histogram_counts_each_once() -> None:
    times = Histogram(HANDLING_S)
    seen: list[Any] = [0.0, HANDLING_S[0], HANDLING_S[-1], 1e9]
    for each in seen:
        times.note(each)
    counts = dict(times.buckets())
    assert counts[str(HANDLING_S[0])] == 2
    assert counts[str(HANDLING_S[-1])] == 3
    assert counts["+Inf"] == len(seen)
