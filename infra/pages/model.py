"""A page as data: what is drawn as HTML, CSV and PDF alike. Pure.

Outside the live view no cell tells of fewer than `FEWEST` people; a figure that nobody measured is
said to be not measured, never 0.
"""

from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from enum import Enum
from typing import Literal

from infra.pages.period import Period

#: Cells about fewer people than this are not shown: they could tell of somebody in particular.
FEWEST = 5

Unit = Literal["count", "ms", "share", "number", "money", "day", "time", "text"]


class Missing(Enum):
    """Why there is no number."""

    FEW = "fewer than 5 people"
    NOT_MEASURED = "not measured"
    NONE = "no data"


Value = int | float | Decimal | str | date | datetime | Missing


@dataclass(frozen=True, slots=True)
class Figure:
    """A number that answers a question. `before` is that of the period it is compared with;
    `formula` says how it is made, in the words of the definitions."""

    key: str
    title: str
    value: Value
    unit: Unit
    formula: str
    before: Value | None = None
    note: str = ""


@dataclass(frozen=True, slots=True)
class Column:
    """A column of a table. `key` is its name in a CSV file; `formula` stands beside its head."""

    key: str
    title: str
    unit: Unit = "count"
    formula: str = ""


@dataclass(frozen=True, slots=True)
class Table:
    """`rows` hold one value for each column."""

    key: str
    title: str
    columns: tuple[Column, ...]
    rows: tuple[tuple[Value, ...], ...]
    note: str = ""

    def __post_init__(self) -> None:
        for row in self.rows:
            if len(row) != len(self.columns):
                raise ValueError(
                    f"a row of {self.key!r} has {len(row)} values for {len(self.columns)} columns"
                )


@dataclass(frozen=True, slots=True)
class Chart:
    """A picture (SVG) with a sentence that says the same to who cannot see it."""

    key: str
    title: str
    svg: str
    alt: str
    note: str = ""


@dataclass(frozen=True, slots=True)
class Section:
    """A part of a page: some figures, some charts, some tables."""

    key: str
    title: str
    note: str = ""
    figures: tuple[Figure, ...] = ()
    charts: tuple[Chart, ...] = ()
    tables: tuple[Table, ...] = ()
    sentences: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Page:
    """`lead` says in one sentence what the page says. `simulated` is what must be said of it."""

    path: str
    title: str
    period: Period
    lead: str
    sections: tuple[Section, ...]
    currency: str
    simulated: str | None = None
    compared: bool = False


def of_people(value: Value, people: int | None) -> Value:
    """`value` where it tells of enough people, else why it is not shown.

    >>> of_people(1200, 4)
    <Missing.FEW: 'fewer than 5 people'>
    >>> of_people(0, 0), of_people(1200, 5)
    (0, 1200)
    >>> of_people(1200, None)
    <Missing.NOT_MEASURED: 'not measured'>
    """
    if people is None:
        return Missing.NOT_MEASURED
    return Missing.FEW if 0 < people < FEWEST else value


def ratio(part: Value | None, whole: Value | None) -> Value:
    """`part` of `whole`; missing where one of them is, or where there is nothing to be part of.

    >>> ratio(1, 4), ratio(1, 0), ratio(Missing.FEW, 9)
    (0.25, <Missing.NONE: 'no data'>, <Missing.FEW: 'fewer than 5 people'>)
    """
    for value in (part, whole):
        if value is None:
            return Missing.NOT_MEASURED
        if isinstance(value, Missing):
            return value
    if not isinstance(part, int | float | Decimal) or not isinstance(whole, int | float | Decimal):
        raise TypeError(f"no ratio of {part!r} and {whole!r}")
    return float(part) / float(whole) if whole else Missing.NONE
