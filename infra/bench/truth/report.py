"""What `bench truth` reports: one JSON object with fixed fields, read by other programs.

All of it is of the simulated store, and says so. A figure that nothing was measured for is null.
"""

from typing import Literal

from msgspec import Struct


class Watchers(Struct, frozen=True, kw_only=True):
    """Of the true watchers the share that was told, and of those told the share that was one."""

    recall: float | None
    precision: float | None


class Errors(Struct, frozen=True, kw_only=True):
    """Relative errors of a time: quantiles over `count` pairs of shopper and target, of which
    nothing was told for the share `missed` (an error of 1)."""

    p50: float | None
    p90: float | None
    count: int
    missed: float | None


class ReliabilityBin(Struct, frozen=True, kw_only=True):
    """Probabilities in one tenth of 0 to 1: how many, their mean, and the share that was right."""

    count: int
    said: float
    right: float


class Zones(Struct, frozen=True, kw_only=True):
    """How well the zone that is looked at is told, picture by picture.

    `ece`: expected calibration error of the most probable target of each picture with a face,
    whatever the shopper looks at; `reliability` are its bins. The others are of pictures in which a
    shopper looks at a zone from within its floor, by distance from the shelf in metres ("1.0":
    nearest to 1 m): the share for which a zone was named (probability of `named_from` or more), the
    right ones among the named, and the share for which the most probable was right at all.
    """

    ece: float | None
    ece_all_targets: float | None
    named_from: float
    right_when_named: dict[str, float | None]
    share_named: dict[str, float | None]
    right: dict[str, float | None]
    right_overall: float | None
    face_found: float | None
    pictures: dict[str, int]
    reliability: list[ReliabilityBin]


class Delay(Struct, frozen=True, kw_only=True):
    """From the beginning of a true look to its event: event time of the picture that told it, plus
    its inference as measured. `told`: the share of looks that had an event of their own."""

    p50: float | None
    p95: float | None
    told: float | None
    looks: int


class Figures(Struct, frozen=True, kw_only=True):
    """The figures of one group of shoppers."""

    shoppers: int
    watchers: Watchers
    dwell_time_error: Errors
    attention_time_error: Errors
    ece: float | None
    right_when_named: float | None
    share_named: float | None
    glance_to_event_p50_ms: float | None


class Rate(Struct, frozen=True, kw_only=True):
    """The same pictures at another rate, everything else as it is."""

    fps: float
    watchers: Watchers
    dwell_time_error: Errors
    attention_time_error: Errors
    identity_switches_per_hour: float
    glance_to_event_ms: Delay


class Named(Struct, frozen=True, kw_only=True):
    """The configuration that was measured."""

    name: str
    model: str
    input_size_px: int
    fps: float
    picture: str
    cameras: int


class Goal(Struct, frozen=True, kw_only=True):
    """A goal, what was found, and whether that meets it."""

    figure: str
    wanted: str
    found: float | None
    met: bool


class TruthReport(Struct, frozen=True, kw_only=True):
    """The whole bench. Watchers, dwell and attention are counted by pair of shopper and target.

    `watchers_of_anything` and the `_by_shopper` errors take all targets of a shopper together.
    `unmatched_tracks`: tracks that are nobody's, `unmatched_shoppers`: shoppers without a track.
    """

    simulated: Literal[True] = True
    configuration: Named
    watchers: Watchers
    dwell_time_error: Errors
    attention_time_error: Errors
    ots_error: float | None
    zone: Zones
    identity_switches_per_hour: float
    glance_to_event_ms: Delay
    shoppers: int
    minutes: float
    detector: str
    by_group: dict[str, dict[str, Figures]]
    watchers_of_anything: Watchers
    dwell_time_error_of_watchers: Errors
    dwell_time_error_by_shopper: Errors
    attention_time_error_by_shopper: Errors
    dwell_time_bias: float | None
    attention_time_bias: float | None
    unmatched_shoppers: int
    unmatched_tracks: int
    stitched: int
    staff_excluded: int
    by_frame_rate: list[Rate]
    goals: list[Goal]
    goals_met: bool
    seeds: dict[str, int]
    tuning_seeds: list[int]
    scored_on_a_tuning_seed: bool
    weights_sha256: str
    inference_ms_p50: float | None
    frames: int
    measured_at: str
    seconds: float
    versions: dict[str, str]
