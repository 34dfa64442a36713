"""The Open Bandit logs: three campaigns of a fashion shop, each logged by a uniform policy and by
Thompson sampling (10,000 decisions each). What each would have earned, from the other's log.

Reference: Y. Saito et al., Open Bandit Dataset and Pipeline, NeurIPS 2021 Datasets and Benchmarks.
"""

import csv
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from streams.uplift.offpolicy import Estimate, Logged, cross_fitted, doubly_robust, ips, snips

CAMPAIGNS = ("all", "men", "women")

#: Clicks are rare (5 in 1,000): an item's own effect is held back by a hundred views of it.
_RIDGE = 100.0


class Figures(Struct, frozen=True, kw_only=True):
    """An estimate, its standard error and 95 % interval, and how many draws it is worth."""

    value: float
    error: float
    interval: tuple[float, float]
    ess: float
    holds_truth: bool


class Offline(Struct, frozen=True, kw_only=True):
    """A policy judged by another's log. `on_policy` is what it earned in its own log, the truth as
    far as 10,000 decisions tell it (`on_policy_error`).
    """

    campaign: str
    policy: str
    log: str
    decisions: int
    on_policy: float
    on_policy_error: float
    ips: Figures
    snips: Figures
    dr: Figures
    ess: float


@dataclass(frozen=True, slots=True)
class _Log:
    item: NDArray[np.int64]
    position: NDArray[np.int64]
    click: NDArray[np.float64]
    propensity: NDArray[np.float64]


def judged(data: Path) -> list[Offline]:
    """All campaigns, each policy by the other's log. `data` is the folder `obd` of the archive."""
    found = []
    for campaign in CAMPAIGNS:
        logs = {name: _read(data / name / campaign / f"{campaign}.csv") for name in _POLICIES}
        items = 1 + max(int(log.item.max()) for log in logs.values())
        # The uniform policy is known; of the other the mean probability by item and position is.
        sampled = _mean_probabilities(logs["bts"], items)
        uniform = np.full((3, items), 1.0 / items)
        found.append(_judge(campaign, "random", uniform, "bts", logs, items))
        found.append(_judge(campaign, "bts", sampled, "random", logs, items))
    return found


_POLICIES = ("random", "bts")


def _judge(
    campaign: str,
    policy: str,
    chances: NDArray[np.float64],
    by: str,
    logs: dict[str, _Log],
    items: int,
) -> Offline:
    log, own = logs[by], logs[policy]
    logged = Logged(log.item, log.click, log.propensity, chances[log.position])
    model = cross_fitted(_features(log, items), logged, _RIDGE)
    truth = float(own.click.mean())
    truth_error = float(own.click.std(ddof=1) / len(own.click) ** 0.5)
    estimates = [ips(logged), snips(logged), doubly_robust(logged, model)]
    first, second, third = (_figures(each, truth, truth_error) for each in estimates)
    return Offline(
        campaign=campaign,
        policy=policy,
        log=by,
        decisions=len(log.click),
        on_policy=round(truth, 6),
        on_policy_error=round(truth_error, 6),
        ips=first,
        snips=second,
        dr=third,
        ess=round(logged.ess, 1),
    )


def _figures(estimate: Estimate, truth: float, truth_error: float) -> Figures:
    low, high = estimate.interval
    # Both are measured: they agree where they are no further apart than 1.96 errors of the two.
    apart = abs(estimate.value - truth)
    return Figures(
        value=round(estimate.value, 6),
        error=round(estimate.error, 6),
        interval=(round(low, 6), round(high, 6)),
        ess=round(estimate.ess, 1),
        holds_truth=bool(apart <= 1.96 * (estimate.error**2 + truth_error**2) ** 0.5),
    )


def _mean_probabilities(log: _Log, items: int) -> NDArray[np.float64]:
    """(3, K): what the policy gave each item at each position, at the mean of the log; the few that
    it never showed share what is left.
    """
    given, seen = np.zeros((3, items)), np.zeros((3, items))
    np.add.at(given, (log.position, log.item), log.propensity)
    np.add.at(seen, (log.position, log.item), 1.0)
    chances = given / np.maximum(seen, 1.0)
    scaled: NDArray[np.float64] = chances / chances.sum(axis=1, keepdims=True)
    return scaled


def _features(log: _Log, items: int) -> NDArray[np.float64]:
    """One of K items and one of three positions: (n, K, K + 3)."""
    x = np.zeros((len(log.item), items, items + 3))
    arms = np.arange(items)
    x[:, arms, arms] = 1.0
    x[np.arange(len(log.item)), :, items + log.position] = 1.0
    return x


def _read(path: Path) -> _Log:
    with path.open(newline="") as lines:
        rows = list(csv.DictReader(lines))
    return _Log(
        np.array([int(row["item_id"]) for row in rows]),
        np.array([int(row["position"]) - 1 for row in rows]),
        np.array([float(row["click"]) for row in rows]),
        np.array([float(row["propensity_score"]) for row in rows]),
    )
