"""Experiments planned, started and stopped from a page: what it will cost comes before the name.

Three steps, each a form that works without a script: the question; what it needs, from the store's
own past; and the name of who answers for it. Only the last one tells anybody anything.
"""

import asyncio
from collections.abc import Mapping
from typing import Any
from urllib.parse import parse_qs, urlsplit

import msgspec
import psycopg
from fastapi import FastAPI, Request, Response
from fastapi.responses import RedirectResponse

from infra.experiment.errors import ExperimentError
from infra.experiment.planning import lines, propose
from infra.experiment.plans import Draft, approved, label, stopped
from infra.experiment.reading import plans_in
from infra.experiment.topic import newest, tell
from infra.pages import render
from infra.pages.errors import PageError, PagesDatabaseError
from infra.pages.routes import Pages
from streams.contracts.experiment import ExperimentPlan
from streams.sink.database import cannot_connect

#: A form of ours is some hundred bytes.
_MOST_BYTES = 16_384

_PAGE = "/experiment/plan"
_CONNECT_TIMEOUT_S = 3

_OUTCOMES = (
    ("basket_value", "Baskets: value"),
    ("basket_units", "Baskets: units"),
    ("product_value", "A product or category: value"),
    ("product_units", "A product or category: units"),
)


class FormError(PageError):
    """What was typed into the form makes no plan."""


def add_planning(
    app: FastAPI, pages: Pages, kafka: str, *, simulated: bool, true_effect: float | None
) -> None:
    """Adds the forms. `simulated` and `true_effect` are written into every plan of such a store."""

    def shown(**more: object) -> Response:
        status = 400 if more.get("refusal") else 200
        values: dict[str, object] = {
            "store_name": pages.layout.name,
            "here": "/experiment",
            "outcomes": _OUTCOMES,
            "categories": sorted({z.category for z in pages.layout.zones if z.category}),
            "simulated": pages.simulated,
            "form": {},
            "told": (),
            "draft": "",
            "running": None,
            "refusal": "",
            **more,
        }
        text = render.template("plan.html", values)
        return Response(text, media_type="text/html; charset=utf-8", status_code=status)

    @app.get(_PAGE)
    async def form() -> Response:
        try:
            return shown(running=await asyncio.to_thread(_running, pages))
        except PageError as error:
            return shown(refusal=str(error))

    @app.post(_PAGE)
    async def proposal(request: Request) -> Response:
        typed: Mapping[str, str] = {}
        try:
            typed = await _typed(request)
            draft = _draft(typed, pages, simulated=simulated, true_effect=true_effect)
            proposed = await asyncio.to_thread(_proposed, pages, draft)
        except (PageError, ExperimentError) as error:
            return shown(form=typed, refusal=str(error))
        text = msgspec.json.encode(proposed.draft).decode()
        return shown(form=typed, told=tuple(lines(proposed)), draft=text)

    @app.post(f"{_PAGE}/start")
    async def start(request: Request) -> Response:
        typed: Mapping[str, str] = {}
        try:
            typed = await _typed(request)
            draft = _draft_of(typed.get("draft", ""), pages)
            running = (await newest(kafka)).get(pages.layout.store_id)
            now_ms = int(pages.now().timestamp() * 1000)
            await tell(kafka, approved(draft, typed.get("by"), now_ms, running))
        except (PageError, ExperimentError) as error:
            return shown(form=typed, draft=typed.get("draft", ""), refusal=str(error))
        return RedirectResponse("/experiment?started=1", status_code=303)

    @app.post(f"{_PAGE}/stop")
    async def stop(request: Request) -> Response:
        try:
            typed = await _typed(request)
            store_id = pages.layout.store_id
            plan = (await newest(kafka)).get(store_id)
            now_ms = int(pages.now().timestamp() * 1000)
            await tell(kafka, stopped(plan, store_id, typed.get("by"), now_ms))
        except (PageError, ExperimentError) as error:
            return shown(refusal=str(error))
        return RedirectResponse("/experiment?stopped=1", status_code=303)


