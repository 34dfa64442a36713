"""Intervals that hold however often one looks: asymptotic confidence sequences. Pure.

The boundary is Robbins' normal mixture in the form of Waudby-Smith, Arbour, Sinha, Kennedy and
Ramdas, "Time-uniform central limit theory and asymptotic confidence sequences" (Annals of
Statistics 52(6), 2024; arXiv 2103.06476, theorem 2.2, and proposition 2.5 for effects that change
with time): after n slots whose influence has the standard deviation s, the truth is within (r, a:
rho and alpha)

    effect ± s √( 2 (n r² + 1) / (n² r²) · log( √(n r² + 1) / a ) )

at all n at once with a probability that tends to 1 - a as the first look is taken later. r sets
where it is tightest; it must be fixed before the start. The matching e-value is

    E = (n r² + 1)^(-1/2) · exp( r² n² effect² / (2 s² (n r² + 1)) ); no effect is outside: E > 1/a
"""

import math

import numpy as np

from streams.uplift.moments import Floats

#: What is promised throughout: 95 %.
ALPHA = 0.05


def tuned(slots: float, alpha: float = ALPHA) -> float:
    """rho² for which the interval is tightest after `slots`.

    The width is least where v = n rho² solves v = log(1 + v) - 2 log(alpha).

    >>> round(1000 * tuned(1000), 2)
    8.21
    """
    v = log = -2.0 * math.log(alpha)
    for _ in range(50):
        v = log + math.log1p(v)
    return v / slots


def half_width(sigma: Floats, slots: Floats, rho2: float, alpha: float = ALPHA) -> Floats:
    """Half the width of the sequence after `slots`, in the units of `sigma`.

    >>> wide = half_width(np.array(1.0), np.array([100.0, 1000.0]), tuned(1000))
    >>> [round(float(w), 3) for w in wide]
    [0.382, 0.096]
    """
    with np.errstate(divide="ignore", invalid="ignore"):
        v = slots * rho2
        width: Floats = sigma * np.sqrt(
            2.0 * (v + 1.0) / (v * slots) * (0.5 * np.log(v + 1.0) - math.log(alpha))
        )
    return width


def e_value(effect: Floats, sigma: Floats, slots: Floats, rho2: float) -> Floats:
    """The evidence against no effect; its inverse is a p-value that may be looked at any time."""
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        v = slots * rho2
        z2 = slots * (effect / sigma) ** 2
        e: Floats = np.exp(np.minimum(0.5 * z2 * v / (v + 1.0), 700.0)) / np.sqrt(v + 1.0)
    return e


def slots_until(
    width: float, sigma: float, rho2: float, alpha: float = ALPHA, margin: float = 0.0
) -> float:
    """After how many slots the half width and `margin` standard errors are below `width`.

    `margin` 0.84 asks that an effect of `width` would be found with 80 %. Infinite where the noise
    is not known.

    >>> round(slots_until(0.1, 1.0, tuned(1000)))
    922
    """
    if not (math.isfinite(sigma) and sigma > 0.0 and width > 0.0):
        return math.inf
    low, high = 1.0, 2.0

    def wide(slots: float) -> float:
        half = float(half_width(np.array(sigma), np.array(slots), rho2, alpha))
        return half + margin * sigma / math.sqrt(slots)

    while wide(high) > width:
        low, high = high, 2.0 * high
    for _ in range(60):
        middle = math.sqrt(low * high)
        low, high = (middle, high) if wide(middle) > width else (low, middle)
    return high
