"""The report of a run: one JSON object with fixed fields, read by other programs."""

from collections.abc import Iterable
from pathlib import Path

import msgspec
import numpy as np
from msgspec import Struct

from infra.errors import UserError


class CameraHealth(Struct, frozen=True, kw_only=True):
    """How a live camera fared; see `vision.cameras.supervised`."""

    state: str
    reconnects: int
    frames_dropped: int
    frames_broken: int
    frozen_s: float
    clock_jumps: int
    last_error: str


class CameraReport(Struct, frozen=True, kw_only=True):
    """What one camera did: frames captured and inferred, and inferred frames a second; of a live
    one, how it fared.
    """

    id: str
    frames_captured: int
    frames_inferred: int
    fps: float
    health: CameraHealth | None = None
    nudges: int = 0


class Events(Struct, frozen=True, kw_only=True):
    """Distinct events in the log: gaze and dwell by id with phase ended, attention by window."""

    gaze: int = 0
    dwell: int = 0
    audience: int = 0
    attention: int = 0
    baskets: int = 0


class Rows(Struct, frozen=True, kw_only=True):
    """Rows in the database."""

    gaze: int = 0
    dwell: int = 0
    attention: int = 0
    baskets: int = 0
    decisions: int = 0
    plays: int = 0


class Percentiles(Struct, frozen=True, kw_only=True):
    """Percentiles of `n` measurements; None where there are none."""

    p50: float | None
    p95: float | None
    p99: float | None
    n: int


class Latency(Struct, frozen=True, kw_only=True):
    """Milliseconds from the frame that completed a fixation to each later step."""

    capture_to_infer: Percentiles
    capture_to_event: Percentiles
    capture_to_decision: Percentiles
    capture_to_render: Percentiles


class Detector(Struct, frozen=True, kw_only=True):
    """Which weights ran."""

    name: str
    sha256: str


class Stay(Struct, frozen=True, kw_only=True):
    """An ended dwell, in seconds since the video's beginning; no track, no person."""

    zone_id: str
    begin_s: float
    end_s: float
    censored: bool


class GatewayStats(Struct, frozen=True, kw_only=True):
    """What a gateway leaves behind when it ends, for the report of the run."""

    cameras: list[CameraReport]
    detector: Detector
    frames_failed: int
    errors: list[str]


class Report(Struct, frozen=True, kw_only=True):
    """What a `demo` or a `run` did.

    `simulated` is true where a simulated store took part; `true_effect_on_baskets` is then what
    its screens do to its baskets. `stays` are listed for a video alone, for whoever holds them
    against what they see in it.
    """

    run_id: str
    seconds: float
    simulated: bool
    true_effect_on_baskets: float | None
    cameras: list[CameraReport]
    events: Events
    decisions: int
    content_changes: int
    plays: int
    plays_acknowledged: int
    database: Rows
    latency_ms: Latency
    dead_letters: int
    restarts: int
    seconds_to_first_content_change: float | None
    detector: Detector | None
    stays: list[Stay]
    errors: list[str]


def percentiles(values_ms: Iterable[float]) -> Percentiles:
    """The percentiles of `values_ms`.

    >>> percentiles([1.0, 2.0, 3.0]).p50
    2.0
    >>> percentiles([]).p50 is None
    True
    """
    values = np.fromiter(values_ms, dtype=float)
    if values.size == 0:
        return Percentiles(p50=None, p95=None, p99=None, n=0)
    p50, p95, p99 = (round(float(p), 1) for p in np.percentile(values, [50, 95, 99]))
    return Percentiles(p50=p50, p95=p95, p99=p99, n=int(values.size))


def write_report(report: Struct, path: Path, kept: Path | None = None) -> None:
    """Writes `report` as indented JSON. Raises UserError if the file cannot be written, which says
    where the same report is `kept`."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(msgspec.json.format(msgspec.json.encode(report), indent=2) + b"\n")
    except OSError as error:
        mend = "name another file" if kept is None else f"copy it from {kept}, where it is kept"
        raise UserError(
            f"the report {path} cannot be written ({error.strerror}); {mend}"
        ) from error
