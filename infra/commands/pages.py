"""`smartstore pages`: who may open the store's pages from other machines."""

import time
from datetime import UTC, datetime
from typing import Annotated

import typer
from rich.console import Console

from infra.commands.runtime import settings_of
from infra.errors import UserError

app = typer.Typer(help="The store's pages on other machines: pairing.", no_args_is_help=True)


@app.callback()
def _group() -> None:
    """Keeps `pair` a command of its own."""


@app.command()
def pair(
    forget: Annotated[bool, typer.Option(help="Let go of every paired browser instead.")] = False,
) -> None:
    """Prints a code that pairs one browser, and the fingerprint of the pages' certificate."""
    from infra.web.settings import WebSettings
    from signage.player.certificate import lan_address, own_certificate
    from signage.player.pairing import OFFER_MS, Pairing

    settings = settings_of(WebSettings)
    console = Console(soft_wrap=True, emoji=False, highlight=False)
    pairing = Pairing(settings.folder)
    if forget:
        console.print(f"{pairing.forget()} browser(s) let go; each must be paired anew.")
        return
    if not settings.paired:
        raise UserError(
            "the pages are served to this machine alone and pair nobody; set SMARTSTORE_WEB_HOST "
            "to this machine's address on the store's network, or SMARTSTORE_WEB_PAIRING=on"
        )
    certificate = own_certificate(settings.folder, settings.web_host, datetime.now(UTC))
    code = pairing.offer(time.time_ns() // 1_000_000)
    host = lan_address() if settings.web_host in ("0.0.0.0", "::") else settings.web_host  # noqa: S104
    console.print(f"code         {code}  (one browser, {OFFER_MS // 60_000} minutes)")
    console.print(f"open         https://{host}:{settings.web_port}/pair")
    console.print(f"fingerprint  {certificate.fingerprint}")
