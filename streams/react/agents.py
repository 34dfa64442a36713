"""The agents of `react`: each record of gaze and audience goes to the reactor, one at a time."""

from time import perf_counter
from typing import Any

import faust

from streams.bundles import taken
from streams.contracts.topics import AUDIENCE, GAZE
from streams.faust_app import bytes_topic
from streams.metrics import Handled
from streams.react.reactor import Reactor

#: What the processor reads; all of it is keyed by area.
TOPICS = (GAZE.name, AUDIENCE.name)


def attach(app: faust.App, reactor: Reactor, handled: Handled) -> None:
    """Gives `app` an agent for each topic; what they did is noted in `handled`."""
    for name in TOPICS:
        _attach(app, reactor, handled, name)


def _attach(app: faust.App, reactor: Reactor, handled: Handled, name: str) -> None:
    # One at a time: with more, Faust commits past messages that are still in hand.
    @app.agent(bytes_topic(app, name), name=f"react.{name}", concurrency=1)
    async def agent(stream: Any) -> None:
        async for event in stream.events():
            for record in taken(event.message):
                began_s = perf_counter()
                good = await reactor.on_record(record)
                handled.note(name, perf_counter() - began_s, buried=not good)
