"""What the screens' pages have shown, and when; independent of the players, which are killed.

A page keeps its last picture while its player is away (the page's own rule, in PROTOCOL.md), so it
is dark only until its first one has been painted.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any


@dataclass(slots=True)
class Screens:
    """The pages of a run. `rendered` maps each decision to when a page had rendered it first."""

    rendered: dict[str, int] = field(default_factory=dict)
    _painted: dict[str, list[int]] = field(default_factory=dict)

    def add(self, screen_id: str, message: dict[str, Any], at_ms: int) -> None:
        """The page of a screen has rendered what it was told to show."""
        self.rendered.setdefault(message["decision_id"], at_ms)
        self._painted.setdefault(screen_id, []).append(at_ms)

    def dark_ms(self, screen_ids: Iterable[str], from_ms: int, to_ms: int) -> int:
        """How long, over all screens, there was nothing on a page.

        >>> screens = Screens()
        >>> screens.add("s", {"decision_id": "d"}, 1_200)
        >>> screens.dark_ms(["s", "never"], 1_000, 2_000)
        1200
        """
        firsts = (min(self._painted.get(name, []), default=to_ms) for name in screen_ids)
        return sum(min(max(0, first - from_ms), to_ms - from_ms) for first in firsts)

    def still_longest_ms(self, to_ms: int) -> int:
        """The longest that a page was told nothing new."""
        longest = 0
        for painted in self._painted.values():
            ends = [*painted[1:], to_ms]
            longest = max([longest, *(b - a for a, b in zip(painted, ends, strict=True))])
        return longest
