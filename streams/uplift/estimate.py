"""How much more: the effect of the adaptive arm, intention to treat, with its standard error. Pure.

The estimand is the ratio of arithmetic means: what a basket of the adaptive arm is worth by what
one of the control arm is (for a product: its sales a minute), less one. Amounts are heavy-tailed,
so the mean of logarithms would be far more precise, and would answer another question: the ratio of
geometric means, which no till pays out.

A unit counts for the arm that it was drawn into, whatever its screens then did. What was drawn are
slots, so slots are the clusters: baskets of one slot may resemble each other as they like. With
n slots, n_a of arm a, V and N amount and base, R_a = ΣV/ΣN in arm a:

    θ = log R_1 - log R_0
    ψ = ± (n / n_a) (V - R_a N) / (ΣV/n_a)      influence of a slot on θ; + in the adaptive arm
    θ* = θ - βᵀ(x̄_1 - x̄_0)                      β: regression of ψ on ± (n / n_a)(x - x̄)
    se² = (Σψ² - βᵀΣcψ) / n² · n / (n - 2 - k)  k covariates

Covariates x are known before the draw, so that adjusting cannot bias and can only sharpen; with one
covariate this is CUPED (Deng, Xu, Kohavi and Walker, WSDM 2013), with several the regression of Lin
(Annals of Applied Statistics 2013) with the best single slope. All of it follows from the moments.
"""

from dataclasses import dataclass

import numpy as np

from streams.uplift.moments import AMOUNT, BASE, FIRST_COVARIATE, ONE, Floats, Moments

#: Asymptotic normality is not claimed below so many slots in either arm.
FEWEST_SLOTS = 40

#: Covariates that say the same thing are told apart no better than this (relative eigenvalue).
_SINGULAR = 1e-10


@dataclass(frozen=True, slots=True)
class Effects:
    """Estimates over any leading axes: `log_ratio` θ*, its `variance`, and `slots` n.

    NaN where an arm has too few slots, or an amount that is not positive.
    """

    log_ratio: Floats
    variance: Floats
    slots: Floats

    @property
    def per_slot(self) -> Floats:
        """The standard deviation of one slot's influence: √(n · variance)."""
        sigma: Floats = np.sqrt(self.slots * self.variance)
        return sigma

    @property
    def change(self) -> Floats:
        """The effect as a share: 0.05 is 5 % more."""
        share: Floats = np.expm1(self.log_ratio)
        return share


def effects(of: Moments, fewest: int = FEWEST_SLOTS) -> Effects:
    """The effect from moments of shape (..., 2, d, d), adjusted for all covariates in them."""
    with np.errstate(divide="ignore", invalid="ignore"):
        return _effects(of, fewest)


def _effects(of: Moments, fewest: int) -> Effects:
    off, on = of.by_arm[..., 0, :, :], of.by_arm[..., 1, :, :]
    n_off, n_on = off[..., ONE, ONE], on[..., ONE, ONE]
    n = n_off + n_on
    log_ratio = np.log(of.ratios[..., 1]) - np.log(of.ratios[..., 0])
    g_off, g_on = -_influence(off, n), _influence(on, n)
    spread = _form(g_off, off, g_off) + _form(g_on, on, g_on)
    k = of.covariates
    if k:
        means = (off[..., ONE, FIRST_COVARIATE:] + on[..., ONE, FIRST_COVARIATE:]) / n[..., None]
        centred = _centring(means)
        h_off = -centred * (n / n_off)[..., None, None]
        h_on = centred * (n / n_on)[..., None, None]
        c_psi = (h_off @ off @ g_off[..., None] + h_on @ on @ g_on[..., None])[..., 0]
        c_c = h_off @ off @ _transposed(h_off) + h_on @ on @ _transposed(h_on)
        slope = _solve(c_c, c_psi)
        apart = (
            on[..., ONE, FIRST_COVARIATE:] / n_on[..., None]
            - off[..., ONE, FIRST_COVARIATE:] / n_off[..., None]
        )
        log_ratio = log_ratio - (slope * apart).sum(axis=-1)
        spread = spread - (slope * c_psi).sum(axis=-1)
    variance = np.maximum(spread, 0.0) / n / np.maximum(n - 2 - k, 1.0)
    enough = (n_off >= fewest) & (n_on >= fewest) & (n > 2 + k) & np.isfinite(log_ratio)
    return Effects(np.where(enough, log_ratio, np.nan), np.where(enough, variance, np.nan), n)


def _influence(arm: Floats, n: Floats) -> Floats:
    """g with ψ = gᵀz, (..., d), for the slots of one arm."""
    total, base = arm[..., ONE, AMOUNT], arm[..., ONE, BASE]
    g = np.zeros(arm.shape[:-1])
    g[..., AMOUNT] = n / total
    g[..., BASE] = -n / base
    return g


def _centring(means: Floats) -> Floats:
    """H with Hz = x - x̄, (..., k, d)."""
    k = means.shape[-1]
    h = np.zeros((*means.shape, FIRST_COVARIATE + k))
    h[..., ONE] = -means
    h[..., np.arange(k), FIRST_COVARIATE + np.arange(k)] = 1.0
    return h


def _solve(matrix: Floats, right: Floats) -> Floats:
    """The least-squares solution, (..., k); what is constant or said twice gets no slope."""
    scale = np.sqrt(np.maximum(np.diagonal(matrix, axis1=-2, axis2=-1), 0.0))
    scale = np.where((scale > 0.0) & np.isfinite(scale), scale, 1.0)
    safe = np.nan_to_num(matrix / scale[..., :, None] / scale[..., None, :])
    inverse = np.linalg.pinv(safe, rcond=_SINGULAR, hermitian=True)
    slope: Floats = (inverse @ np.nan_to_num(right / scale)[..., None])[..., 0] / scale
    return slope


def _form(left: Floats, matrix: Floats, right: Floats) -> Floats:
    """leftᵀ matrix right over leading axes."""
    value: Floats = (left[..., None, :] @ matrix @ right[..., None])[..., 0, 0]
    return value


def _transposed(matrix: Floats) -> Floats:
    return np.swapaxes(matrix, -1, -2)
