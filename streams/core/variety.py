"""How much variety the screens show, and when it is lost. Pure; times are arguments.

An algorithm that all screens share tends to show the same few creatives everywhere. The measure is
the effective number, exp of the entropy of the time each was shown: the number of creatives that
would be as varied if all were shown alike.

References: L. Jost, Entropy and diversity, Oikos 2006 (effective numbers). A loss of a third is the
alarm, which one simulation study gives as what a shared algorithm costs (34 %).
"""

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

#: The loss against showing all alike from which somebody should look.
ALARM_LOSS = 0.34

#: Before so much was shown there is nothing to say.
_LEAST_SHARE = 0.5


def effective_number(shown: Mapping[str, float]) -> float:
    """The effective number of things shown for so long each; 0 where nothing was.

    >>> effective_number({"a": 5.0, "b": 5.0}), effective_number({"a": 5.0})
    (2.0, 1.0)
    """
    whole = sum(shown.values())
    if whole <= 0:
        return 0.0
    shares = [each / whole for each in shown.values() if each > 0]
    return round(math.exp(-sum(share * math.log(share) for share in shares)), 12)


def overlap(screens: Sequence[Mapping[str, float]]) -> float | None:
    """The mean share of their time that two screens show the same mix; None for fewer than two.

    >>> overlap([{"a": 1.0}, {"a": 1.0, "b": 1.0}])
    0.5
    """
    mixes = [_shares(each) for each in screens if sum(each.values()) > 0]
    pairs = [(one, other) for i, one in enumerate(mixes) for other in mixes[i + 1 :]]
    if not pairs:
        return None
    common = [sum(min(share, b.get(name, 0.0)) for name, share in a.items()) for a, b in pairs]
    return sum(common) / len(pairs)


def _shares(shown: Mapping[str, float]) -> dict[str, float]:
    whole = sum(shown.values())
    return {name: each / whole for name, each in shown.items()}


@dataclass(frozen=True, slots=True)
class Variety:
    """What the screens showed lately. `possible`: how many creatives could have been shown; `loss`:
    the part of that variety that was not; `alarm`: it is a third or more.
    """

    creatives: float = 0.0
    categories: float = 0.0
    possible: int = 0
    loss: float = 0.0
    overlap: float | None = None
    alarm: bool = False


@dataclass(frozen=True, slots=True)
class _Turn:
    screen_id: str
    creative_id: str
    categories: tuple[str, ...]
    since_ms: int


@dataclass(slots=True)
class Guard:
    """Remembers what each screen showed in the last `window_ms`."""

    window_ms: int
    _turns: list[_Turn] = field(default_factory=list)
    _possible: dict[str, frozenset[str]] = field(default_factory=dict)

    def shows(
        self,
        screen_id: str,
        creative_id: str,
        categories: Sequence[str],
        possible: Sequence[str],
        now_ms: int,
    ) -> None:
        """From now on a screen shows a creative, one of the `possible`."""
        self._turns.append(_Turn(screen_id, creative_id, tuple(categories), now_ms))
        self._possible[screen_id] = frozenset(possible)
        self._forget(now_ms)

    def forget_all(self) -> None:
        """Others decide the screens now."""
        self._turns.clear()
        self._possible.clear()

    def now(self, now_ms: int) -> Variety:
        """The variety of the last stretch."""
        by_creative: Counter[str] = Counter()
        by_category: Counter[str] = Counter()
        by_screen: dict[str, Counter[str]] = {}
        following: dict[str, int] = {}
        for turn in reversed(self._turns):
            until_ms = following.get(turn.screen_id, now_ms)
            shown_ms = max(0, until_ms - max(turn.since_ms, now_ms - self.window_ms))
            following[turn.screen_id] = turn.since_ms
            by_creative[turn.creative_id] += shown_ms
            by_screen.setdefault(turn.screen_id, Counter())[turn.creative_id] += shown_ms
            for category in turn.categories or ("none",):
                by_category[category] += shown_ms
        possible = len(frozenset().union(*self._possible.values()) if self._possible else ())
        creatives = effective_number(by_creative)
        loss = 1.0 - creatives / possible if possible and creatives else 0.0
        enough = sum(by_creative.values()) >= _LEAST_SHARE * self.window_ms
        return Variety(
            creatives=creatives,
            categories=effective_number(by_category),
            possible=possible,
            loss=max(0.0, loss),
            overlap=overlap(list(by_screen.values())),
            alarm=enough and possible > 1 and loss >= ALARM_LOSS,
        )

    def _forget(self, now_ms: int) -> None:
        """Turns that ended before the window; of each screen the newest stays."""
        oldest_ms = now_ms - self.window_ms
        if len(self._turns) < 2 or self._turns[0].since_ms >= oldest_ms:
            return
        kept: list[_Turn] = []
        ended_ms: dict[str, int] = {}
        for turn in reversed(self._turns):
            if ended_ms.get(turn.screen_id, now_ms) >= oldest_ms:
                kept.append(turn)
            ended_ms[turn.screen_id] = turn.since_ms
        self._turns = kept[::-1]
