"""Clients that we did not write read `signage.content.v1`: kcat (librdkafka) and kafkajs."""

import asyncio
import json
import os
import shutil
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from aiokafka import AIOKafkaProducer
from jsonschema import Draft202012Validator, ValidationError

from streams.contracts import codec
from streams.contracts.base import Trace
from streams.contracts.signage import Content
from streams.contracts.topics import CONTENT

pytestmark = [pytest.mark.stack, pytest.mark.broker]

ROOT = Path(__file__).parents[2]
EXAMPLE = ROOT / "examples" / "kafkajs"
SCHEMA = json.loads((ROOT / "docs" / "schemas" / f"{CONTENT.name}.json").read_text())
VALIDATOR = Draft202012Validator(SCHEMA)

SOURCE = "smartstore/react"
PATIENCE_S = 60

#: One record as a client shows it: key, headers, value.
Seen = tuple[str, dict[str, str], Any]


def _content(number: int, screen_id: str, caused: bool, run: str) -> Content:
    now_ms = 1_790_000_000_000 + number * 1_000
    trace = Trace(
        cause_id=f"g-{number}",
        captured_at_ms=now_ms - 300,
        inferred_at_ms=now_ms - 200,
        sent_at_ms=now_ms - 100,
    )
    return Content(
        decision_id=f"d-{number}{run}",
        store_id="demo",
        area_id="main",
        screen_id=f"{screen_id}{run}",
        creative_id="tea",
        creative_version=1,
        not_before_ms=now_ms,
        expires_at_ms=now_ms + 10_000,
        arm="adaptive" if caused else "control",
        reason="attention" if caused else "rotation",
        sentence="Someone lingers at the tea: “Darjeeling”, 茶.",
        trace=trace if caused else None,
    )


@dataclass(frozen=True)
class Told:
    """A broker whose topic of content holds `contents`, of screens that no other test has."""

    bootstrap: str
    run: str = field(default_factory=lambda: f"-{uuid4().hex[:8]}")

    @property
    def contents(self) -> list[Content]:
        return [
            _content(1, "screen-1", True, self.run),
            _content(2, "screen-2", False, self.run),
            _content(3, "screen-1", False, self.run),
            _content(4, "screen-é", True, self.run),
        ]


def _expected(contents: list[Content]) -> list[Seen]:
    """By hand and not by the codec: CloudEvents 1.0 in Kafka's binary mode."""
    return [
        (
            content.screen_id,
            {
                "ce_specversion": "1.0",
                "ce_id": content.decision_id,
                "ce_source": SOURCE,
                "ce_type": "signage.content.v1",
                "content-type": "application/json",
            },
            _value(content),
        )
        for content in contents
    ]


def _value(content: Content) -> dict[str, Any]:
    fields = {name: getattr(content, name) for name in content.__struct_fields__}
    trace = content.trace
    fields["trace"] = trace and {name: getattr(trace, name) for name in trace.__struct_fields__}
    return fields


@pytest.fixture
async def told(bootstrap: str) -> Told:
    told = Told(bootstrap)
    producer = AIOKafkaProducer(bootstrap_servers=bootstrap, enable_idempotence=True)
    await producer.start()
    try:
        for content in told.contents:
            await producer.send_and_wait(**codec.record(CONTENT, content, SOURCE))
    finally:
        await producer.stop()
    return told


async def _run(*command: str, cwd: Path | None = None) -> tuple[int, str, str]:
    """Exit status, standard output and standard error; what hangs is killed."""
    process = await asyncio.create_subprocess_exec(
        *command,
        cwd=cwd,
        env={name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ},
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        async with asyncio.timeout(PATIENCE_S):
            out, err = await process.communicate()
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    return process.returncode or 0, out.decode(), err.decode()


def _check(seen: list[Seen], contents: list[Content]) -> None:
    for _, _, value in seen:
        VALIDATOR.validate(value)
    by_id = sorted(seen, key=lambda one: one[1]["ce_id"])
    assert by_id == _expected(contents)


async def test_kcat_reads_the_content(told: Told) -> None:
    kcat = shutil.which("kcat") or shutil.which("kafkacat")
    if kcat is None:
        pytest.skip("NOT RUN: kcat is not installed (Debian's package kcat)")
    code, out, err = await _run(
        kcat, "-C", "-b", told.bootstrap, "-t", CONTENT.name, "-o", "beginning", "-e", "-q", "-J"
    )
    assert code == 0, err
    records = [json.loads(line) for line in out.splitlines()]
    assert {record["topic"] for record in records} == {CONTENT.name}
    seen = [
        (
            record["key"],
            dict(zip(record["headers"][::2], record["headers"][1::2], strict=True)),
            json.loads(record["payload"]),
        )
        for record in records
        if record["key"].endswith(told.run)
    ]
    _check(seen, told.contents)


async def test_kafkajs_follows_one_screen(told: Told, tmp_path: Path) -> None:
    program = await _installed(tmp_path / "kafkajs")
    code, out, err = await _run(
        "node", "follow.mjs", told.bootstrap, f"screen-1{told.run}", "--count", "2", cwd=program
    )
    assert code == 0, err
    seen = [(r["key"], r["headers"], r["value"]) for r in map(json.loads, out.splitlines())]
    _check(seen, [c for c in told.contents if c.screen_id == f"screen-1{told.run}"])


async def test_kafkajs_is_told_a_deletion(told: Told, tmp_path: Path) -> None:
    program = await _installed(tmp_path / "kafkajs")
    screen_id = f"screen-2{told.run}"
    producer = AIOKafkaProducer(bootstrap_servers=told.bootstrap)
    await producer.start()
    try:
        await producer.send_and_wait(CONTENT.name, key=screen_id.encode(), value=None)
    finally:
        await producer.stop()
    code, out, err = await _run(
        "node", "follow.mjs", told.bootstrap, screen_id, "--count", "2", cwd=program
    )
    assert code == 0, err
    first, last = map(json.loads, out.splitlines())
    assert first["value"]["decision_id"] == f"d-2{told.run}"
    assert last == {"key": screen_id, "headers": {}, "value": None}


async def _installed(folder: Path) -> Path:
    """The example with its package installed, as its README says."""
    if shutil.which("npm") is None or shutil.which("node") is None:
        pytest.skip("NOT RUN: Node.js with npm is not installed")
    shutil.copytree(EXAMPLE, folder, ignore=shutil.ignore_patterns("node_modules"))
    code, _, err = await _run(
        "npm", "install", "--no-audit", "--no-fund", "--no-package-lock", cwd=folder
    )
    away = [f" {word}" for word in ("ENOTFOUND", "EAI_AGAIN", "ECONNREFUSED", "ETIMEDOUT")]
    if code and any(word in err for word in away):
        pytest.skip(f"NOT RUN: npm reaches no registry ({err.strip().splitlines()[0]})")
    assert code == 0, err
    wanted = json.loads((EXAMPLE / "package.json").read_text())["dependencies"]["kafkajs"]
    got = json.loads((folder / "node_modules" / "kafkajs" / "package.json").read_text())
    assert got["version"] == wanted
    return folder


@pytest.mark.parametrize(
    ("field", "value"),
    [("creative_version", 0), ("arm", "both"), ("screen_id", ""), ("expires_at_ms", "soon")],
)
def test_the_schema_refuses_what_the_contract_refuses(field: str, value: object) -> None:
    good = _value(Told("127.0.0.1:9").contents[0])
    VALIDATOR.validate(good)
    with pytest.raises(ValidationError):
        VALIDATOR.validate({**good, field: value})
