"""What `bench stream` reports. Every rate is of events or messages in one second of processor time,
user and system of all threads of the one process that is measured, in its steady state.
"""

import math
from collections.abc import Sequence

from msgspec import Struct

#: The goals, beside which the figures are printed.
GOAL_EVENTS_PER_CPU_S = 70_000
GOAL_RATIO_TO_QUIX = 0.5
GOAL_P99_MS = 50.0
GOAL_EXPONENT = 1.05


class Speed(Struct, frozen=True, kw_only=True):
    """One program's rates; the median of its runs. `p99_ms_at_half`: from the log to the output
    at half of the top rate, where it was measured.
    """

    events_per_cpu_s: int
    messages_per_cpu_s: int
    p99_ms_at_half: float | None = None
    p50_ms_at_half: float | None = None
    rate_at_half_events_per_s: int | None = None


class ByBatch(Struct, frozen=True, kw_only=True):
    """The same job on messages of `events_per_message` gazes or dwells, without heartbeats."""

    events_per_message: int
    ours: Speed
    quix: Speed
    aiokafka: Speed
    confluent: Speed


class Growth(Struct, frozen=True, kw_only=True):
    """Processor time of all workers for one camera and one second of its events, in seconds, and
    what the windows of one area hold in memory. `idle_cpu`: what the workers need each second while
    nothing comes: mostly asking a broker that answers at once; part of it is in `cpu_per_camera`.
    """

    cameras: int
    workers: int
    cpu_per_camera: float
    idle_cpu: float
    state_bytes_per_area: int


class StreamReport(Struct, frozen=True, kw_only=True):
    """The figures. `events_per_message` is that of the gateways' own messages (`ours` and beside);
    an event is a gaze or a dwell that begins or ends, a presence, or a heartbeat. `quix` is the
    faster of two ways, `quix_way` says which; `quix_states` is the way with Quix' own state.
    """

    ours: Speed
    quix: Speed
    aiokafka: Speed
    confluent: Speed
    ratio_to_quix: float
    events_per_message: float
    by_batch: tuple[ByBatch, ...]
    growth: tuple[Growth, ...]
    growth_exponent: float | None
    emit_interval_ms: int
    quix_states: Speed
    quix_way: str
    cameras: int
    people_per_camera: int
    load_before: float
    versions: dict[str, str]


def exponent(rows: Sequence[Growth]) -> float | None:
    """How the processor time of one worker grows with the cameras: the slope of the logarithms.

    >>> rows = [
    ...     Growth(cameras=n, workers=1, cpu_per_camera=0.5, idle_cpu=0.0, state_bytes_per_area=1)
    ...     for n in (10, 100)
    ... ]
    >>> exponent(rows)
    1.0
    """
    points = [
        (math.log(row.cameras), math.log(row.cameras * row.cpu_per_camera))
        for row in rows
        if row.workers == 1
    ]
    if len(points) < 2:
        return None
    mean_x = sum(x for x, _ in points) / len(points)
    mean_y = sum(y for _, y in points) / len(points)
    above = sum((x - mean_x) * (y - mean_y) for x, y in points)
    return round(above / sum((x - mean_x) ** 2 for x, _ in points), 3)
