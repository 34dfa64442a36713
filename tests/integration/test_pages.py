"""The pages of days and weeks on a real PostgreSQL, filled with simulated weeks, and in a real
Chromium: the numbers are those of the rows, and everybody can read them.
"""

import asyncio
import csv
import io
import re
import shutil
import socket
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import httpx
import psycopg
import pytest
import pytest_asyncio
from axe_playwright_python.async_playwright import Axe
from playwright.async_api import Browser, async_playwright
from pydantic import SecretStr

from infra.db.migrate import migrate
from infra.layouts import load_layout
from infra.rundb import create_run_database
from infra.simulator.fill import fill
from infra.simulator.weeks import SimulatedWeeks
from infra.stack.settings import StackSettings
from infra.stack.stack import EmbeddedStack
from infra.stack.state import StateFolder
from infra.stack.unprivileged import forget_home
from infra.web.app import create_web
from infra.web.hub import Hub
from infra.web.serve import PageServer
from infra.web.settings import WebSettings
from signage.catalogue import load_catalogue

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
EXAMPLE = Path(__file__).parents[2] / "examples" / "store.yaml"
PAGES = ("today", "shelf", "screens", "experiment", "audience", "monday")
EFFECT = 0.05

pytestmark = [
    pytest.mark.stack,
    pytest.mark.timeout(240),
    pytest.mark.asyncio(loop_scope="module"),
]


@dataclass
class Site:
    """The pages, and the database behind them."""

    url: str
    dsn: SecretStr
    first: date
    last: date

    @property
    def days(self) -> str:
        return f"from={self.first}&to={self.last}"

    def row(self, query: str) -> tuple[Any, ...]:
        """The only row of a query over the raw rows, with the bounds of the days."""
        zone = ZoneInfo("Europe/Berlin")
        bounds = {
            "since": datetime.combine(self.first, datetime.min.time(), zone),
            "until": datetime.combine(self.last + timedelta(days=1), datetime.min.time(), zone),
        }
        with psycopg.connect(self.dsn.get_secret_value()) as connection:
            found = connection.execute(query, bounds).fetchone()
        assert found is not None
        return found


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def site(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Site]:
    layout = load_layout(EXAMPLE)
    with StateFolder(tmp_path_factory.mktemp("pages") / "state") as state:
        settings = StackSettings(state=state.path)
        async with EmbeddedStack(state, settings, parts=("postgres",)) as stack:
            dsn = create_run_database(SecretStr(stack.postgres.dsn), state.run_id)
            migrate(dsn, lambda _: None)
            last = datetime.now(UTC).date() - timedelta(days=1)
            weeks = SimulatedWeeks(
                layout, load_catalogue().creatives, last - timedelta(days=13), 14, 1, EFFECT
            )
            fill(dsn, weeks.events(), lambda _: None)
            web = WebSettings(
                kafka="127.0.0.1:1",
                database=dsn,
                web_simulated=True,
                web_true_effect=EFFECT,
            )
            listening = socket.create_server(("127.0.0.1", 0))
            server = PageServer(create_web(web, layout, Hub(web, layout)), lambda: None)
            serving = asyncio.create_task(server.serve(sockets=[listening]))
            port = listening.getsockname()[1]
            yield Site(f"http://127.0.0.1:{port}", dsn, last - timedelta(days=6), last)
            server.should_exit = True
            await serving
            listening.close()
        forget_home(state, "postgres")


async def _get(site: Site, path: str) -> httpx.Response:
    async with httpx.AsyncClient(timeout=60) as client:
        return await client.get(f"{site.url}{path}")


def _figures(text: str) -> dict[str, str]:
    """The figures of a CSV file by their names."""
    rows = csv.reader(io.StringIO(text.removeprefix("\ufeff")))
    found, within = {}, False
    for row in rows:
        if row[:1] == ["figure"]:
            within = True
        elif not row:
            within = False
        elif within:
            found.setdefault(row[0], row[1])
    return found


@pytest.mark.parametrize("name", PAGES)
async def test_each_page_comes_as_html_csv_and_pdf(site: Site, name: str) -> None:
    html = await _get(site, f"/{name}?{site.days}&compare=1")
    assert html.status_code == 200
    assert "true effect" in html.text
    assert "None" not in re.sub(r"<[^>]*>", " ", html.text).replace("None of", "")
    plain = await _get(site, f"/{name}.csv?{site.days}")
    assert plain.headers["content-type"].startswith("text/csv")
    assert "simulated" in plain.text
    pdf = await _get(site, f"/{name}.pdf?{site.days}")
    assert pdf.content.startswith(b"%PDF-")
    assert len(pdf.content) > 5_000


async def test_the_numbers_are_those_of_the_rows(site: Site) -> None:
    today = _figures((await _get(site, f"/today.csv?{site.days}")).text)
    transactions, units, value = site.row(
        "SELECT count(*), sum(basket_units), sum(basket_value) FROM baskets "
        "WHERE closed_at >= %(since)s AND closed_at < %(until)s"
    )
    assert int(today["transactions"]) == transactions > 100
    assert float(today["basket_value"]) == pytest.approx(float(value))
    assert float(today["upt"]) == pytest.approx(float(units) / transactions)
    assert float(today["atv"]) == pytest.approx(float(value) / transactions)
    people, watchers, dwell_ms = site.row(
        "SELECT count(*), count(*) FILTER (WHERE watched), "
        "sum(extract(epoch FROM left_at - entered_at) * 1000) FILTER (WHERE watched) "
        "FROM presence WHERE target_kind = 'zone' "
        "AND entered_at >= %(since)s AND entered_at < %(until)s"
    )
    (attention_ms,) = site.row(
        "SELECT sum(attention_ms) FROM gaze WHERE target_kind = 'zone' "
        "AND started_at >= %(since)s AND started_at < %(until)s"
    )
    assert int(today["gross_impressions"]) == people
    assert int(today["watchers"]) == watchers
    assert int(today["attention_ms"]) == attention_ms
    assert float(today["attraction_ratio"]) == pytest.approx(float(attention_ms / dwell_ms))
    audience = _figures((await _get(site, f"/audience.csv?{site.days}")).text)
    verified, plays = site.row(
        "SELECT sum(verified_impressions), count(*) FROM exposures "
        "WHERE started_at >= %(since)s AND started_at < %(until)s"
    )
    assert int(audience["verified_impressions"]) == verified
    assert int(audience["plays"]) == plays
    assert audience["traffic"] == ""
    screens = _figures((await _get(site, f"/screens.csv?{site.days}")).text)
    assert int(screens["plays"]) == plays


