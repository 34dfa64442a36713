"""More workers than partitions: the one that has nothing to do is ready all the same, for the day
on which another one dies.
"""

from pathlib import Path

import pytest
from pydantic import SecretStr

from infra.bench.chaos.bench import environment, part
from infra.bench.chaos.expiry import expire
from infra.bench.chaos.history import layout
from infra.stack.broker import EmbeddedBroker
from infra.stack.state import StateFolder
from infra.stack.supervisor import Supervisor
from infra.topics import create_topics
from streams.contracts.codec import encode

pytestmark = [pytest.mark.stack, pytest.mark.timeout(120)]


async def test_a_worker_without_partitions_is_ready(tmp_path: Path) -> None:
    with StateFolder(tmp_path / "state") as state:
        async with Supervisor(state) as supervisor:
            broker = EmbeddedBroker(state, fresh=True)
            await broker.start(supervisor)
            await create_topics(broker.bootstrap, 1)
            layout_file = state.run / "layout.json"
            layout_file.write_bytes(encode(layout()))
            env = environment(state, broker.bootstrap, SecretStr("")) | {
                "SMARTSTORE_LAYOUT": str(layout_file)
            }
            for name in ("measure-1", "measure-2"):
                told = env | {"SMARTSTORE_MEMBER": name}
                # Not ready within a minute is a PartFailedError.
                await supervisor.start(part(state, name, ["measure"], told))
            assert supervisor.restarts == {"broker": 0, "measure-1": 0, "measure-2": 0}
            await supervisor.stop_part("measure-1")
            await expire(broker.bootstrap, "measure", "measure-1")
            await supervisor.wait_ready("measure-2")
