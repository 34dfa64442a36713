# SPDX-License-Identifier: Apache-2.0
"""Field types and the trace that every event shares. Standard library and msgspec alone."""

from typing import Annotated

from msgspec import Meta, Struct

#: An identifier on the wire. Bounded, so that a broken producer cannot fill memory with names.
Id = Annotated[str, Meta(min_length=1, max_length=128)]

#: UTC epoch milliseconds. 4102444800000 is the year 2100: later stamps are a broken clock.
TimeMs = Annotated[int, Meta(ge=0, le=4_102_444_800_000)]

#: A length of time in milliseconds.
DurationMs = Annotated[int, Meta(ge=0)]

#: A count of people or things.
Count = Annotated[int, Meta(ge=0)]

#: A probability.
Probability = Annotated[float, Meta(ge=0.0, le=1.0)]

#: A length in metres.
Metres = Annotated[float, Meta(ge=0.0, le=1_000.0)]

#: An angle in degrees, either way round.
Degrees = Annotated[float, Meta(ge=-360.0, le=360.0)]

#: Text that people read.
Sentence = Annotated[str, Meta(max_length=500)]


class Trace(Struct, frozen=True, kw_only=True):
    """Where an effect came from: carried from gaze to content to play, so that the time from
    glass to glass is measured and not inferred.

    `cause_id` is the id of the event that began it (a `gaze_id`, a `dwell_id`);
    `captured_at_ms` the event time of the frame that completed it; `inferred_at_ms` and
    `sent_at_ms` the gateway's clock when the detections came back and when the event left.
    """

    cause_id: Id
    captured_at_ms: TimeMs
    inferred_at_ms: TimeMs
    sent_at_ms: TimeMs
