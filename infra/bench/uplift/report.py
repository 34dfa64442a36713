"""What `bench uplift` reports: one JSON object with fixed fields, read by other programs."""

from msgspec import Struct


class Days(Struct, frozen=True, kw_only=True):
    """Days until the sequence excluded no effect, of the experiments in which it did: the median,
    and the day on which 80 % of all experiments had it; None where that was never.
    """

    p50: float | None
    p80_of_all: int | None


class EffectReport(Struct, frozen=True, kw_only=True):
    """One simulated truth, one outcome, many experiments, looked at daily.

    `coverage`: the interval held the truth at every look. `coverage_floor`: 95 % less two standard
    errors of this many experiments. `discoveries`: no effect was excluded at some look. `power`:
    the same, in at most 1.5 times `oracle_days` (by the last day, where there are none).
    `oracle_days`: those of a t-test that knows the effect, compares each store with itself and is
    looked at once, on the day on which it has a power of 80 %. `oracle_plain_days`: the same where
    stores are thrown together; `oracle_adjusted_days`: with all our covariates.
    `plain_sequence_days`: 80 % by the sequence that compares stores with themselves and knows no
    more. `naive_daily_t_discoveries`: a t-test at 5 % looked at every day from the seventh on.
    """

    store: str
    outcome: str
    true_effect: float
    experiments: int
    looked_at_days: int
    coverage: float
    coverage_floor: float
    discoveries: float
    power: float
    days: Days
    oracle_days: int | None
    oracle_plain_days: int | None
    oracle_adjusted_days: int | None
    plain_sequence_days: int | None
    days_by_oracle_days: float | None
    naive_daily_t_discoveries: float
    median_estimate: float


class Injection(Struct, frozen=True, kw_only=True):
    """An effect put into the real panel's baskets, and what was found: the estimate of one draw of
    the arms with its interval, and over many draws the mean and the coverage.
    """

    injected: float
    recovered: float
    interval: tuple[float, float]
    answer: str
    draws: int
    mean_recovered: float
    coverage: float
    discoveries: float


class PanelReport(Struct, frozen=True, kw_only=True):
    """The real panel. `naive_ratio`: mean value of the baskets with a displayed item by that of the
    others; `shuffled_ratio`: the same after the flags were shuffled among the items. Neither is an
    effect. `injected` and what follows are of +5 %.
    """

    baskets: int
    stores: int
    naive_ratio: float
    shuffled_ratio: float
    injected: float
    recovered: float
    interval: tuple[float, float]
    injections: list[Injection]


class UpliftReport(Struct, frozen=True, kw_only=True):
    """The whole bench; `planned_days` is what the plan foretold for +5 % from the time before."""

    seed: int
    seconds: float
    stores: int
    baskets_per_store_and_day: float
    slots_per_day: int
    adaptive_share: float
    planned_days: float
    planned_fixed_days: float
    effects: list[EffectReport]
    product_moves: list[EffectReport]
    panel: PanelReport | None
