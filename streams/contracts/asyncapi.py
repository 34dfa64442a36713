# SPDX-License-Identifier: Apache-2.0
"""The AsyncAPI 3.0 document of all topics, generated from the registry; and who tells and reads
what, which it is made of.

Reference: https://www.asyncapi.com/docs/reference/specification/v3.0.0 and its Kafka bindings.
"""

import inspect
import json
from typing import Any

from streams.contracts import topics
from streams.contracts.topics import CONSUMERS, TOPICS, Topic, dead_letter_topic

#: What each of our processes sends and receives, by its command's name. `operator` is whoever
#: publishes snapshots; a till and a player may be a vendor's.
APPLICATIONS: dict[str, tuple[tuple[Topic, ...], tuple[Topic, ...]]] = {
    "gateway": ((topics.GAZE, topics.DWELL, topics.AUDIENCE, topics.CROSSING), ()),
    "till": ((topics.BASKET,), ()),
    "receipts": ((topics.BASKET, topics.REFUSED, topics.DOOR_COUNT), ()),
    "operator": (
        (
            topics.LAYOUT,
            topics.EXPERIMENT,
            topics.CREATIVE,
            topics.POLICY,
            topics.STOCK,
            topics.PRICE,
        ),
        (),
    ),
    "react": (
        (topics.CONTENT, topics.DECISION),
        (
            topics.GAZE,
            topics.AUDIENCE,
            topics.CONTENT,
            topics.PLAY,
            topics.CREATIVE,
            topics.POLICY,
            topics.EXPERIMENT,
            topics.STOCK,
            topics.PRICE,
        ),
    ),
    "learner": (
        (topics.POLICY,),
        (topics.DECISION, topics.EXPOSURE, topics.BASKET, topics.CREATIVE, topics.POLICY),
    ),
    "measure": (
        (topics.ATTENTION, topics.EXPOSURE, topics.BASKET_METRICS),
        (
            topics.GAZE,
            topics.DWELL,
            topics.AUDIENCE,
            topics.PLAY,
            topics.BASKET,
            topics.EXPERIMENT,
        ),
    ),
    "publisher": ((topics.PLAYLIST,), (topics.CREATIVE,)),
    "player": (
        (topics.PLAY,),
        (topics.CONTENT, topics.PLAYLIST, topics.CREATIVE, topics.PRICE),
    ),
    "web": (
        (),
        (topics.GAZE, topics.DWELL, topics.AUDIENCE, topics.CONTENT, topics.CREATIVE, topics.PLAY),
    ),
    "sink": (
        (),
        (
            topics.GAZE,
            topics.DWELL,
            topics.AUDIENCE,
            topics.CROSSING,
            topics.BASKET,
            topics.REFUSED,
            topics.DOOR_COUNT,
            topics.DECISION,
            topics.CREATIVE,
            topics.EXPERIMENT,
            topics.POLICY,
            topics.PLAY,
            topics.ATTENTION,
            topics.EXPOSURE,
            topics.BASKET_METRICS,
        ),
    ),
}

FILE = "asyncapi.json"

_JSON_SCHEMA = "application/schema+json;version=draft-2020-12"

_HEADERS = {
    "type": "object",
    "required": ["ce_specversion", "ce_id", "ce_source", "ce_type", "content-type"],
    "properties": {
        "ce_specversion": {"const": "1.0"},
        "ce_id": {"type": "string", "description": "With ce_source the key that tells a repeat."},
        "ce_source": {"type": "string"},
        "ce_type": {"type": "string", "description": "The topic's name."},
        "content-type": {"const": "application/json"},
    },
}


def document(version: str) -> dict[str, Any]:
    """The whole document; the values' schemas are the files beside it."""
    return {
        "asyncapi": "3.0.0",
        "info": {
            "title": "smartstore",
            "version": version,
            "description": (
                "Shelf cameras, signage and tills on Kafka. Keys are plain UTF-8, values JSON, "
                "headers CloudEvents 1.0 in Kafka's binary mode; times are UTC epoch "
                "milliseconds. What a consumer gives up on goes to <consumer>.dlq.v1: the "
                "original bytes, with exception, reason, topic, partition and offset as headers."
            ),
            "license": {"name": "Apache-2.0"},
        },
        "defaultContentType": "application/json",
        "servers": {"kafka": {"host": "127.0.0.1:9092", "protocol": "kafka"}},
        "channels": {
            **{name: _channel(topic) for name, topic in TOPICS.items()},
            **{dead_letter_topic(name): _dead_letters(name) for name in CONSUMERS},
        },
        "operations": _operations(),
        "components": {
            "messages": {topic.struct.__name__: _message(topic) for topic in TOPICS.values()}
        },
    }


def asyncapi_file(version: str) -> str:
    """The text of the document, ready to be written or compared."""
    return json.dumps(document(version), indent=2, sort_keys=True) + "\n"


def told_by(topic: Topic) -> list[str]:
    """The applications that send to a topic."""
    return [name for name, (sends, _) in APPLICATIONS.items() if topic in sends]


def read_by(topic: Topic) -> list[str]:
    """The applications that read a topic."""
    return [name for name, (_, receives) in APPLICATIONS.items() if topic in receives]


def summary(topic: Topic) -> str:
    """What a topic's value is, from its struct's docstring."""
    return inspect.getdoc(topic.struct) or topic.struct.__name__


def _channel(topic: Topic) -> dict[str, Any]:
    name = topic.struct.__name__
    return {
        "address": topic.name,
        "description": summary(topic),
        "messages": {name: {"$ref": f"#/components/messages/{name}"}},
        "bindings": {
            "kafka": {
                "partitions": topic.partitions,
                "topicConfiguration": {
                    "cleanup.policy": topic.config["cleanup.policy"].split(","),
                    **({"retention.ms": topic.retention_ms} if topic.retention_ms > 0 else {}),
                },
                "bindingVersion": "0.5.0",
            }
        },
    }


def _dead_letters(consumer: str) -> dict[str, Any]:
    return {
        "address": dead_letter_topic(consumer),
        "description": f"What {consumer} could not decode or handle, with the reason.",
        "bindings": {
            "kafka": {
                "topicConfiguration": {
                    "cleanup.policy": ["delete"],
                    "retention.ms": topics.DEAD_LETTER_RETENTION_MS,
                },
                "bindingVersion": "0.5.0",
            }
        },
    }


def _message(topic: Topic) -> dict[str, Any]:
    return {
        "name": topic.struct.__name__,
        "contentType": "application/json",
        "headers": _HEADERS,
        "payload": {"schemaFormat": _JSON_SCHEMA, "schema": {"$ref": f"./{topic.name}.json"}},
        "bindings": {"kafka": {"key": {"type": "string"}, "bindingVersion": "0.5.0"}},
    }


def _operations() -> dict[str, Any]:
    found: dict[str, Any] = {}
    for application, (sends, receives) in APPLICATIONS.items():
        for action, used in (("send", sends), ("receive", receives)):
            for topic in used:
                found[f"{application}.{action}.{topic.name}"] = {
                    "action": action,
                    "channel": {"$ref": f"#/channels/{topic.name}"},
                    "tags": [{"name": application}],
                }
    return found
