"""The worker's own logging; the worker itself runs in the integration tests."""

import logging

from streams.worker import Seldom


def record(name: str, at_s: float) -> logging.LogRecord:
    made = logging.LogRecord(name, logging.ERROR, "f", 1, "away", (), None)
    made.created = at_s
    return made


def test_the_kafka_client_speaks_once_in_a_while_and_others_as_they_like() -> None:
    seldom = Seldom(repeat_after_s=10)
    said = [at for at in range(30) if seldom.filter(record("aiokafka.conn", at))]
    assert said == [0, 10, 20]
    assert all(seldom.filter(record("streams.react", at)) for at in range(3))
