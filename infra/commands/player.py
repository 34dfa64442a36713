"""`smartstore player`: one screen's process, and what belongs to it: pairing its pages, checking
its proofs, trying another vendor's player. `smartstore publisher`: signed playlists for them all.
"""

import asyncio
import datetime as dt
import io
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from pydantic import SecretStr
from rich.console import Console
from rich.table import Table

from infra.commands.parts import LayoutFile, ReadyFile
from infra.commands.runtime import (
    layout_of,
    pace_fetches,
    ready_with,
    run_until_signal,
    settings_of,
)
from infra.commands.waiting import wait_for_broker
from infra.errors import UserError
from infra.settings import PlaceSettings
from streams.settings import KafkaSettings

if TYPE_CHECKING:
    from signage.core.chain import PlayerChain
    from signage.player.certify.checks import Check
    from signage.settings import PlayerSettings

app = typer.Typer(invoke_without_command=True, rich_help_panel="Processes")

ScreenName = Annotated[str | None, typer.Option("--screen", help="The screen, as in the layout.")]
Port = Annotated[int | None, typer.Option(min=0, max=65_535, help="Port of the page.")]
Kafka = Annotated[str | None, typer.Option(help="The broker, host:port; else SMARTSTORE_KAFKA.")]


def add_to(tree: typer.Typer) -> None:
    """Adds the commands to the command line."""
    tree.add_typer(app, name="player", rich_help_panel="Processes")
    tree.command(rich_help_panel="Processes")(publisher)


@app.callback()
def player(
    context: typer.Context,
    screen: ScreenName = None,
    layout: LayoutFile = None,
    port: Port = None,
    ready_file: ReadyFile = None,
) -> None:
    """One screen: follows its content and serves its full-screen page on this machine. Plays on
    while the broker is away."""
    if context.invoked_subcommand is not None:
        return
    if screen is None:
        raise UserError("no screen was named; name one of the layout's with --screen")
    from signage.catalogue import load_catalogue
    from signage.player.service import run_player

    settings = _player_settings(screen, layout, port)
    pace_fetches()
    catalogue = load_catalogue()
    run_until_signal(
        lambda stop: run_player(settings, catalogue, stop=stop, ready=ready_with(ready_file))
    )


def _player_settings(screen: str, layout: Path | None, port: int | None) -> "PlayerSettings":
    from signage.settings import PlayerSettings

    store = layout_of(layout)
    found = [s for s in store.screens if s.screen_id == screen]
    if not found:
        known = ", ".join(s.screen_id for s in store.screens) or "none"
        raise UserError(f"the layout has no screen {screen!r}; name one with --screen: {known}")
    settings = settings_of(
        PlayerSettings,
        store_id=store.store_id,
        area_id=found[0].area_id,
        screen_id=screen,
        player_port=port,
    )
    told = {
        "store_name": settings.store_name or store.name,
        "store_contact": settings.store_contact or store.contact or "",
    }
    return settings.model_copy(update=told)


def publisher(layout: LayoutFile = None, ready_file: ReadyFile = None) -> None:
    """Signs a playlist for every screen and hands out its files. Waits for the broker."""
    from signage.catalogue import load_catalogue
    from signage.publisher.service import run_publisher
    from signage.settings import PublisherSettings

    store = layout_of(layout)
    pace_fetches()
    settings = settings_of(PublisherSettings)
    catalogue = load_catalogue()

    async def main(stop: asyncio.Event) -> None:
        if await wait_for_broker(settings.kafka, stop):
            ready = ready_with(ready_file)
            await run_publisher(settings, store, catalogue, stop=stop, ready=ready)

    run_until_signal(main)