async def _typed(request: Request) -> dict[str, str]:
    """The fields of a form of our own page.

    Raises FormError: another site sent it, or it is no form of ours.
    """
    origin = request.headers.get("origin", "")
    if urlsplit(origin).netloc != request.headers.get("host"):
        raise FormError("another site sent this form, so nothing was done; use the page itself")
    body = b""
    async for part in request.stream():
        body += part
        if len(body) > _MOST_BYTES:
            raise FormError("the form is too large; shorten what was typed")
    try:
        fields = parse_qs(body.decode(), keep_blank_values=True, max_num_fields=50)
    except (UnicodeDecodeError, ValueError) as error:
        raise FormError("the form cannot be read; use the page itself") from error
    return {name: values[-1].strip() for name, values in fields.items()}


def _draft(
    typed: Mapping[str, str], pages: Pages, *, simulated: bool, true_effect: float | None
) -> Draft:
    category = typed.get("category", "")
    outcome = typed.get("outcome", "basket_value")
    if outcome.startswith("product") and not category:
        raise FormError("a question about products needs a category; choose one")
    values: dict[str, Any] = {
        "experiment_id": typed.get("experiment_id", ""),
        "store_id": pages.layout.store_id,
        "hypothesis": typed.get("hypothesis", ""),
        "outcome": outcome,
        "adaptive_share": _share(typed, "adaptive_share", "50", 1, 99),
        "smallest_effect": _share(typed, "smallest_effect", "5", 0.1, 1000),
        "categories": [category] if category else [],
        "simulated": simulated,
        "true_effect": true_effect if simulated else None,
    }
    try:
        return msgspec.convert(values, Draft)
    except msgspec.ValidationError as error:
        raise FormError(f"this makes no plan ({error}); correct the field") from None


def _share(typed: Mapping[str, str], name: str, usual: str, least: float, most: float) -> float:
    text = typed.get(name) or usual
    try:
        value = float(text)
    except ValueError:
        value = float("nan")
    if not least <= value <= most:
        words = name.replace("_", " ")
        raise FormError(f"the {words} is {text[:20]!r}; give a number from {least:g} to {most:g}")
    return value / 100


def _draft_of(text: str, pages: Pages) -> Draft:
    try:
        draft = msgspec.json.decode(text, type=Draft)
    except msgspec.DecodeError:
        raise FormError("the draft was lost on the way; plan it again") from None
    if draft.store_id != pages.layout.store_id:
        raise FormError("the draft is of another store; plan it here")
    return draft


def _running(pages: Pages) -> dict[str, str] | None:
    """The experiment that runs here, for people; None where none does."""
    with _connected(pages) as connection:
        plans = plans_in(connection)
    now_ms = int(pages.now().timestamp() * 1000)
    for plan in plans:
        if plan.store_id == pages.layout.store_id and _open(plan, now_ms):
            return {
                "name": plan.experiment_id,
                "by": plan.approved_by,
                "label": label(plan) or "",
            }
    return None


def _open(plan: ExperimentPlan, now_ms: int) -> bool:
    return plan.closed_at_ms is None or plan.closed_at_ms > now_ms


def _proposed(pages: Pages, draft: Draft) -> Any:
    now_ms = int(pages.now().timestamp() * 1000)
    with _connected(pages) as connection:
        return propose(draft, now_ms, connection, layout=pages.layout)


def _connected(pages: Pages) -> psycopg.Connection[Any]:
    try:
        return psycopg.connect(
            pages.database.get_secret_value(),
            autocommit=True,
            connect_timeout=_CONNECT_TIMEOUT_S,
            application_name="smartstore-pages",
        )
    except psycopg.Error as error:
        raise PagesDatabaseError(cannot_connect(pages.database, error)) from error
