# SPDX-License-Identifier: Apache-2.0
"""The one registry of topics: name, key, struct, identity, retention.

All that the processor reads is keyed by `area_id`; what it writes is keyed by its entity. A
breaking change of a struct is a new topic; otherwise optional fields only.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from msgspec import Struct

from streams.contracts import (
    attention,
    experiment,
    layout,
    learning,
    playlist,
    pos,
    signage,
    store,
    vision,
)
from streams.contracts.errors import UnknownTopicError
from streams.contracts.ids import event_id

#: Enough for 12 workers a group; Kafka's partitions are how the system grows.
DEFAULT_PARTITIONS = 12

_HOUR_MS = 3_600_000
_DAY_MS = 24 * _HOUR_MS


@dataclass(frozen=True, slots=True)
class Topic:
    """A topic of the registry.

    `key` and `identity` read the record's key and the CloudEvents id off a struct. The id is the
    same for a repeat of the same event. `compact` topics hold whole snapshots: an empty value
    deletes. `replay_ms`: an older snapshot is kept for so long beside the newest, since decisions
    that were made with it may be replayed.
    """

    name: str
    struct: type[Struct]
    key: Callable[[Any], str]
    identity: Callable[[Any], str]
    retention_ms: int
    compact: bool = False
    partitions: int = DEFAULT_PARTITIONS
    replay_ms: int = 0

    @property
    def config(self) -> dict[str, str]:
        """The broker's settings for the topic."""
        policy = {"cleanup.policy": "compact,delete" if self.retention_ms > 0 else "compact"}
        if not self.compact:
            policy = {"cleanup.policy": "delete"}
        if self.retention_ms > 0:
            policy["retention.ms"] = str(self.retention_ms)
        if self.replay_ms > 0:
            policy["min.compaction.lag.ms"] = str(self.replay_ms)
        return policy


def _batch_id(batch: Any) -> str:
    return event_id(batch.gateway_id, type(batch).__name__, batch.seq)


GAZE = Topic("vision.gaze.v1", vision.GazeBatch, lambda e: e.area_id, _batch_id, _DAY_MS)
DWELL = Topic("vision.dwell.v1", vision.DwellBatch, lambda e: e.area_id, _batch_id, _DAY_MS)
AUDIENCE = Topic(
    "vision.audience.v1",
    vision.Audience,
    lambda e: e.area_id,
    lambda e: event_id(e.gateway_id, e.camera_id, "audience", e.seq),
    _DAY_MS,
)
CROSSING = Topic(
    "vision.crossing.v1",
    vision.Crossing,
    lambda e: e.area_id,
    lambda e: e.crossing_id,
    30 * _DAY_MS,
)
BASKET = Topic(
    "pos.basket.v1", pos.Basket, lambda e: e.area_id, lambda e: e.basket_id, 90 * _DAY_MS
)
REFUSED = Topic(
    "pos.refused.v1",
    pos.RefusedReceipt,
    lambda e: e.store_id,
    lambda e: e.refused_id,
    7 * _DAY_MS,
)
DOOR_COUNT = Topic(
    "store.count.v1",
    pos.DoorCount,
    lambda e: e.store_id,
    lambda e: event_id(e.store_id, e.counter_id, e.from_ms, e.told_at_ms),
    90 * _DAY_MS,
)
CONTENT = Topic(
    "signage.content.v1",
    signage.Content,
    lambda e: e.screen_id,
    lambda e: e.decision_id,
    7 * _DAY_MS,
    compact=True,
)
DECISION = Topic(
    "signage.decision.v1",
    signage.Decision,
    lambda e: e.screen_id,
    lambda e: e.decision_id,
    90 * _DAY_MS,
)
CREATIVE = Topic(
    "signage.creative.v1",
    signage.Creative,
    lambda e: e.creative_id,
    lambda e: event_id(e.creative_id, e.version),
    0,
    compact=True,
    replay_ms=90 * _DAY_MS,
)
STOCK = Topic(
    "store.stock.v1",
    store.Stock,
    lambda e: store.store_key(e.store_id, e.sku),
    lambda e: event_id(e.store_id, e.sku, "stock", e.at_ms),
    0,
    compact=True,
)
PRICE = Topic(
    "store.price.v1",
    store.Price,
    lambda e: store.store_key(e.store_id, e.sku),
    lambda e: event_id(e.store_id, e.sku, "price", e.valid_from_ms, str(e.price)),
    0,
    compact=True,
)
LAYOUT = Topic(
    "store.layout.v1",
    layout.StoreLayout,
    lambda e: e.store_id,
    lambda e: e.store_id,
    0,
    compact=True,
    replay_ms=90 * _DAY_MS,
)
POLICY = Topic(
    "signage.policy.v1",
    learning.PolicySnapshot,
    lambda e: f"{e.store_id}/{e.policy_id}",
    lambda e: event_id(e.store_id, e.policy_id, e.version, e.told_by, e.made_at_ms),
    0,
    compact=True,
    replay_ms=30 * _DAY_MS,
)
EXPERIMENT = Topic(
    "signage.experiment.v1",
    experiment.ExperimentPlan,
    lambda e: e.store_id,
    lambda e: event_id(e.experiment_id, e.store_id, e.approved_at_ms, e.stopped_at_ms or 0),
    0,
    compact=True,
)
PLAYLIST = Topic(
    "signage.playlist.v1",
    playlist.Playlist,
    lambda e: e.screen_id,
    lambda e: event_id(e.screen_id, e.version),
    0,
    compact=True,
)
PLAY = Topic(
    "signage.play.v1",
    signage.Play,
    lambda e: e.area_id,
    lambda e: event_id(e.play_id, e.phase),
    90 * _DAY_MS,
)
ATTENTION = Topic(
    "streams.attention.v1",
    attention.AttentionWindow,
    lambda e: e.target_id,
    lambda e: event_id(e.target_id, e.window_start_ms, e.window_end_ms, e.through_offset),
    30 * _DAY_MS,
)
EXPOSURE = Topic(
    "streams.exposure.v1",
    attention.Exposure,
    lambda e: e.screen_id,
    lambda e: event_id(e.play_id, e.through_offset),
    90 * _DAY_MS,
)
BASKET_METRICS = Topic(
    "streams.basket.v1",
    attention.BasketWindow,
    lambda e: e.store_id,
    lambda e: event_id(e.store_id, e.window_start_ms, e.arm, e.currency, e.through_offset),
    90 * _DAY_MS,
)

TOPICS: dict[str, Topic] = {
    topic.name: topic
    for topic in (
        GAZE,
        DWELL,
        AUDIENCE,
        CROSSING,
        BASKET,
        REFUSED,
        DOOR_COUNT,
        CONTENT,
        DECISION,
        CREATIVE,
        STOCK,
        PRICE,
        LAYOUT,
        POLICY,
        EXPERIMENT,
        PLAYLIST,
        PLAY,
        ATTENTION,
        EXPOSURE,
        BASKET_METRICS,
    )
}

#: The consumers that keep a dead-letter topic of their own, and for how long.
CONSUMERS = ("react", "measure", "sink")
DEAD_LETTER_RETENTION_MS = 7 * _DAY_MS


def dead_letter_topic(consumer: str) -> str:
    """The name of a consumer's dead-letter topic; its values are the original bytes.

    >>> dead_letter_topic("react")
    'react.dlq.v1'
    """
    return f"{consumer}.dlq.v1"


def topic_named(name: str) -> Topic:
    """The topic of that name. Raises UnknownTopicError."""
    try:
        return TOPICS[name]
    except KeyError:
        raise UnknownTopicError(name) from None