@app.command()
def pair(
    screen: Annotated[str, typer.Option(help="The screen, as in the layout.")],
    layout: LayoutFile = None,
    port: Port = None,
    forget: Annotated[bool, typer.Option(help="Let go of every page instead.")] = False,
) -> None:
    """A one-time code for a page on another machine; run it where the player runs."""
    from signage.player.certificate import lan_address, own_certificate
    from signage.player.pairing import OFFER_MS, Pairing

    console = Console(highlight=False, soft_wrap=True, emoji=False)
    settings = _player_settings(screen, layout, port)
    pairing = Pairing(settings.folder)
    if forget:
        console.print(f"{pairing.forget()} page(s) of {screen} let go; each must be paired anew.")
        return
    if not settings.paired:
        raise UserError(
            "this player serves its page to this machine alone and pairs nobody; set "
            "SMARTSTORE_PLAYER_HOST to an address on the store's network (or "
            "SMARTSTORE_PLAYER_PAIRING=on), for the player too"
        )
    certificate = own_certificate(settings.folder, settings.player_host, dt.datetime.now(dt.UTC))
    code = pairing.offer(time.time_ns() // 1_000_000)
    host = settings.player_host
    if host in ("0.0.0.0", "::"):  # noqa: S104 - only compared
        host = lan_address()
    url = f"https://{host}:{settings.player_port}/pair"
    console.print(f"open         {url}")
    console.print(f"code         {code}  (once, within {OFFER_MS // 60_000} minutes)")
    console.print(f"fingerprint  {certificate.fingerprint}")
    console.print("The page's certificate is the player's own: compare the fingerprint once.")
    typer.echo(_qr(f"{url}#code={code}&fingerprint={certificate.fingerprint}"), nl=False)


def _qr(text: str) -> str:
    import segno

    out = io.StringIO()
    segno.make(text, error="l", micro=False).terminal(out=out, compact=True)
    return out.getvalue()


@app.command("verify-chain")
def verify_chain(
    file: Annotated[
        Path | None,
        typer.Argument(readable=False, help="Proofs as JSON lines; else those of the broker."),
    ] = None,
    kafka: Kafka = None,
    database: Annotated[
        bool,
        typer.Option(help="The plays of SMARTSTORE_DATABASE instead: are places missing or taken?"),
    ] = False,
    player_id: Annotated[str | None, typer.Option(help="Only those of this player.")] = None,
) -> None:
    """Whether proofs of play are lost, doubled or altered: reads signage.play.v1 from its beginning
    and follows each player's hash chain. Ends with 1 where one is not intact."""
    from signage.core.chain import verify, verify_ended

    console = Console(highlight=False, soft_wrap=True, emoji=False)
    chains = verify_ended(_ended()) if database else verify(_proofs(file, kafka))
    chains = [c for c in chains if player_id in (None, c.player_id)]
    if not chains:
        raise UserError("there is no proof of play; name another broker, file or player")
    table = Table("player", "proofs", "from", "to", "repeats", "lost", "doubled", "altered", "")
    for chain in chains:
        table.add_row(
            chain.player_id,
            str(chain.proofs),
            str(chain.first_seq),
            str(chain.last_seq),
            str(chain.repeats),
            str(chain.lost),
            str(chain.doubled),
            str(chain.altered),
            "intact" if chain.intact else "NOT intact",
        )
    console.print(table)
    _say_found(console, chains)
    if not all(chain.intact for chain in chains):
        raise typer.Exit(1)


def _say_found(console: Console, chains: "list[PlayerChain]") -> None:
    for chain in chains:
        for what in chain.found:
            console.print(f"  {chain.player_id}: {what}", markup=False)


def _ended() -> list[tuple[str, int | None, str | None]]:
    from infra.proofs import read_ended

    dsn = settings_of(PlaceSettings).database
    if dsn is None:
        raise UserError("no database was named; set SMARTSTORE_DATABASE to its address")
    return read_ended(SecretStr(dsn))


def _proofs(file: Path | None, kafka: str | None) -> list[bytes]:
    if file is not None:
        try:
            return [line for line in file.read_bytes().splitlines() if line.strip()]
        except OSError as error:
            raise UserError(
                f"{file} cannot be read ({error.strerror}); name a file of proofs"
            ) from error
    from infra.proofs import read_proofs

    return asyncio.run(read_proofs(settings_of(KafkaSettings, kafka=kafka).bootstrap))


@app.command()
def certify(
    port: Annotated[
        int, typer.Option(min=0, max=65_535, help="Where the page or program is to connect.")
    ] = 8199,
    page: Annotated[
        Path | None,
        typer.Option(
            file_okay=False, exists=True, help="A folder with the vendor's index.html, to serve."
        ),
    ] = None,
    kafka: Kafka = None,
    screen: Annotated[
        str | None,
        typer.Option(help="Try a player that follows Kafka by itself, on this screen's key."),
    ] = None,
    area: Annotated[str, typer.Option(help="The screen's area, with --screen.")] = "certify",
    wait_s: Annotated[
        float, typer.Option(min=1.0, max=3_600.0, help="How long to wait for it (s).")
    ] = 60.0,
) -> None:
    """Tries another vendor's player against the contract: a page or program that connects here, or
    with --screen one that follows Kafka. Ends with 1 where a check fails."""
    console = Console(highlight=False, soft_wrap=True, emoji=False)
    if screen is not None:
        from signage.player.certify.follower import certify_follower

        bootstrap = settings_of(KafkaSettings, kafka=kafka).bootstrap
        console.print(f"waiting for plays of {screen} from {bootstrap}", markup=False)
        checks = asyncio.run(certify_follower(bootstrap, screen, area, wait_s))
    else:
        from signage.player.certify.page import certify_page

        checks = asyncio.run(
            certify_page(port, wait_s, lambda url: console.print(f"open {url}"), page)
        )
    _print_checks(console, checks)
    if not all(check.passed for check in checks):
        raise typer.Exit(1)


def _print_checks(console: Console, checks: "list[Check]") -> None:
    table = Table("check", "", "seen")
    for check in checks:
        table.add_row(check.name, "pass" if check.passed else "FAIL", check.seen)
    console.print(table)
    passed = sum(check.passed for check in checks)
    console.print(f"{passed} of {len(checks)} checks passed")
