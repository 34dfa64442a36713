"""What a check of another vendor's player says."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Check:
    """`name` is what the contract asks, `seen` what the player did."""

    name: str
    passed: bool
    seen: str
