"""The attention job on Quix Streams with its own idiom: events one by one (`expand`), what is known
of each event and the sums of each window in Quix' state (RocksDB, with a changelog).

Simpler than the windows that the others share: no lateness, no revision of what left the state, a
gaze that ends replaces what its start told in the window in which it began.
"""

from typing import Any

from quixstreams import Application, State, message_context

from infra.bench.peers.job import OUTPUT, WINDOW_MS, Progress, Task, facts_of


def main(task: Task) -> None:
    """Until all messages are handled."""
    app = Application(
        broker_address=task.kafka,
        consumer_group=task.group,
        auto_offset_reset="earliest",
        state_dir=task.state,
        commit_interval=1.0,
        loglevel="WARNING",
    )
    progress = Progress(task)
    output = app.topic(OUTPUT, key_serializer="str", value_serializer="json")
    for name in task.topics:
        _table(app, name, progress, output)
    app.run()


def _table(app: Application, name: str, progress: Progress, output: Any) -> None:
    topic = app.topic(name, key_deserializer="str", value_deserializer="bytes")

    def expand(value: bytes, _key: Any, timestamp_ms: int, _headers: Any) -> Any:
        if progress.handled(name):
            app.stop()
        return facts_of(name, message_context().offset, value, timestamp_ms)

    rows = app.dataframe(topic).apply(expand, metadata=True, expand=True)
    rows = rows.apply(_count, stateful=True).filter(lambda row: row is not None)
    rows.to_topic(output, key=lambda row: row["target_id"])


def _count(fact: Any, state: State) -> dict[str, Any] | None:
    """The row of the window in which a fact began, where it changed."""
    name = f"{fact.kind}/{fact.fact_id}"
    rank, had_ms = state.get(name, (None, 0))
    if rank is not None and tuple(rank) >= fact.rank:
        return None
    amount_ms = fact.amount_ms or 0
    state.set(name, (fact.rank, amount_ms))
    start_ms = fact.start_ms - fact.start_ms % WINDOW_MS
    window = f"{fact.target_id}/{start_ms}"
    sums = state.get(window, {"gaze": 0, "dwell": 0, "presence": 0, "count": 0})
    sums[fact.kind] += amount_ms - had_ms
    sums["count"] += rank is None
    state.set(window, sums)
    return {"target_id": fact.target_id, "window_start_ms": start_ms, **sums}


if __name__ == "__main__":
    main(Task.given())
