# SPDX-License-Identifier: Apache-2.0
"""Bytes to structs and back: JSON values, CloudEvents 1.0 headers (Kafka binary mode).

Reference: CloudEvents Kafka protocol binding, https://github.com/cloudevents/spec (ce_ headers).
"""

from functools import lru_cache
from typing import Any

import msgspec
from msgspec import Struct

from streams.contracts.errors import UndecodableError
from streams.contracts.topics import TOPICS, Topic, topic_named

#: Kafka's own default limit of a message (`message.max.bytes` is 1 MiB and some).
MAX_MESSAGE_BYTES = 1_048_576

_ENCODER = msgspec.json.Encoder()
_DECODERS: dict[str, msgspec.json.Decoder[Any]] = {
    name: msgspec.json.Decoder(topic.struct) for name, topic in TOPICS.items()
}

Headers = list[tuple[str, bytes]]

_SPECVERSION = ("ce_specversion", b"1.0")
_CONTENT_TYPE = ("content-type", b"application/json")


def encode(event: Struct) -> bytes:
    """The event as JSON bytes."""
    return _ENCODER.encode(event)


def decode(topic: str, value: bytes | None) -> Any:
    """The event in a message of `topic`.

    Raises:
        UnknownTopicError: no such topic.
        UndecodableError: empty, too large, no JSON, or not the topic's struct.
    """
    decoder = _DECODERS.get(topic)
    if decoder is None:
        topic_named(topic)
        raise AssertionError("a registered topic has a decoder")
    if value is None:
        raise UndecodableError(topic, 0, "the value is empty")
    if len(value) > MAX_MESSAGE_BYTES:
        raise UndecodableError(topic, len(value), f"larger than {MAX_MESSAGE_BYTES} bytes")
    try:
        return decoder.decode(value)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise UndecodableError(topic, len(value), str(error)) from error


def headers(topic: Topic, event: Struct, source: str) -> Headers:
    """CloudEvents headers of `event`; `source` and id together tell a repeat."""
    return [
        _SPECVERSION,
        ("ce_id", topic.identity(event).encode()),
        *_of_all(topic.name, source),
        _CONTENT_TYPE,
    ]


@lru_cache(maxsize=1_000)
def _of_all(name: str, source: str) -> tuple[tuple[str, bytes], tuple[str, bytes]]:
    """The headers that all messages of a topic by one source share."""
    return ("ce_source", source.encode()), ("ce_type", name.encode())


def record(topic: Topic, event: Struct, source: str) -> dict[str, Any]:
    """The keyword arguments of a producer's `send` for `event`: topic, key, value, headers."""
    return {
        "topic": topic.name,
        "key": topic.key(event).encode(),
        "value": encode(event),
        "headers": headers(topic, event, source),
    }
