"""`smartstore notice`: the page for the door."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from infra.commands.runtime import layout_of
from infra.errors import UserError, os_sentence


def add_to(app: typer.Typer) -> None:
    """Adds the command to the command line."""
    app.command()(notice)


def notice(
    layout: Annotated[
        Path | None,
        typer.Option(readable=False, help="The store's layout; else SMARTSTORE_LAYOUT."),
    ] = None,
    language: Annotated[str, typer.Option(help="en or de.")] = "en",
    contact: Annotated[
        str | None, typer.Option(help="Whom to ask: a name, a telephone number, an address.")
    ] = None,
    url: Annotated[
        str | None, typer.Option(help="Where more is told; printed as a QR code too.")
    ] = None,
    database_hours: Annotated[
        int,
        typer.Option(
            min=2, max=720, help="How long rows of single tracks stay: what `db keep` was told."
        ),
    ] = 24,
    out: Annotated[Path, typer.Option(help="The file to write.")] = Path("notice.html"),
) -> None:
    """Writes the notice for the door: what is measured, how long it is kept, whom to ask."""
    from infra.calibrate.notice import WORDS
    from infra.calibrate.notice import notice as notice_of

    store = layout_of(layout)
    if language not in WORDS:
        raise UserError(f"--language {language} is not known; give {' or '.join(WORDS)}")
    if url is not None and not url.startswith(("https://", "http://")):
        raise UserError(f"--url {url} is no address; begin it with https://")
    if max(len(contact or ""), len(url or "")) > 500:
        raise UserError("--contact and --url have 500 characters at the most; shorten them")
    now = datetime.now(UTC)
    day = now.strftime("%d.%m.%Y") if language == "de" else now.strftime("%-d %B %Y")
    text = notice_of(store, "de" if language == "de" else "en", day, contact, url, database_hours)
    try:
        out.write_text(text, encoding="utf-8")
    except OSError as error:
        raise UserError(os_sentence(error, str(out))) from error
    typer.echo(f"Written to {out}; print it and hang it where people come in.")
    if contact is None:
        typer.echo("It says to ask at the till; name somebody with --contact.")
