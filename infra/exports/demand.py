"""The demand signal: how many visits each zone and category had on a day, with differential privacy
for each visit. Pure.

A visit (one track, which dies within minutes) is clipped to `MOST_CELLS` cells and counts at most
once in each, so adding or removing one visit changes the table by at most `MOST_CELLS` in all: the
sensitivity of the counts. Integer Laplace noise of scale `MOST_CELLS / epsilon` on the counts makes
the counts epsilon-differentially private; leaving out noised counts below a threshold keeps the
cells that hardly anybody visited from showing that they exist (delta).
"""

from collections import Counter, defaultdict
from collections.abc import Hashable, Iterable, Mapping
from dataclasses import dataclass
from fractions import Fraction
from hashlib import sha256

from infra.exports.noise import Below, error_bound, integer_laplace, standard_error, threshold

#: A visit counts in no more cells than this: more would need more noise for everybody.
MOST_CELLS = 8

#: The chance that a cell of one single visit shows up at all.
DELTA = 1e-6


@dataclass(frozen=True, slots=True, order=True)
class Cell:
    """A zone and the category that lies in it, on one day of the store's calendar."""

    day: str
    zone_id: str
    category: str


@dataclass(frozen=True, slots=True)
class Signal:
    """What is published: noised counts of the cells above the threshold, and how wrong they are.

    `standard_error` and `error_95` are those of the noise of one cell; `clipped` is unpublished:
    how many visits to a cell the clipping left out, for whoever runs the store.
    """

    counts: Mapping[Cell, int]
    epsilon: Fraction
    delta: float
    sensitivity: int
    threshold: int
    standard_error: float
    error_95: int
    clipped: int


def clip(visits: Iterable[tuple[Hashable, Cell]]) -> tuple[Counter[Cell], int]:
    """The visits to each cell, with no visit in more than `MOST_CELLS` cells; and how many were
    left out. Which of a visit's cells stay is drawn by a hash, so that no zone comes off worse.
    """
    cells: dict[Hashable, set[Cell]] = defaultdict(set)
    for visit, cell in visits:
        cells[visit].add(cell)
    counts: Counter[Cell] = Counter()
    clipped = 0
    for visit, seen in cells.items():
        kept = sorted(seen, key=lambda cell: _draw(visit, cell))[:MOST_CELLS]
        counts.update(kept)
        clipped += len(seen) - len(kept)
    return counts, clipped


def publish(
    visits: Iterable[tuple[Hashable, Cell]],
    domain: Iterable[Cell],
    epsilon: Fraction,
    below: Below,
) -> Signal:
    """The signal for all cells of `domain` (those of the layout: what is in it must not hang on who
    came). Noise is added to every cell, visited or not.

    Raises ValueError for an epsilon that is not positive.
    """
    if epsilon <= 0:
        raise ValueError(f"epsilon is {epsilon}, but must be positive")
    scale = Fraction(MOST_CELLS) / epsilon
    known = sorted(set(domain))
    counts, clipped = clip((visit, cell) for visit, cell in visits if cell in set(known))
    least = threshold(scale, DELTA)
    noised = {cell: counts[cell] + integer_laplace(scale, below) for cell in known}
    return Signal(
        counts={cell: count for cell, count in noised.items() if count >= least},
        epsilon=epsilon,
        delta=DELTA,
        sensitivity=MOST_CELLS,
        threshold=least,
        standard_error=standard_error(scale),
        error_95=error_bound(scale),
        clipped=clipped,
    )


def _draw(visit: Hashable, cell: Cell) -> bytes:
    return sha256(f"{visit!r}\x1f{cell.day}\x1f{cell.zone_id}\x1f{cell.category}".encode()).digest()
