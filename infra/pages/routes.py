"""The addresses of the pages: each as HTML, CSV and PDF."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from urllib.parse import urlencode
from zoneinfo import ZoneInfo

from fastapi import FastAPI, Request, Response
from fastapi.concurrency import run_in_threadpool
from pydantic import SecretStr

from infra.alerts.watch import Alert
from infra.pages import render
from infra.pages.errors import PageError, PagesDatabaseError, PeriodError
from infra.pages.model import Page
from infra.pages.period import Period, last_week, parse
from infra.pages.reading import Ask, connected
from streams.contracts.layout import StoreLayout

Builder = Callable[[Ask], Awaitable[Page]]


@dataclass(frozen=True, slots=True)
class Pages:
    """What the pages are made of. `now` is the clock."""

    database: SecretStr
    layout: StoreLayout
    simulated: str | None
    now: Callable[[], datetime]
    alerts: Callable[[], Sequence[Alert]] = tuple

    @property
    def zone(self) -> ZoneInfo:
        """The store's time zone."""
        return ZoneInfo(self.layout.time_zone)


def add_pages(app: FastAPI, pages: Pages, builders: Mapping[str, Builder]) -> None:
    """Adds a route for each page: `builders` maps a name such as 'today' to who builds it."""
    for name, build in builders.items():
        _add(app, pages, name, build)


def _add(app: FastAPI, pages: Pages, name: str, build: Builder) -> None:
    async def built(request: Request) -> tuple[Page, Period]:
        now = pages.now().astimezone(pages.zone)
        period = _period(request, name, now.date(), pages.zone)
        async with connected(pages.database) as connection:
            ask = Ask(
                connection=connection,
                database=pages.database,
                layout=pages.layout,
                period=period,
                now=now,
                compared=request.query_params.get("compare") == "1" or name == "monday",
                simulated=pages.simulated,
            )
            return await build(ask), period

    @app.get(f"/{name}")
    async def as_html(request: Request) -> Response:
        try:
            page, period = await built(request)
        except PageError as error:
            return _refusal(error, pages)
        today = pages.now().astimezone(pages.zone).date()
        extra = {**_around(request, page, period, today), "alerts": pages.alerts()}
        text = render.html(page, pages.layout.name, extra)
        return Response(text, media_type="text/html; charset=utf-8")

    @app.get(f"/{name}.csv")
    async def as_csv(request: Request) -> Response:
        try:
            page, _ = await built(request)
        except PageError as error:
            return _refusal(error, pages)
        return _file(render.to_csv(page).encode("utf-8-sig"), "text/csv; charset=utf-8", page)

    @app.get(f"/{name}.pdf")
    async def as_pdf(request: Request) -> Response:
        try:
            page, _ = await built(request)
        except PageError as error:
            return _refusal(error, pages)
        content = await run_in_threadpool(render.to_pdf, page, pages.layout.name)
        return _file(content, "application/pdf", page)


def _period(request: Request, name: str, today: date, zone: ZoneInfo) -> Period:
    first, last = request.query_params.get("from"), request.query_params.get("to")
    if name == "monday" and not first and not last:
        return last_week(today, zone)
    return parse(first, last, today, zone)


def _around(request: Request, page: Page, period: Period, today: date) -> dict[str, object]:
    return {
        "today": today,
        "query": urlencode(dict(request.query_params)),
        "ranges": [
            (name, f"{page.path}?{urlencode(_query(span, page.compared))}", span == period)
            for name, span in _ranges(today, period.zone)
        ],
        "started": "started" in request.query_params,
        "stopped": "stopped" in request.query_params,
    }


def _ranges(today: date, zone: ZoneInfo) -> list[tuple[str, Period]]:
    yesterday = today - timedelta(days=1)
    return [
        ("Today", Period(today, today, zone)),
        ("Yesterday", Period(yesterday, yesterday, zone)),
        ("7 days", Period(today - timedelta(days=6), today, zone)),
        ("28 days", Period(today - timedelta(days=27), today, zone)),
    ]


def _query(period: Period, compared: bool) -> dict[str, str]:
    days = {"from": period.first.isoformat(), "to": period.last.isoformat()}
    return {**days, "compare": "1"} if compared else days


def _file(content: bytes, media_type: str, page: Page) -> Response:
    ending = "csv" if "csv" in media_type else "pdf"
    name = f"{page.path.strip('/')}-{page.period.first}-{page.period.last}.{ending}"
    return Response(
        content,
        media_type=media_type,
        headers={"Content-Disposition": f'attachment; filename="{name}"'},
    )


def _refusal(error: PageError, pages: Pages) -> Response:
    away = isinstance(error, PagesDatabaseError)
    title = "This page cannot be shown now" if away else "These days make no page"
    text = render.failure(title, str(error), pages.layout.name)
    status = 503 if away else 400 if isinstance(error, PeriodError) else 500
    return Response(text, media_type="text/html; charset=utf-8", status_code=status)
