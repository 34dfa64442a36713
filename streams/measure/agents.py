"""The agents of `measure`: each record goes to the measurer, one at a time."""

from time import perf_counter
from typing import Any

import faust

from streams.bundles import taken
from streams.faust_app import bytes_topic
from streams.measure.measurer import ATTENTION_TOPICS, BASKET_TOPICS, Measurer
from streams.metrics import Handled

#: What the processor reads.
TOPICS = (*ATTENTION_TOPICS, *BASKET_TOPICS)


def attach(app: faust.App, measurer: Measurer, handled: Handled) -> None:
    """Gives `app` an agent for each topic; what they did is noted in `handled`."""
    for name in TOPICS:
        _attach(app, measurer, handled, name)


def _attach(app: faust.App, measurer: Measurer, handled: Handled, name: str) -> None:
    # One at a time: with more, Faust commits past messages that are still in hand.
    @app.agent(bytes_topic(app, name), name=f"measure.{name}", concurrency=1)
    async def agent(stream: Any) -> None:
        async for event in stream.events():
            began_s = perf_counter()
            for record in taken(event.message):
                error = measurer.take(record)
                if error is not None:
                    await measurer.bury(record, error)
                ended_s = perf_counter()
                handled.note(name, ended_s - began_s, buried=error is not None)
                began_s = ended_s
