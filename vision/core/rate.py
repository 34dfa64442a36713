"""How many of a camera's pictures are looked at: few while nobody is there, all while somebody is.

Pure: `due` says whether a picture is inferred, `seen` takes what was found in it.
"""

from dataclasses import dataclass, replace

#: A picture this much of a period before its due time is taken all the same: timestamps are
#: rounded to 1 ms, and cameras do not tick evenly.
_EARLY_SHARE = 0.1


@dataclass(frozen=True, slots=True)
class RateRules:
    """`full_fps`: while somebody is there, None for every picture; `idle_fps`: while nobody is,
    None for the full rate always; `awake_ms`: the full rate goes on for so long after the last
    person or motion, so that ends are told as exactly as beginnings.
    """

    full_fps: float | None
    idle_fps: float | None
    awake_ms: int


@dataclass(frozen=True, slots=True)
class Rate:
    """Where one camera stands. It begins awake: who is there already is seen at the full rate."""

    awake_until_ms: int | None = None
    due_ms: float = 0.0
    last_ms: int | None = None

    def idle(self, at_ms: int, rules: RateRules) -> bool:
        """Whether nobody has been there for long enough, and nothing has moved."""
        return (
            rules.idle_fps is not None
            and self.awake_until_ms is not None
            and at_ms > self.awake_until_ms
        )


def due(rate: Rate, at_ms: int, moved: bool, rules: RateRules) -> tuple[Rate, bool]:
    """Whether the picture of `at_ms` is inferred. Motion brings the full rate back at once.

    >>> rules = RateRules(full_fps=10.0, idle_fps=2.0, awake_ms=3000)
    >>> rate, taken = Rate(), []
    >>> for at_ms in range(0, 6001, 100):
    ...     rate, now = due(rate, at_ms, at_ms == 5800, rules)
    ...     taken += [at_ms] if now else []
    >>> [at_ms for at_ms in taken if at_ms > 2800]
    [2900, 3000, 3100, 3600, 4100, 4600, 5100, 5600, 5800, 5900, 6000]
    """
    if rate.last_ms is not None and at_ms <= rate.last_ms:
        return rate, False
    if moved or rate.awake_until_ms is None:
        waking = rate.awake_until_ms is not None and rate.idle(at_ms, rules)
        rate = replace(rate, awake_until_ms=at_ms + rules.awake_ms)
        if waking:
            rate = replace(rate, due_ms=float(at_ms))
    fps = rules.idle_fps if rate.idle(at_ms, rules) else rules.full_fps
    if fps is None:
        return replace(rate, last_ms=at_ms), True
    period_ms = 1000 / fps
    if at_ms < rate.due_ms - _EARLY_SHARE * period_ms:
        return rate, False
    # The next due time keeps the rate, but a pause in the source is not caught up with.
    due_ms = max(rate.due_ms + period_ms, at_ms + period_ms / 2)
    return replace(rate, due_ms=due_ms, last_ms=at_ms), True


def seen(rate: Rate, at_ms: int, people: int, rules: RateRules) -> Rate:
    """After the picture of `at_ms` was inferred and showed that many."""
    if not people:
        return rate
    until_ms = max(rate.awake_until_ms or 0, at_ms + rules.awake_ms)
    if rate.idle(at_ms, rules):
        # The period that was to pass idly is cut short.
        full_ms = 0.0 if rules.full_fps is None else 1000 / rules.full_fps
        return replace(rate, awake_until_ms=until_ms, due_ms=min(rate.due_ms, at_ms + full_ms))
    return replace(rate, awake_until_ms=until_ms)
