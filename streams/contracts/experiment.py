"""The arm of an experimental unit: one pure hash, used by policy and by analysis.

The unit of the spine is (store, time slot): all screens of a store are in one arm, because one
basket passes several screens.
"""

import hashlib
from typing import Annotated

from msgspec import Meta, Struct

from streams.contracts.base import Id, Probability, TimeMs
from streams.contracts.signage import Arm


class Experiment(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A switchback: each slot of `slot_ms` is drawn 'adaptive' with probability `adaptive_share`.

    `salt` names the draw; the same salt gives the same arms, on every machine.
    """

    salt: Id
    slot_ms: Annotated[int, Meta(ge=1_000)]
    adaptive_share: Probability

    def slot_start_ms(self, at_ms: TimeMs) -> int:
        """The start of the slot that holds `at_ms`.

        >>> Experiment(salt="a", slot_ms=60_000, adaptive_share=0.5).slot_start_ms(61_000)
        60000
        """
        return at_ms - at_ms % self.slot_ms

    def arm(self, store_id: str, at_ms: TimeMs) -> Arm:
        """The arm of the unit (store, slot of `at_ms`).

        >>> Experiment(salt="a", slot_ms=60_000, adaptive_share=1.0).arm("s", 0)
        'adaptive'
        >>> Experiment(salt="a", slot_ms=60_000, adaptive_share=0.0).arm("s", 0)
        'control'
        """
        unit = f"{self.salt}\x1f{store_id}\x1f{self.slot_start_ms(at_ms)}"
        digest = hashlib.sha256(unit.encode()).digest()
        draw = int.from_bytes(digest[:8], "big") / 2**64
        return "adaptive" if draw < self.adaptive_share else "control"

    def probability(self, arm: Arm) -> float:
        """The probability with which a unit is drawn into `arm`."""
        return self.adaptive_share if arm == "adaptive" else 1.0 - self.adaptive_share
