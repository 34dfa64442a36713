"""A page as HTML, CSV or PDF. Pure but for the templates, which are read once."""

import csv
import io
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from zoneinfo import ZoneInfo

import matplotlib
from fpdf import FPDF
from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from infra.pages import charts, words
from infra.pages.model import Page, Table, Unit, Value

#: The pages of the top line, in its order.
NAVIGATION = (
    ("/today", "Today"),
    ("/shelf", "Shelf"),
    ("/screens", "Screens"),
    ("/experiment", "Experiment"),
    ("/audience", "Audience"),
    ("/monday", "Monday report"),
    ("/", "Live"),
)

_GREEN = (15, 118, 110)
_SOFT = (86, 98, 106)
_MARGIN_MM = 16
_FONT = "dejavu"


@cache
def _templates() -> Environment:
    environment = Environment(
        loader=PackageLoader("infra.pages"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["svg"] = Markup
    environment.globals["navigation"] = NAVIGATION
    environment.globals["change"] = words.change
    environment.globals["is_number"] = lambda unit: unit not in ("text", "day", "time")
    return environment


def simulated_words(true_effect: float | None) -> str:
    """What is said of the numbers of a simulated store.

    >>> simulated_words(0.28)
    'Simulated, true effect of the screens on baskets: +28 %. No number here is of a real store.'
    """
    effect = "not told" if true_effect is None else f"{true_effect * 100:+.3g} %"
    return (
        f"Simulated, true effect of the screens on baskets: {effect}. "
        "No number here is of a real store."
    )


def html(page: Page, store_name: str, extra: Mapping[str, object] | None = None) -> str:
    """The whole document. `extra` is what one page's own template wants besides."""
    name = page.path.strip("/")
    templates = _templates()
    template = templates.get_or_select_template([f"{name}.html", "page.html"])
    zone = page.period.zone

    def said(value: Value, unit: Unit) -> str:
        return words.said(value, unit, page.currency, zone)

    return template.render(page=page, store_name=store_name, said=said, **(extra or {}))


def template(name: str, values: Mapping[str, object]) -> str:
    """The document of a template of its own."""
    return _templates().get_template(name).render(**values)


def failure(title: str, sentence: str, store_name: str) -> str:
    """The document that says why there is no page."""
    return (
        _templates()
        .get_template("failure.html")
        .render(title=title, sentence=sentence, store_name=store_name)
    )


def to_csv(page: Page) -> str:
    """Every figure and table of the page, one block each, with its title before it."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\r\n")
    period = page.period
    writer.writerow(["page", page.title])
    writer.writerow(["from", period.first.isoformat(), "to", period.last.isoformat()])
    writer.writerow(["time zone", str(period.zone)])
    if page.simulated:
        writer.writerow(["simulated", page.simulated])
    for section in page.sections:
        if section.figures:
            writer.writerow([])
            writer.writerow(["figure", "value", "unit", "before", "formula"])
            for figure in section.figures:
                before = "" if figure.before is None else words.written(figure.before)
                value = words.written(figure.value)
                writer.writerow([figure.key, value, figure.unit, before, figure.formula])
        for table in section.tables:
            writer.writerow([])
            writer.writerow([table.title])
            writer.writerow([column.key for column in table.columns])
            for row in table.rows:
                writer.writerow([_safe(words.written(value)) for value in row])
    return out.getvalue()


def _safe(text: str) -> str:
    """A spreadsheet takes a text that begins with one of these for a formula."""
    if text[:1] in ("=", "@", "\t", "\r") or (text.startswith(("+", "-")) and not _is_number(text)):
        return f"'{text}"
    return text


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def to_pdf(page: Page, store_name: str) -> bytes:
    """The page on A4."""
    pdf = _Paper(store_name, page)
    pdf.add_page()
    pdf.heading(page.title, 20)
    pdf.text_line(f"{store_name}, {page.period.words()} ({page.period.zone})", soft=True)
    if page.simulated:
        pdf.text_line(page.simulated, strong=True)
    pdf.text_line(page.lead)
    for section in page.sections:
        pdf.heading(section.title, 13)
        if section.note:
            pdf.text_line(section.note, soft=True)
        for sentence in section.sentences:
            pdf.text_line(f"- {sentence}")
        for figure in section.figures:
            pdf.figure(
                figure.title,
                words.said(figure.value, figure.unit, page.currency, page.period.zone),
                words.change(figure),
                figure.formula,
            )
        for chart in section.charts:
            pdf.picture(chart.title, chart.svg)
        for table in section.tables:
            pdf.grid(table, list(_said_rows(table, page.currency, page.period.zone)))
    return bytes(pdf.output())


def _said_rows(table: Table, currency: str, zone: ZoneInfo) -> Iterator[list[str]]:
    for row in table.rows:
        yield [
            words.said(value, column.unit, currency, zone)
            for value, column in zip(row, table.columns, strict=True)
        ]


class _Paper(FPDF):
    """An A4 page in DejaVu (of matplotlib's): what it cannot write, it shows as a box."""

    def __init__(self, store_name: str, page: Page) -> None:
        super().__init__(format="A4")
        self._foot = f"{store_name} - {page.title} - {page.period.first} to {page.period.last}" + (
            " - simulated" if page.simulated else ""
        )

        fonts = Path(matplotlib.get_data_path()) / "fonts" / "ttf"
        for style, file in (("", ""), ("B", "-Bold"), ("I", "-Oblique")):
            self.add_font(_FONT, style, fonts / f"DejaVuSans{file}.ttf")
        self.set_margin(_MARGIN_MM)
        self.set_auto_page_break(True, 18)
        self.set_title(page.title)

    def footer(self) -> None:
        self.set_y(-14)
        self.set_font(_FONT, size=8)
        self.set_text_color(*_SOFT)
        self.cell(0, 6, f"{self._foot} - {self.page_no()}", align="C")

    def heading(self, text: str, size: int) -> None:
        self.ln(3)
        self.set_font(_FONT, "B", size)
        self.set_text_color(*_GREEN)
        self.multi_cell(0, size * 0.5, text, new_x="LMARGIN", new_y="NEXT")
        self.ln(1)

    def text_line(self, text: str, *, soft: bool = False, strong: bool = False) -> None:
        self.set_font(_FONT, "B" if strong else "", 10)
        self.set_text_color(*(_SOFT if soft else (27, 35, 40)))
        self.multi_cell(0, 5, text, new_x="LMARGIN", new_y="NEXT")

    def figure(self, title: str, value: str, changed: str, formula: str) -> None:
        self.set_font(_FONT, "", 10)
        self.set_text_color(27, 35, 40)
        self.cell(70, 6, title)
        self.set_font(_FONT, "B", 11)
        self.cell(45, 6, value)
        self.set_font(_FONT, "", 9)
        self.set_text_color(*_SOFT)
        self.cell(0, 6, changed, new_x="LMARGIN", new_y="NEXT")
        if formula:
            self.set_font(_FONT, "I", 8)
            self.multi_cell(0, 4, formula, new_x="LMARGIN", new_y="NEXT")

    def picture(self, title: str, svg: str) -> None:
        if title:
            self.set_font(_FONT, "B", 10)
            self.set_text_color(27, 35, 40)
            self.cell(0, 6, title, new_x="LMARGIN", new_y="NEXT")
        self.image(io.BytesIO(svg.replace(charts.FONT, _FONT).encode()), w=self.epw)
        self.ln(2)

    def grid(self, table: Table, rows: list[list[str]]) -> None:
        self.set_font(_FONT, "B", 10)
        self.set_text_color(27, 35, 40)
        self.multi_cell(0, 6, table.title, new_x="LMARGIN", new_y="NEXT")
        self.set_font(_FONT, "", 8)
        with self.table(line_height=4.5, padding=0.8) as grid:
            grid.row([column.title for column in table.columns])
            for row in rows:
                grid.row([value for value in row])
        self.ln(2)
