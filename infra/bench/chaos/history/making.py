"""A seeded history of a store, and how it arrives: shuffled, repeated, delayed, corrupted, with
clocks that are wrong. Pure: when a message is to be sent is told in ms since the beginning.
"""

import random
from dataclasses import dataclass

from infra.bench.chaos.history.arriving import hurt
from infra.bench.chaos.history.people import heartbeats, people
from infra.bench.chaos.history.screens import plays, tills
from infra.bench.chaos.history.sending import Message, messages
from infra.bench.chaos.history.store import AREAS, STORE, Story, layout
from streams.contracts.layout import StoreLayout


@dataclass(frozen=True, slots=True)
class History:
    """All messages in the order in which they are sent, and their store."""

    layout: StoreLayout
    messages: tuple[Message, ...]


def history(
    *,
    seed: int,
    start_ms: int,
    length_ms: int,
    events_per_s: float,
    lateness_ms: int,
    store_id: str = STORE,
) -> History:
    """`events_per_s`: about so many events a second of the store, before anything is repeated."""
    draw = random.Random(seed)  # noqa: S311 - a simulation, no secret
    story = Story(draw, start_ms, length_ms, f"{store_id}-{seed}", store_id)
    for area in range(AREAS):
        people(story, area, events_per_s / AREAS)
        plays(story, area)
        heartbeats(story, area)
    tills(story)
    arriving = hurt(messages(story), draw, lateness_ms)
    return History(layout(store_id), tuple(sorted(arriving, key=lambda message: message.at_ms)))
