"""From an event to the rows that it leaves: pure. A fact that has only begun leaves none."""

from collections.abc import Callable
from typing import Any

from streams.contracts import topics
from streams.contracts.codec import decode
from streams.sink import rows_people, rows_signage, rows_till
from streams.sink.row import Unit

_UNITS: dict[str, Callable[[Any], list[Unit]]] = {
    topics.GAZE.name: rows_people.gaze,
    topics.DWELL.name: rows_people.dwell,
    topics.AUDIENCE.name: rows_people.presences,
    topics.CROSSING.name: rows_people.crossing,
    topics.ATTENTION.name: rows_people.attention,
    topics.EXPOSURE.name: rows_people.exposure,
    topics.BASKET.name: rows_till.basket,
    topics.BASKET_METRICS.name: rows_till.basket_metrics,
    topics.REFUSED.name: rows_till.refused,
    topics.DOOR_COUNT.name: rows_till.door_count,
    topics.DECISION.name: rows_signage.decision,
    topics.PLAY.name: rows_signage.play,
}

#: Snapshots: of these it matters when the log took them.
_SNAPSHOTS: dict[str, Callable[[Any, int], list[Unit]]] = {
    topics.CREATIVE.name: rows_signage.creative,
    topics.EXPERIMENT.name: rows_signage.experiment,
    topics.POLICY.name: rows_signage.policy,
}

#: What an empty value of a snapshot's key leaves; of the others it leaves nothing.
_WITHDRAWN: dict[str, Callable[[str, int], list[Unit]]] = {
    topics.CREATIVE.name: rows_signage.withdrawal,
}

#: The topics that the sink reads.
SINK_TOPICS = (*_UNITS, *_SNAPSHOTS)


def record_units(topic: str, key: bytes | None, value: bytes | None, logged_ms: int) -> list[Unit]:
    """What a record of `topic` leaves in the database; `logged_ms` is the log's time of it.

    Raises:
        UndecodableError: the value is no event of the topic.
        KeyError: the sink does not read the topic.
    """
    if value is None and topic in _SNAPSHOTS:
        withdrawn = _WITHDRAWN.get(topic)
        return withdrawn((key or b"").decode(), logged_ms) if withdrawn and key else []
    return units(topic, decode(topic, value), logged_ms)


def units(topic: str, event: Any, logged_ms: int = 0) -> list[Unit]:
    """What `event` of `topic` leaves in the database.

    Raises KeyError for a topic that the sink does not read.
    """
    snapshot = _SNAPSHOTS.get(topic)
    return _UNITS[topic](event) if snapshot is None else snapshot(event, logged_ms)
