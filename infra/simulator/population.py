"""Who comes: kinds of people with their shares, and how many of them. Pure."""

from dataclasses import dataclass
from typing import Literal

import numpy as np

from infra.simulator.eyes import HEADS_ALONE, Habit
from infra.simulator.people import Kind

DensityName = Literal["quiet", "normal", "busy"]


@dataclass(frozen=True, slots=True)
class Density:
    """How many people come in, on average, in a minute."""

    name: str
    people_per_min: float


#: One, three and six or seven people in the measuring aisle at a time, on average.
DENSITIES: dict[DensityName, Density] = {
    "quiet": Density("quiet", 2.0),
    "normal": Density("normal", 6.0),
    "busy": Density("busy", 14.0),
}


@dataclass(frozen=True, slots=True)
class Shares:
    """Shares of the population, 0 to 1; chosen so that half an hour holds tens of each group to
    measure, not as a census. `alone` and `pairs` are shares of the parties (the rest are three),
    `passing` the parties that do not stop; `child` is a share of those who come with somebody,
    `staff` how probable it is that staff restock within any 20 minutes.
    """

    alone: float = 0.72
    pairs: float = 0.20
    passing: float = 0.40
    child: float = 0.35
    wheelchair: float = 0.05
    hat: float = 0.15
    mask: float = 0.10
    staff: float = 0.6

    @property
    def party_size(self) -> float:
        """People in a party, on average."""
        return self.alone + 2 * self.pairs + 3 * (1 - self.alone - self.pairs)


@dataclass(frozen=True, slots=True)
class Traits:
    """What one person looks like and how they move; `walk_m_per_s` is the pace."""

    kind: Kind
    height_m: float
    hat: bool
    mask: bool
    staff: bool
    appearance: int
    habit: Habit
    walk_m_per_s: float


#: Means and deviations of statures with hair and shoes, in metres (women and men of Europe, about
#: NCD-RisC 2016 and 3 cm), and the bounds within which the renderer's bodies keep their form.
_STATURES = ((1.67, 0.065), (1.80, 0.07))
_ADULT_M = (1.50, 1.98)
_CHILD_M = (1.05, 1.40)

#: Crown above the floor of an adult who sits in a wheelchair (eyes at 1.09 to 1.30 m, ADA guides).
_SEATED_M = (1.22, 1.40)

#: Paces of people who shop, in m/s: slower than in the street (1.3).
_PACE = (1.1, 0.15)
_PACES = (0.75, 1.5)

#: How much people turn their heads differs widely (Stahl 1999).
_PROPENSITY = (0.82, 0.10)
_PROPENSITIES = (0.5, 0.98)
_NODS = (0.6, 0.12)


def traits_of(
    rng: np.random.Generator, shares: Shares, *, companion: bool, staff: bool, heads_alone: bool
) -> Traits:
    """Draw one person; a `companion` comes with somebody and may be a child."""
    kind: Kind = "adult"
    if companion and rng.random() < shares.child:
        kind = "child"
    elif not staff and rng.random() < shares.wheelchair:
        kind = "wheelchair"
    habit = Habit(
        float(np.clip(rng.normal(*_PROPENSITY), *_PROPENSITIES)),
        float(np.clip(rng.normal(*_NODS), 0.2, 0.95)),
    )
    return Traits(
        kind=kind,
        height_m=_height(rng, kind),
        hat=not staff and bool(rng.random() < shares.hat),
        mask=bool(rng.random() < shares.mask),
        staff=staff,
        appearance=int(rng.integers(1_000_000)),
        habit=HEADS_ALONE if heads_alone else habit,
        walk_m_per_s=float(np.clip(rng.normal(*_PACE), *_PACES)),
    )


def _height(rng: np.random.Generator, kind: Kind) -> float:
    if kind == "child":
        return float(rng.uniform(*_CHILD_M))
    if kind == "wheelchair":
        return float(rng.uniform(*_SEATED_M))
    mean, deviation = _STATURES[int(rng.integers(len(_STATURES)))]
    return float(np.clip(rng.normal(mean, deviation), *_ADULT_M))
