"""A page says the same whichever way it is drawn, and nothing in it can act."""

import csv
import io
from datetime import date
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from infra.pages import charts, render
from infra.pages.errors import PeriodError
from infra.pages.model import Chart, Column, Figure, Missing, Page, Section, Table, of_people
from infra.pages.period import Period, parse

_ZONE = ZoneInfo("Europe/Berlin")
_EXTRA: dict[str, Any] = {"today": date(2026, 3, 9), "query": "", "ranges": [], "alerts": ()}


def _page(name: str = "Tea") -> Page:
    return Page(
        path="/today",
        title="Today",
        period=Period(date(2026, 3, 9), date(2026, 3, 9), _ZONE),
        lead="It went well.",
        sections=(
            Section(
                "a",
                "A",
                figures=(
                    Figure("atv", "ATV", Decimal("12.3"), "money", "net sales / transactions"),
                    Figure("ots", "OTS", Missing.NOT_MEASURED, "count", ""),
                ),
                charts=(Chart("c", "C", charts.bars([charts.Bar(name, 3.0)]), "bars"),),
                tables=(
                    Table(
                        "t",
                        "T",
                        (Column("zone", "Zone", "text"), Column("people", "People")),
                        ((name, 7), ("few", of_people(3, 3))),
                    ),
                ),
            ),
        ),
        currency="EUR",
        simulated="Simulated, true effect +5 %.",
    )


def test_the_same_numbers_in_html_and_csv() -> None:
    text = render.html(_page(), "Shop", _EXTRA)
    assert "12.30 EUR" in text
    assert "not measured" in text
    assert "fewer than 5 people" in text
    rows = list(csv.reader(io.StringIO(render.to_csv(_page()))))
    assert ["atv", "12.3", "money", "", "net sales / transactions"] in rows
    assert ["ots", "", "count", "", ""] in rows
    assert ["Tea", "7"] in rows
    assert ["few", ""] in rows
    assert ["simulated", "Simulated, true effect +5 %."] in rows


def test_names_are_text_and_never_code() -> None:
    evil = '<script>alert("x")</script>'
    text = render.html(_page(evil), evil, _EXTRA)
    assert "<script>alert" not in text
    assert "<script>alert" not in charts.rows([charts.Bar(evil, 1.0)])


@pytest.mark.parametrize("name", ["=1+1", "+cmd", "-cmd", "@x", "\tx"])
def test_a_spreadsheet_takes_no_name_for_a_formula(name: str) -> None:
    rows = list(csv.reader(io.StringIO(render.to_csv(_page(name)))))
    assert [f"'{name}", "7"] in rows


def test_a_pdf_holds_names_in_any_script() -> None:
    content = render.to_pdf(_page("Ελληνικά Чай"), "Магазин")
    assert content.startswith(b"%PDF-")


@pytest.mark.parametrize(
    ("first", "last", "told"),
    [
        (None, None, (date(2026, 3, 9), date(2026, 3, 9))),
        ("2026-03-01", None, (date(2026, 3, 1), date(2026, 3, 9))),
        (None, "2026-03-02", (date(2026, 3, 2), date(2026, 3, 2))),
        ("2026-03-01", "2026-03-05", (date(2026, 3, 1), date(2026, 3, 5))),
    ],
)
def test_the_days_that_were_asked_for(
    first: str | None, last: str | None, told: tuple[date, date]
) -> None:
    period = parse(first, last, date(2026, 3, 9), _ZONE)
    assert (period.first, period.last) == told


def test_a_day_of_the_store_is_as_long_as_its_clock_says() -> None:
    spring = Period(date(2026, 3, 29), date(2026, 3, 29), _ZONE)
    autumn = Period(date(2026, 10, 25), date(2026, 10, 25), _ZONE)
    assert (spring.ends_at.timestamp() - spring.starts_at.timestamp()) / 3600 == 23
    assert (autumn.ends_at.timestamp() - autumn.starts_at.timestamp()) / 3600 == 25


def test_the_week_before_has_the_same_weekdays_and_does_not_overlap() -> None:
    for days in (1, 3, 7, 8, 28):
        last = date(2026, 3, 9)
        period = Period(date.fromordinal(last.toordinal() - days + 1), last, _ZONE)
        before = period.week_before()
        assert before.last < period.first
        assert before.first.weekday() == period.first.weekday()
        assert before.days == days


@pytest.mark.parametrize("typed", [("x", None), ("2026-03-10", "2026-03-01"), ("1999-01-01", None)])
def test_days_that_make_no_period(typed: tuple[str, str | None]) -> None:
    with pytest.raises(PeriodError):
        parse(*typed, date(2026, 3, 9), _ZONE)
