"""`smartstore export`: what others may have, with its formula and its error beside it."""

import json
from datetime import date, datetime, time, timedelta
from fractions import Fraction
from pathlib import Path
from typing import Annotated, Any
from zoneinfo import ZoneInfo

import typer
from pydantic import SecretStr
from rich.console import Console
from rich.table import Table

from infra.commands.runtime import layout_of, settings_of
from infra.errors import UserError
from infra.settings import PlaceSettings

app = typer.Typer(
    help="Exports: impression multipliers, campaign reports, the demand signal.",
    no_args_is_help=True,
)

Layout = Annotated[Path | None, typer.Option(help="The layout; else SMARTSTORE_LAYOUT.")]
Out = Annotated[Path | None, typer.Option("--json", help="Write the export here as JSON.")]
First = Annotated[str, typer.Option("--from", help="First day of the store's calendar, ISO 8601.")]
Last = Annotated[str, typer.Option("--to", help="Last day.")]
Simulated = Annotated[bool, typer.Option(help="Say that the numbers are of a simulated store.")]


@app.command()
def openrtb(first: First, last: Last, layout: Layout = None, out: Out = None) -> None:
    """The `qty` multiplier of each screen and hour of the week (OpenRTB 2.6)."""
    from infra.exports.delivered import hours
    from infra.exports.openrtb import FORMULA, qty

    store = layout_of(layout)
    with _connected() as connection:
        found = hours(connection, store, _day(first), _day(last))
    rows = [
        {"screen_id": hour.screen_id, "hour_of_week": hour.hour_of_week, "qty": qty(hour)}
        for hour in found
    ]
    known = [row for row in rows if row["qty"] is not None]
    console = Console()
    console.print(f"{len(known)} of {len(rows)} hours of the week have a multiplier. {FORMULA}.")
    _write(out, {"formula": FORMULA, "from": first, "to": last, "hours": rows})


@app.command()
def campaign(
    name: Annotated[str, typer.Argument(help="The campaign, as its creatives name it.")],
    first: First,
    last: Last,
    key: Annotated[Path, typer.Option(help="Private key that signs it (`smartstore keys new`).")],
    out: Annotated[Path, typer.Option("--json", help="Write the signed report here.")],
    booked_plays: Annotated[
        int | None, typer.Option(min=1, help="Plays that were booked; else the creatives' budget.")
    ] = None,
    layout: Layout = None,
    simulated: Simulated = False,
) -> None:
    """Booked against delivered, signed."""
    from infra.exports.campaign import report, signed
    from infra.exports.delivered import booked, deliveries
    from signage.errors import SignageError
    from signage.signing import Signer

    store = layout_of(layout)
    try:
        signer = Signer.load(key)
    except SignageError as error:
        raise UserError(str(error)) from error
    with _connected() as connection:
        rows = deliveries(connection, store, name, _day(first), _day(last))
        plays = booked_plays or booked(connection, name)
    content = signed(
        report(
            campaign=name,
            store_id=store.store_id,
            first_day=first,
            last_day=last,
            booked_plays=plays,
            delivered=rows,
            simulated=simulated,
        ),
        signer,
    )
    _write(out, content)
    done = content["delivered"]["plays"]
    share = f", {float(content['delivered_share']):.1%} of what was booked" if plays else ""
    Console().print(f"{name}: {done} plays delivered{share}; signed by {content['key_id']}.")


@app.command()
def verify(
    file: Annotated[Path, typer.Argument(help="A campaign report.")],
    trust: Annotated[Path, typer.Option(help="File of trusted public keys.")],
) -> None:
    """Whether a campaign report is what its key signed."""
    from infra.exports.campaign import verify as check
    from infra.exports.errors import ExportError
    from signage.errors import SignageError
    from signage.signing import Trust

    try:
        content: dict[str, Any] = json.loads(file.read_bytes())
        check(content, Trust.load(trust))
    except (OSError, ValueError, AttributeError) as error:
        raise UserError(f"{file} cannot be read as a report ({error}); name another file") from None
    except (ExportError, SignageError) as error:
        raise UserError(str(error)) from error
    Console().print(f"{file}: signed by {content['key_id']}, and not changed since.")


