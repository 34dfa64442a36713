"""What a person is told: yes, no, not yet, or that it cannot be known here. Pure.

A yes or a no that the confidence sequence has once given stands, however long one goes on looking.
"""

import math
from dataclasses import dataclass
from typing import Literal

Verdict = Literal["yes", "no", "not yet", "cannot be known here"]

#: Longer than this nobody waits for an answer, and a store changes meanwhile.
LONGEST_DAYS = 365.0


@dataclass(frozen=True, slots=True)
class Question:
    """What is asked, before the start: does `what` grow, and what would be too little to matter?

    `share` of the slots are adaptive; `smallest_effect` as a share; `horizon_slots` where the
    interval is tightest; `longest_days` how long one is prepared to wait.
    """

    what: str
    share: float
    smallest_effect: float
    horizon_slots: float
    longest_days: float = LONGEST_DAYS
    alpha: float = 0.05


@dataclass(frozen=True, slots=True)
class Look:
    """What is known at the end of a day: the effect and its interval, as shares; NaN before there
    are enough slots.
    """

    day: int
    slots: int
    effect: float
    low: float
    high: float

    @property
    def known(self) -> bool:
        """Whether there is an interval."""
        return math.isfinite(self.low) and math.isfinite(self.high)


@dataclass(frozen=True, slots=True)
class Answer:
    """The verdict and its sentence. `days_left` belongs to "not yet". `effect` with its interval is
    None exactly where there is no number to give, and the sentence says why.
    """

    verdict: Verdict
    sentence: str
    effect: float | None = None
    low: float | None = None
    high: float | None = None
    days_left: float | None = None


def no_number(why: str) -> Answer:
    """There is no number, and why.

    >>> no_number("every slot was adaptive").sentence
    'Cannot be known here: every slot was adaptive.'
    """
    return Answer("cannot be known here", f"Cannot be known here: {why}.")


def answer(question: Question, looks: list[Look], days_left: float) -> Answer:
    """The answer after the looks so far, oldest first; `days_left` as the noise so far has it.

    >>> q = Question("baskets", 0.5, 0.05, 1000.0)
    >>> answer(q, [Look(0, 400, 0.06, 0.01, 0.11)], 3.0).sentence
    'Yes: baskets grow by 6.0 % (1.0 % to 11.0 %, 95 % at any time).'
    >>> answer(q, [Look(0, 400, 0.0, -0.03, 0.03)], 3.0).verdict
    'no'
    >>> answer(q, [Look(0, 400, 0.02, -0.03, 0.07)], 11.2).sentence[:21]
    'Not yet: 12 days more'
    """
    known = [look for look in looks if look.known]
    if not known:
        return _waiting(question, days_left)
    now = known[-1]
    number = (now.effect, now.low, now.high)
    interval = (
        f"({_percent(now.low)} to {_percent(now.high)}, {1 - question.alpha:.0%} at any time)"
    ).replace("95%", "95 %")
    if any(look.low > 0.0 for look in known):
        text = f"Yes: {question.what} grow by {_percent(now.effect)} {interval}"
        return Answer("yes", f"{text}{_since(known, now)}.", *number)
    if any(look.high < 0.0 for look in known):
        return Answer(
            "no", f"No: {question.what} shrink by {_percent(-now.effect)} {interval}.", *number
        )
    if any(look.high < question.smallest_effect for look in known):
        least = _percent(question.smallest_effect)
        return Answer("no", f"No: {question.what} do not grow by {least} {interval}.", *number)
    if days_left > question.longest_days:
        return Answer(
            "cannot be known here",
            f"Cannot be known here: it would take {_days(days_left)} to tell an effect of "
            f"{_percent(question.smallest_effect)} from none; ask for a larger one, or put more "
            "stores together.",
            *number,
        )
    return Answer("not yet", f"Not yet: {_more(days_left)}, so far {interval}.", *number, days_left)


def _waiting(question: Question, days_left: float) -> Answer:
    if days_left > question.longest_days:
        return no_number(
            f"at this pace it would take {_days(days_left)} to tell an effect of "
            f"{_percent(question.smallest_effect)} from none"
        )
    return Answer(
        "not yet",
        f"Not yet: {_more(days_left)}, there are too few slots for an interval.",
        days_left=days_left,
    )


def _since(known: list[Look], now: Look) -> str:
    """A yes stands; where the newest interval alone would not say it, since when."""
    if now.low > 0.0:
        return ""
    first = next(look for look in known if look.low > 0.0)
    return f"; it was certain on day {first.day + 1}"


def _more(days: float) -> str:
    whole = max(1, math.ceil(days))
    return f"{whole} day{'s' if whole > 1 else ''} more"


def _days(days: float) -> str:
    return f"about {days:,.0f} days" if math.isfinite(days) else "for ever"


def _percent(share: float) -> str:
    return f"{100 * share:.1f} %"
