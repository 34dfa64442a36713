"""Clients that we did not write read `signage.content.v1`: kcat (librdkafka) and kafkajs."""

import asyncio
import json
import os
import shutil
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from aiokafka import AIOKafkaProducer
from jsonschema import Draft202012Validator, ValidationError

from infra.stack.broker import EmbeddedBroker
from infra.stack.state import StateFolder
from infra.stack.supervisor import Supervisor
from infra.topics import create_topics
from streams.contracts import codec
from streams.contracts.base import Trace
from streams.contracts.signage import Content
from streams.contracts.topics import CONTENT

pytestmark = pytest.mark.stack

ROOT = Path(__file__).parents[2]
EXAMPLE = ROOT / "examples" / "kafkajs"
SCHEMA = json.loads((ROOT / "docs" / "schemas" / f"{CONTENT.name}.json").read_text())
VALIDATOR = Draft202012Validator(SCHEMA)

SOURCE = "smartstore/react"
PATIENCE_S = 60

#: One record as a client shows it: key, headers, value.
Seen = tuple[str, dict[str, str], Any]


def _content(number: int, screen_id: str, caused: bool) -> Content:
    now_ms = 1_790_000_000_000 + number * 1_000
    trace = Trace(
        cause_id=f"g-{number}",
        captured_at_ms=now_ms - 300,
        inferred_at_ms=now_ms - 200,
        sent_at_ms=now_ms - 100,
    )
    return Content(
        decision_id=f"d-{number}",
        store_id="demo",
        area_id="main",
        screen_id=screen_id,
        creative_id="tea",
        creative_version=1,
        not_before_ms=now_ms,
        expires_at_ms=now_ms + 10_000,
        arm="adaptive" if caused else "control",
        reason="attention" if caused else "rotation",
        sentence="Someone lingers at the tea: “Darjeeling”, 茶.",
        trace=trace if caused else None,
    )


CONTENTS = [
    _content(1, "screen-1", caused=True),
    _content(2, "screen-2", caused=False),
    _content(3, "screen-1", caused=False),
    _content(4, "screen-é", caused=True),
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
async def broker(tmp_path: Path) -> AsyncIterator[str]:
    """The address of a broker whose topic of content holds CONTENTS."""
    with StateFolder(tmp_path / "state") as state:
        embedded = EmbeddedBroker(state)
        async with Supervisor(state) as supervisor:
            await embedded.start(supervisor)
            await create_topics(embedded.bootstrap, 3)
            producer = AIOKafkaProducer(
                bootstrap_servers=embedded.bootstrap, enable_idempotence=True
            )
            await producer.start()
            try:
                for content in CONTENTS:
                    await producer.send_and_wait(**codec.record(CONTENT, content, SOURCE))
            finally:
                await producer.stop()
            yield embedded.bootstrap


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


async def test_kcat_reads_the_content(broker: str) -> None:
    kcat = shutil.which("kcat") or shutil.which("kafkacat")
    if kcat is None:
        pytest.skip("NOT RUN: kcat is not installed (Debian's package kcat)")
    code, out, err = await _run(
        kcat, "-C", "-b", broker, "-t", CONTENT.name, "-o", "beginning", "-e", "-q", "-J"
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
    ]
    _check(seen, CONTENTS)


async def test_kafkajs_follows_one_screen(broker: str, tmp_path: Path) -> None:
    program = await _installed(tmp_path / "kafkajs")
    code, out, err = await _run(
        "node", "follow.mjs", broker, "screen-1", "--count", "2", cwd=program
    )
    assert code == 0, err
    seen = [(r["key"], r["headers"], r["value"]) for r in map(json.loads, out.splitlines())]
    _check(seen, [c for c in CONTENTS if c.screen_id == "screen-1"])


async def test_kafkajs_is_told_a_deletion(broker: str, tmp_path: Path) -> None:
    program = await _installed(tmp_path / "kafkajs")
    producer = AIOKafkaProducer(bootstrap_servers=broker)
    await producer.start()
    try:
        await producer.send_and_wait(CONTENT.name, key=b"screen-2", value=None)
    finally:
        await producer.stop()
    code, out, err = await _run(
        "node", "follow.mjs", broker, "screen-2", "--count", "2", cwd=program
    )
    assert code == 0, err
    first, last = map(json.loads, out.splitlines())
    assert first["value"]["decision_id"] == "d-2"
    assert last == {"key": "screen-2", "headers": {}, "value": None}


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
    good = _value(CONTENTS[0])
    VALIDATOR.validate(good)
    with pytest.raises(ValidationError):
        VALIDATOR.validate({**good, field: value})