async def test_a_day_without_rows_is_no_error_and_claims_nothing(site: Site) -> None:
    for name in PAGES:
        answer = await _get(site, f"/{name}?from=2020-01-01&to=2020-01-01")
        assert answer.status_code == 200
    shelf = _figures((await _get(site, "/today.csv?from=2020-01-01&to=2020-01-01")).text)
    assert shelf["transactions"] == "0"
    assert shelf["atv"] == ""


async def test_a_wrong_day_is_one_sentence(site: Site) -> None:
    for query in ("from=yesterday", "from=2026-03-10&to=2026-03-01", "from=1990-01-01"):
        answer = await _get(site, f"/today?{query}")
        assert answer.status_code == 400
        assert 'data-testid="failure"' in answer.text


async def test_an_hour_of_few_people_is_not_told(site: Site) -> None:
    """Nowhere on the shelf's page is a count of people from 1 to 4."""
    text = (await _get(site, f"/shelf.csv?from={site.last}&to={site.last}")).text
    rows = list(csv.reader(io.StringIO(text)))
    heads = [i for i, row in enumerate(rows) if "gross_impressions" in row]
    for head in heads:
        at = rows[head].index("gross_impressions")
        for row in rows[head + 1 :]:
            if not row:
                break
            assert row[at] == "" or not 0 < int(row[at]) < 5


async def test_only_the_page_itself_may_send_its_forms(site: Site) -> None:
    form = {"experiment_id": "a", "hypothesis": "b", "adaptive_share": "90"}
    async with httpx.AsyncClient(timeout=60) as client:
        foreign = await client.post(
            f"{site.url}/experiment/plan", data=form, headers={"origin": "http://shop.example"}
        )
        own = await client.post(
            f"{site.url}/experiment/plan", data=form, headers={"origin": site.url}
        )
    assert foreign.status_code == 400
    assert "nother site sent this form" in foreign.text
    assert own.status_code == 200
    assert "2.8 times" in own.text
    assert "true effect" in own.text


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def browser() -> AsyncIterator[Browser]:
    async with async_playwright() as playwright:
        launched = await playwright.chromium.launch(
            executable_path=CHROMIUM, args=["--no-sandbox", "--disable-gpu"]
        )
        yield launched
        await launched.close()


@pytest.mark.browser
@pytest.mark.skipif(CHROMIUM is None, reason="DID NOT RUN: Chromium is missing")
@pytest.mark.parametrize("width", [390, 1280, 3840])
async def test_everybody_can_read_every_page(site: Site, browser: Browser, width: int) -> None:
    """No error in the console, nothing that axe objects to, nothing wider than the window."""
    axe = Axe()
    for scheme in ("light", "dark"):
        context = await browser.new_context(
            viewport={"width": width, "height": 900 if width < 2000 else 2160},
            color_scheme="dark" if scheme == "dark" else "light",
        )
        page = await context.new_page()
        faults: list[str] = []
        page.on("pageerror", lambda error, told=faults: told.append(str(error)))
        page.on(
            "console",
            lambda message, told=faults: (
                told.append(message.text) if message.type in ("error", "warning") else None
            ),
        )
        for name in (*PAGES, "experiment/plan"):
            await page.goto(f"{site.url}/{name}?{site.days}&compare=1")
            found = await axe.run(page)
            assert found.violations_count == 0, f"{name}: {found.generate_report()}"
            wide = await page.evaluate("document.documentElement.scrollWidth")
            assert wide <= width, f"{name} is {wide} px wide"
            assert await page.locator(".simulated").first.is_visible()
        assert faults == []
        await context.close()


@pytest.mark.browser
@pytest.mark.skipif(CHROMIUM is None, reason="DID NOT RUN: Chromium is missing")
async def test_a_chart_is_saved_as_a_png_and_the_keyboard_reaches_all(
    site: Site, browser: Browser, tmp_path: Path
) -> None:
    page = await browser.new_page(viewport={"width": 1280, "height": 900})
    await page.goto(f"{site.url}/shelf?{site.days}")
    async with page.expect_download() as waiting:
        await page.locator("[data-save=shelf]").click()
    saved = tmp_path / "shelf.png"
    await (await waiting.value).save_as(saved)
    assert saved.read_bytes().startswith(b"\x89PNG")
    await page.keyboard.press("Tab")
    await page.goto(f"{site.url}/today?{site.days}")
    await page.keyboard.press("Tab")
    assert await page.evaluate("document.activeElement.className") == "skip"
    for _ in range(3):
        await page.keyboard.press("Tab")
    assert await page.evaluate("document.activeElement.closest('nav') !== null")
    shown = await page.locator("[data-testid=figure-transactions]").inner_text()
    (transactions,) = site.row(
        "SELECT count(*) FROM baskets WHERE closed_at >= %(since)s AND closed_at < %(until)s"
    )
    assert shown.replace(" ", "") == str(transactions)
    await page.close()
