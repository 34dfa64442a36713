"""The integer Laplace mechanism, exact: no floating point between the secret and the answer. Pure.

Reference: Canonne, Kamath and Steinke, The discrete Gaussian for differential privacy, 2020,
algorithms 1 and 2 (exact sampling of the discrete Laplace distribution from whole numbers).
"""

from collections.abc import Callable
from fractions import Fraction
from math import exp, log, sqrt

#: Returns a whole number from 0 to n - 1, all equally likely; in production `secrets.randbelow`.
Below = Callable[[int], int]


def integer_laplace(scale: Fraction, below: Below) -> int:
    """A draw from the discrete Laplace distribution: P(x) is proportional to exp(-|x| / scale)."""
    if scale <= 0:
        raise ValueError(f"the scale is {scale}, but must be positive")
    wide, narrow = scale.numerator, scale.denominator
    while True:
        part = below(wide)
        if not _with_exp(Fraction(part, wide), below):
            continue
        whole = 0
        while _with_exp(Fraction(1), below):
            whole += 1
        size = (part + wide * whole) // narrow
        negative = below(2) == 1
        if not (negative and size == 0):  # zero would come twice as often as it should
            return -size if negative else size


def _with_exp(gamma: Fraction, below: Below) -> bool:
    """True with probability exp(-gamma), for gamma from 0 to 1."""
    k = 1
    while below(gamma.denominator * k) < gamma.numerator:
        k += 1
    return k % 2 == 1


def standard_error(scale: Fraction) -> float:
    """The standard deviation of the noise.

    >>> round(standard_error(Fraction(8)), 2)
    11.31
    """
    p = exp(-1 / float(scale))
    return sqrt(2 * p) / (1 - p)


def error_bound(scale: Fraction, confidence: float = 0.95) -> int:
    """The noise is at most this large, either way, with that probability.

    >>> error_bound(Fraction(8))
    24
    """
    # P(|x| > b) = 2 p^(b + 1) / (1 + p), with p = exp(-1 / scale).
    p = exp(-1 / float(scale))
    bound = log((1 - confidence) * (1 + p) / 2) / log(p) - 1
    return max(0, -int(-bound // 1))


def threshold(scale: Fraction, delta: float) -> int:
    """A noised count below this is not published, so that a cell that only one visit made shows
    up with probability `delta` at the most.

    >>> threshold(Fraction(8), 1e-6) > 100
    True
    """
    # P(1 + x >= t) = p^(t - 1) / (1 + p) for t > 1.
    p = exp(-1 / float(scale))
    return 1 + max(1, -int(-(log(delta * (1 + p)) / log(p)) // 1))
