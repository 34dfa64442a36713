"""`smartstore receipts`: from a till's files, folder, requests or topic to baskets."""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from infra.commands.runtime import layout_of, ready_with, run_until_signal, settings_of
from infra.commands.waiting import wait_for_broker
from infra.errors import UserError, os_sentence

if TYPE_CHECKING:
    from infra.receipts.intake import Intake, Taken
    from infra.receipts.memory import Memory
    from infra.receipts.outbox import KafkaOutbox
    from infra.receipts.settings import ReceiptsSettings

app = typer.Typer(
    help="Receipts from tills: checked, then published as baskets.", no_args_is_help=True
)

LayoutFile = Annotated[
    Path | None, typer.Option("--layout", readable=False, help="The layout of the store.")
]
MappingFile = Annotated[
    Path | None,
    typer.Option(readable=False, help="YAML file: names of columns, times, limits."),
]
ReadyFile = Annotated[Path | None, typer.Option(help="A file to make once this process works.")]


@app.command()
def load(
    file: Annotated[Path, typer.Argument(readable=False, help="CSV, JSON or JSON lines.")],
    layout: LayoutFile = None,
    mapping: MappingFile = None,
) -> None:
    """Takes one file in; the same file again does nothing."""
    from infra.receipts.folder import load as take

    async def main(parts: "_Parts", stop: asyncio.Event) -> None:
        taken = await take(file, parts.intake, parts.memory, _now_ms)
        if taken is None:
            typer.echo(f"{file} was taken before.")
        else:
            _say(taken)

    _run(layout, mapping, main)


@app.command()
def watch(
    folder: Annotated[Path, typer.Argument(readable=False, help="Where tills put their files.")],
    layout: LayoutFile = None,
    mapping: MappingFile = None,
    ready_file: ReadyFile = None,
) -> None:
    """Takes in every file that comes into a folder, then moves it to its subfolder `done`."""
    from infra.receipts.folder import Folder

    async def main(parts: "_Parts", stop: asyncio.Event) -> None:
        watched = Folder(folder, parts.intake, parts.memory, parts.outbox, _now_ms)
        await watched.run(stop, ready_with(ready_file))

    _run(layout, mapping, main)


@app.command()
def serve(
    layout: LayoutFile = None,
    mapping: MappingFile = None,
    port: Annotated[int | None, typer.Option(min=0, max=65_535, help="Port to listen on.")] = None,
    ready_file: ReadyFile = None,
) -> None:
    """POST /receipts: on this machine alone, unless SMARTSTORE_RECEIPTS_HOST and _TOKEN are set."""
    from infra.receipts.http import create_receipts
    from infra.web.serve import PageServer, listen

    async def main(parts: "_Parts", stop: asyncio.Event) -> None:
        settings = parts.settings
        token = settings.token()
        listening = listen(
            settings.receipts_host, settings.receipts_port, "SMARTSTORE_RECEIPTS_PORT"
        )
        host, at = listening.getsockname()[:2]
        typer.echo(f"receipts  http://{host}:{at}/receipts")
        web = create_receipts(parts.intake, token, _now_ms)
        server = PageServer(web, ready_with(ready_file))
        try:
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(server.serve(sockets=[listening]))
                await stop.wait()
                server.should_exit = True
        finally:
            listening.close()

    _run(layout, mapping, main, receipts_port=port)


@app.command()
def follow(
    topic: Annotated[str, typer.Argument(help="A topic of raw receipts as JSON.")],
    layout: LayoutFile = None,
    mapping: MappingFile = None,
    ready_file: ReadyFile = None,
) -> None:
    """Takes in the receipts of a topic of the tills' own. Who can, publishes pos.basket.v1."""
    from infra.receipts.follow import follow as follow_topic

    async def main(parts: "_Parts", stop: asyncio.Event) -> None:
        kafka, ready = parts.settings.kafka, ready_with(ready_file)
        await follow_topic(kafka, topic, parts.intake, now_ms=_now_ms, stop=stop, ready=ready)

    _run(layout, mapping, main)


@app.command()
def doors(
    file: Annotated[
        Path,
        typer.Argument(
            readable=False,
            help="CSV: counter,from,until,entering and if you have them leaving,passers_by.",
        ),
    ],
    layout: LayoutFile = None,
) -> None:
    """Takes in the counts of a counter of the store's own, for conversion and capture rate."""
    from zoneinfo import ZoneInfo

    from infra.receipts.doors import door_counts
    from streams.contracts.codec import record
    from streams.contracts.topics import DOOR_COUNT

    store = layout_of(layout)
    try:
        text = file.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        said = os_sentence(error, str(file)) if isinstance(error, OSError) else f"{file} is no text"
        raise UserError(said) from error
    counts = door_counts(text, store.store_id, ZoneInfo(store.time_zone), _now_ms())

    async def main(parts: "_Parts", stop: asyncio.Event) -> None:
        source = f"smartstore/doors/{store.store_id}"
        await parts.outbox.deliver([record(DOOR_COUNT, count, source) for count in counts])
        typer.echo(f"{len(counts)} counts taken.")

    _run(layout, None, main)


class _Parts:
    """What every source needs, made once the broker answers."""

    def __init__(
        self,
        settings: "ReceiptsSettings",
        intake: "Intake",
        memory: "Memory",
        outbox: "KafkaOutbox",
    ) -> None:
        self.settings, self.intake, self.memory, self.outbox = settings, intake, memory, outbox


def _run(
    layout: Path | None,
    mapping: Path | None,
    main: Callable[[_Parts, asyncio.Event], Awaitable[None]],
    **given: object,
) -> None:
    from infra.receipts.rules import load_mapping, rules_of
    from infra.receipts.settings import ReceiptsSettings

    store = layout_of(layout)
    settings = settings_of(ReceiptsSettings, receipts_mapping=mapping, **given)
    rules = rules_of(load_mapping(settings.receipts_mapping), store)

    @asynccontextmanager
    async def parts() -> AsyncIterator[_Parts]:
        from infra.receipts.intake import Intake
        from infra.receipts.memory import Memory
        from infra.receipts.outbox import KafkaOutbox

        memory = Memory(settings.state / "receipts" / f"{store.store_id}.sqlite")
        try:
            async with KafkaOutbox(settings.kafka) as outbox:
                yield _Parts(settings, Intake(rules, memory, outbox), memory, outbox)
        finally:
            memory.close()

    async def run(stop: asyncio.Event) -> None:
        if await wait_for_broker(settings.kafka, stop):
            async with parts() as made:
                await main(made, stop)

    run_until_signal(run)


def _say(taken: "Taken") -> None:
    typer.echo(
        f"{taken.accepted} receipts taken, {taken.repeated} repeated, "
        f"{taken.refused.total()} refused."
    )
    for place, reason, detail in taken.told:
        typer.echo(f"  {place}: {reason}, {detail}")


def _now_ms() -> int:
    return time.time_ns() // 1_000_000
