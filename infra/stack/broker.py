"""The embedded broker: a small Kafka-protocol server from a pip package, for one machine.

Nothing but this module knows which one it is. A member of a group that dies never expires on it, so
workers need a fixed `group.instance.id`, one for each group; and it writes its whole log anew every
second in which something came, so the log has to stay small.
"""

import os
import secrets
import shutil
import signal
from importlib import resources
from pathlib import Path

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewTopic

from infra.stack.errors import StackError
from infra.stack.part import Part
from infra.stack.ports import LOOPBACK
from infra.stack.process import Command
from infra.stack.server import EmbeddedServer, tcp_ok
from infra.stack.state import StateFolder, private_folder

#: Holds the records that show that the broker works. Nobody else reads it.
READY_TOPIC = "smartstore.ready"

#: What `create_topics` should keep at the most on this broker: its cost grows with its log.
RETENTION_LIMIT_MS = 6 * 3_600_000

_READY_RETENTION_MS = 60_000
_REQUEST_TIMEOUT_MS = 3_000


class EmbeddedBroker(EmbeddedServer):
    """The broker, with its log under the state folder. Ready means that a record was produced and
    fetched. With `fresh` it forgets what an earlier run logged."""

    name = "broker"

    def __init__(self, state: StateFolder, *, port: int | None = None, fresh: bool = False) -> None:
        super().__init__(state, {"kafka": port})
        self._fresh = fresh

    @property
    def bootstrap(self) -> str:
        """Host and port for Kafka clients."""
        return self.address("kafka")

    async def prepare(self) -> None:
        """Forgets the earlier log if asked to."""
        if self._fresh:
            shutil.rmtree(self._data, ignore_errors=True)

    def part(self) -> Part:
        """The part that runs the broker."""
        argv = [
            str(_binary(self._state)),
            "start",
            "--data-dir",
            str(private_folder(self._data)),
            "--only",
            "kafka",
            "--host",
            LOOPBACK,
            "--kafka-port",
            str(self._ports["kafka"]),
        ]
        # It saves its log when it is told to end, so the kernel tells it should we be killed.
        command = Command(argv, plain_env=True, death_signal=signal.SIGTERM)
        return Part(self.name, command, ready=self._works)

    @property
    def _data(self) -> Path:
        return self._state.path / "broker"

    async def _works(self) -> None:
        await tcp_ok(self.bootstrap)
        await produce_and_fetch(self.bootstrap)


async def produce_and_fetch(bootstrap: str) -> None:
    """Returns when a record of ours went to the broker and came back."""
    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap, request_timeout_ms=_REQUEST_TIMEOUT_MS)
    try:
        await admin.start()
        config = {"retention.ms": str(_READY_RETENTION_MS)}
        # A topic that exists is as good.
        await admin.create_topics([NewTopic(READY_TOPIC, 1, 1, topic_configs=config)])
    finally:
        await admin.close()
    word = secrets.token_bytes(8)
    producer = AIOKafkaProducer(
        bootstrap_servers=bootstrap, request_timeout_ms=_REQUEST_TIMEOUT_MS, acks="all"
    )
    consumer = AIOKafkaConsumer(bootstrap_servers=bootstrap, request_timeout_ms=_REQUEST_TIMEOUT_MS)
    try:
        await producer.start()
        sent = await producer.send_and_wait(READY_TOPIC, word, partition=0)
        await consumer.start()
        partition = TopicPartition(READY_TOPIC, 0)
        consumer.assign([partition])
        consumer.seek(partition, sent.offset)
        record = await consumer.getone()
    finally:
        await producer.stop()
        await consumer.stop()
    if record.value != word:
        raise ConnectionError(f"{bootstrap} gave back another record than it was given")


def _binary(state: StateFolder) -> Path:
    """The packaged program itself: its console script is only a parent that would be killed in its
    stead. Copied where the package left it without the right to be run."""
    packaged = Path(str(resources.files("noida_db").joinpath("noida-db")))
    if not packaged.is_file():
        raise StackError(
            f"the broker's program is not at {packaged}; install the package noida-db for Linux "
            "again"
        )
    if os.access(packaged, os.X_OK):
        return packaged
    copy = state.folder("bin") / packaged.name
    if not copy.exists() or copy.stat().st_size != packaged.stat().st_size:
        shutil.copyfile(packaged, copy)
        copy.chmod(0o700)
    return copy
