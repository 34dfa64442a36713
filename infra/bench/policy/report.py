"""What the policy benchmark says: one JSON object with fixed fields."""

from msgspec import Struct

from infra.bench.policy.logs import Offline


class Micros(Struct, frozen=True, kw_only=True):
    """Microseconds; `p99` where single calls were measured."""

    p50: float
    p99: float | None = None


class Played(Struct, frozen=True, kw_only=True):
    """A policy in the simulated store. `captured`: the mean over the seeds of (policy - random) /
    (best - random) over the last quarter; `by_seed` each. `rounds`: of each seed, fewer than asked
    for where there was no time for all.
    """

    captured: float
    least: float
    by_seed: list[float]
    seeds: int
    rounds: int
    decide_us: Micros
    learn_us: Micros


class PolicyReport(Struct, frozen=True, kw_only=True):
    """`smartstore bench policy`. All of it but `obd` is simulated. `forms`: what our bandit would
    capture without pooling, or with one regression for all creatives; `scales`: with another scale
    of gamma. `snapshot_us`: making a model of a new snapshot.
    """

    simulated: bool
    rounds: int
    seeds: int
    creatives: int
    features: int
    late_s: tuple[int, int]
    floor: float
    control_share: float
    snapshot_s: int
    goal: float
    reached: bool
    cores: int
    seconds: float
    ours: Played
    rotation: Played
    rule: Played
    river: Played | None
    vw: Played | None
    snapshot_us: float
    choose_us: Micros
    forms: dict[str, float]
    scales: dict[str, float]
    obd: list[Offline]
    errors: list[str]