@app.command()
def demand(
    day: Annotated[
        str, typer.Option(help="The day of the store's calendar; by default yesterday.")
    ] = "",
    epsilon: Annotated[
        str, typer.Option(help="What the day may cost; by default what it was told with, or 1.")
    ] = "",
    layout: Layout = None,
    simulated: Simulated = False,
    out: Out = None,
) -> None:
    """Visits by zone and category of a day, with differential privacy, beside their error."""
    from infra.exports.errors import ExportError
    from infra.exports.signal import ledger, tell

    store = layout_of(layout)
    now = datetime.now(ZoneInfo(store.time_zone))
    chosen = _day(day) if day else now.date() - timedelta(days=1)
    with _connected() as connection:
        try:
            told = tell(
                connection,
                store,
                chosen,
                _fraction(epsilon) if epsilon else None,
                now=now,
                simulated=simulated,
            )
        except ExportError as error:
            raise UserError(str(error)) from error
        spent = ledger(connection, store.store_id)
    title = f"Visits on {told.day}" + (", simulated" if told.simulated else "")
    table = Table("zone", "category", "visits (noised)", title=title)
    for zone, category, visits in told.cells:
        table.add_row(zone, category, str(visits))
    console = Console()
    console.print(table)
    console.print(
        f"epsilon {told.epsilon:g}, delta {told.delta:g}, sensitivity {told.sensitivity}: the "
        f"standard error of a cell is {told.standard_error:.1f} visits, and 95 % are within "
        f"{told.error_95}. Cells below {told.threshold} are left out."
    )
    midnight = datetime.combine(told.day, time.min, now.tzinfo)
    if told.counted_from is not None and told.counted_from > midnight:
        since = told.counted_from.astimezone(now.tzinfo)
        console.print(f"Only visits from {since:%H:%M} on: the rows before were deleted already.")
    console.print(f"Ledger: {len(spent)} days, {sum(e for _, e, _ in spent):g} epsilon in all.")
    _write(
        out,
        {
            "store_id": store.store_id,
            "day": told.day.isoformat(),
            "simulated": told.simulated,
            "epsilon": told.epsilon,
            "delta": told.delta,
            "sensitivity": told.sensitivity,
            "threshold": told.threshold,
            "standard_error": told.standard_error,
            "error_95": told.error_95,
            "counted_from": None if told.counted_from is None else told.counted_from.isoformat(),
            "cells": [
                {"zone_id": zone, "category": category, "noised_visits": visits}
                for zone, category, visits in told.cells
            ],
            "ledger": [
                {"day": spent_on.isoformat(), "epsilon": cost, "standard_error": error}
                for spent_on, cost, error in spent
            ],
        },
    )


def _connected() -> Any:
    import psycopg

    from streams.sink.database import cannot_connect

    dsn = settings_of(PlaceSettings).database
    if not dsn:
        raise UserError(
            "no database was named; set SMARTSTORE_DATABASE to its DSN, such as "
            "postgresql://user@host/name (the password belongs into PGPASSFILE)"
        )
    try:
        return psycopg.connect(dsn, autocommit=True, connect_timeout=5)
    except psycopg.Error as error:
        raise UserError(cannot_connect(SecretStr(dsn), error)) from None


def _day(text: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise UserError(
            f"{text!r} is not a day; write it as year-month-day, such as 2026-03-09"
        ) from None


def _fraction(text: str) -> Fraction:
    try:
        return Fraction(text)
    except (ValueError, ZeroDivisionError):
        raise UserError(f"{text!r} is no number for --epsilon; give one such as 0.5") from None


def _write(out: Path | None, content: dict[str, Any]) -> None:
    if out is None:
        return
    try:
        out.write_text(json.dumps(content, indent=2, ensure_ascii=False) + "\n")
    except OSError as error:
        raise UserError(
            f"the export {out} cannot be written ({error.strerror}); name another file"
        ) from error
