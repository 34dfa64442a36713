"""The partitions of topics, as Kafka tells them: a consumer that named no topic knows of none."""

from pathlib import Path
from typing import Any

import pytest
from aiokafka import TopicPartition
from aiokafka.errors import KafkaConnectionError

from signage import partitions
from signage.partitions import partitions_of

ROOT = Path(__file__).parents[2]


class Admin:
    """A broker with two topics, or none that answers."""

    def __init__(self, *, away: bool = False) -> None:
        self.away = away
        self.closed = 0

    def __call__(self, **_: Any) -> "Admin":
        return self

    async def start(self) -> None:
        if self.away:
            raise KafkaConnectionError

    async def describe_topics(self) -> list[dict[str, Any]]:
        return [
            {"topic": "play", "partitions": [{"partition": n} for n in (2, 0, 1)]},
            {"topic": "other", "partitions": [{"partition": 0}]},
        ]

    async def close(self) -> None:
        self.closed += 1


async def test_partitions_come_in_order_and_a_missing_topic_has_none(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    admin = Admin()
    monkeypatch.setattr(partitions, "AIOKafkaAdminClient", admin)
    assert await partitions_of("any:1", "play", "absent") == {
        "play": [TopicPartition("play", n) for n in (0, 1, 2)],
        "absent": [],
    }
    assert admin.closed == 1


async def test_a_broker_that_is_away_is_told_and_the_client_closed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    admin = Admin(away=True)
    monkeypatch.setattr(partitions, "AIOKafkaAdminClient", admin)
    with pytest.raises(KafkaConnectionError):
        await partitions_of("any:1", "play")
    assert admin.closed == 1


@pytest.mark.parametrize("package", ["infra", "signage", "streams", "vision"])
def test_nobody_asks_a_consumer(package: str) -> None:
    # The embedded brokers tell a consumer of all topics, so no test on them would notice.
    sources = {path: path.read_text("utf-8") for path in (ROOT / package).rglob("*.py")}
    assert sources
    assert [str(path) for path, text in sources.items() if ".partitions_for_topic(" in text] == []
