# SPDX-License-Identifier: Apache-2.0
"""The arm of an experimental unit: one pure hash, used by policy and by analysis; and the plan that
a named person approved.

A unit is (store, time slot), all screens of a store in one arm, because one basket passes several
screens; or (screen, time slot), for the sales of products and categories alone.
"""

import hashlib
from typing import Annotated, Literal

from msgspec import Meta, Struct

from streams.contracts.base import DurationMs, Id, Probability, Sentence, TimeMs
from streams.contracts.signage import Arm

#: What is drawn: all screens of a store for a slot, or each screen for itself.
Unit = Literal["store-slot", "screen-slot"]

#: What is asked. The basket (what a store earns): arithmetic mean a basket, of value or of units.
#: The product or category (what a brand buys): sales in a slot, of value or of units.
Outcome = Literal["basket_value", "basket_units", "product_value", "product_units"]

#: A person's name as it was typed; never an account or an address.
PersonName = Annotated[str, Meta(min_length=1, max_length=100, pattern=r"\S")]

#: Outcomes of whole baskets, which pass several screens.
BASKET_OUTCOMES: tuple[Outcome, ...] = ("basket_value", "basket_units")

SlotMs = Annotated[int, Meta(ge=1_000)]


class Experiment(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A switchback: each slot of `slot_ms` is drawn 'adaptive' with probability `adaptive_share`.

    `salt` names the draw; the same salt gives the same arms, on every machine.
    """

    salt: Id
    slot_ms: SlotMs
    adaptive_share: Probability
    unit: Unit = "store-slot"

    def slot_start_ms(self, at_ms: TimeMs) -> int:
        """The start of the slot that holds `at_ms`.

        >>> Experiment(salt="a", slot_ms=60_000, adaptive_share=0.5).slot_start_ms(61_000)
        60000
        """
        return at_ms - at_ms % self.slot_ms

    def arm(self, store_id: str, at_ms: TimeMs, screen_id: str | None = None) -> Arm:
        """The arm of the unit: (store, slot of `at_ms`), or the screen's own where the screens are
        drawn one by one.

        Raises ValueError where the screens are drawn one by one and none is named.

        >>> Experiment(salt="a", slot_ms=60_000, adaptive_share=1.0).arm("s", 0)
        'adaptive'
        >>> Experiment(salt="a", slot_ms=60_000, adaptive_share=0.0).arm("s", 0)
        'control'
        """
        unit = f"{self.salt}\x1f{store_id}\x1f{self.slot_start_ms(at_ms)}"
        if self.unit == "screen-slot":
            if screen_id is None:
                raise ValueError("each screen has an arm of its own here; name the screen")
            unit = f"{unit}\x1f{screen_id}"
        digest = hashlib.sha256(unit.encode()).digest()
        draw = int.from_bytes(digest[:8], "big") / 2**64
        return "adaptive" if draw < self.adaptive_share else "control"

    def probability(self, arm: Arm) -> float:
        """The probability with which a unit is drawn into `arm`."""
        return self.adaptive_share if arm == "adaptive" else 1.0 - self.adaptive_share


class ExperimentPlan(Struct, frozen=True, kw_only=True):
    """An experiment of one store that `approved_by` let start; the newest of a store holds.

    Stores with the same `experiment_id` are analysed together. Baskets that close within
    `washout_ms` of a slot's beginning belong to no arm: they may have been filled in the slot
    before. `outcome` is the one question; `skus` and `categories` are the products that a product
    outcome counts (none: all). `smallest_effect` is the smallest one that would change anything,
    as a share: below it the answer is no. `horizon_ms` is how long one is prepared to run; the
    intervals are tightest there and valid at any time. `pre_ms` before the start are compared with.
    `simulated`, `true_effect`: of a simulated store, whose truth is known.
    """

    experiment_id: Id
    store_id: Id
    unit: Unit
    salt: Id
    slot_ms: SlotMs
    washout_ms: DurationMs
    adaptive_share: Probability
    outcome: Outcome
    starts_at_ms: TimeMs
    ends_at_ms: TimeMs | None
    approved_by: PersonName
    approved_at_ms: TimeMs
    hypothesis: Sentence
    stopped_at_ms: TimeMs | None = None
    stopped_by: PersonName | None = None
    skus: Annotated[tuple[Id, ...], Meta(max_length=100)] = ()
    categories: Annotated[tuple[Id, ...], Meta(max_length=100)] = ()
    smallest_effect: Annotated[float, Meta(gt=0.0, le=10.0)] = 0.05
    horizon_ms: Annotated[int, Meta(ge=1_000)] = 28 * 86_400_000
    pre_ms: DurationMs = 28 * 86_400_000
    simulated: bool = False
    true_effect: float | None = None

    def __post_init__(self) -> None:
        if self.unit == "screen-slot" and self.outcome in BASKET_OUTCOMES:
            raise ValueError(
                "one basket passes several screens: a basket outcome needs the unit store-slot"
            )
        if self.washout_ms >= self.slot_ms:
            raise ValueError("washout_ms must be shorter than slot_ms")
        if self.ends_at_ms is not None and self.ends_at_ms <= self.starts_at_ms:
            raise ValueError("ends_at_ms must be after starts_at_ms")

    def experiment(self) -> Experiment:
        """The draw of its arms."""
        return Experiment(
            salt=self.salt,
            slot_ms=self.slot_ms,
            adaptive_share=self.adaptive_share,
            unit=self.unit,
        )

    @property
    def closed_at_ms(self) -> TimeMs | None:
        """When it ended or will end; None while that is open."""
        ends = [at for at in (self.ends_at_ms, self.stopped_at_ms) if at is not None]
        return min(ends, default=None)

    def running(self, at_ms: TimeMs) -> bool:
        """Whether the slot of `at_ms` is drawn: begun as a whole, neither ended nor stopped."""
        closed = self.closed_at_ms
        begun = at_ms - at_ms % self.slot_ms >= self.starts_at_ms
        return begun and (closed is None or at_ms < closed)

    def arm(self, at_ms: TimeMs, screen_id: str | None = None) -> tuple[Arm, float]:
        """The arm at a time and its probability; outside the running plan control, for certain."""
        if not self.running(at_ms):
            return "control", 1.0
        draw = self.experiment()
        arm = draw.arm(self.store_id, at_ms, screen_id)
        return arm, draw.probability(arm)
