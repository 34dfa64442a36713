"""`smartstore creative`: what screens may show: check it, publish it, recall it, look at it."""

import asyncio
import time
from datetime import UTC, tzinfo
from pathlib import Path
from typing import TYPE_CHECKING, Annotated
from zoneinfo import ZoneInfo

import typer
from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict
from rich.console import Console
from rich.table import Table

from infra.commands.runtime import run_until_signal, settings_of
from infra.errors import UserError
from infra.layouts import load_layout
from infra.settings import PlaceSettings
from streams.settings import KafkaSettings

if TYPE_CHECKING:
    from signage.media import MediaArchive
    from streams.contracts.signage import Creative

app = typer.Typer(help="The creatives that screens may show.", no_args_is_help=True)

Kafka = Annotated[str | None, typer.Option(help="The broker, host:port; else SMARTSTORE_KAFKA.")]
Folder = Annotated[
    Path, typer.Argument(help="A creative's folder with its creative.yaml, or a folder of those.")
]


class _StateSettings(BaseSettings):
    """Where the media archive lies."""

    model_config = SettingsConfigDict(env_prefix="SMARTSTORE_", extra="forbid", frozen=True)

    state: Path = Field(Path(".smartstore"), description="folder for what outlives a process")


@app.command()
def check(folder: Folder) -> None:
    """Whether creatives can be published: their files, pages, times and labels. Changes nothing."""
    from infra.creatives.publishing import taken

    console = Console(highlight=False, soft_wrap=True)
    found = taken(folder)
    for each in found:
        console.print(_line(each.creative), markup=False)
    console.print(f"{len(found)} in order.")


@app.command()
def add(folder: Folder, kafka: Kafka = None) -> None:
    """Publishes creatives: a version once published never changes."""
    from infra.creatives import publishing

    console = Console(highlight=False, soft_wrap=True)
    found = publishing.taken(folder)
    added = asyncio.run(publishing.add(_bootstrap(kafka), _archive(), found))
    for each in added:
        console.print(f"{_line(each.creative)}: {each.was}", markup=False)
    console.print(f"{len(added)} published.")


@app.command("list")
def list_creatives(kafka: Kafka = None) -> None:
    """The creatives that are published now, and whether they may be shown at this moment."""
    from infra.creatives.publishing import published
    from infra.creatives.words import place, state, times

    known = asyncio.run(published(_bootstrap(kafka)))
    table = Table("creative", "version", "kind", "language", "where", "when", "AI label", "now")
    now_ms, zone = time.time_ns() // 1_000_000, _zone()
    for creative in sorted(known.values(), key=lambda each: each.creative_id):
        table.add_row(
            creative.creative_id,
            str(creative.version),
            creative.kind,
            creative.language,
            place(creative),
            times(creative),
            _label(creative),
            state(creative, now_ms, zone),
        )
    Console().print(table if known else "No creative is published.")


@app.command()
def withdraw(
    creative_id: Annotated[str, typer.Argument(help="The creative's id, as `list` shows it.")],
    kafka: Kafka = None,
) -> None:
    """Recalls a creative: screens drop it within seconds, and it is not scheduled any more."""
    from infra.creatives.publishing import withdraw as recall

    creative = asyncio.run(recall(_bootstrap(kafka), creative_id))
    Console().print(
        f"{creative_id} (version {creative.version}) is withdrawn. To show it again, add it again.",
        markup=False,
    )


@app.command()
def label(
    file: Annotated[Path, typer.Argument(help="A JPEG, PNG, WebP or video that is AI-generated.")],
    producer: Annotated[str, typer.Option(help="Who generated it (ContentProducer).")],
    id: Annotated[str, typer.Option(help="Its number with the producer (ProduceID).")],
    out: Annotated[
        Path | None, typer.Option(help="The labelled file; else NAME.labelled beside it.")
    ] = None,
    kind: Annotated[
        str, typer.Option(help="1: is AI-generated, 2: may be, 3: is suspected to be.")
    ] = "1",
    propagator: Annotated[str, typer.Option(help="Who spreads it (ContentPropagator).")] = "",
    propagate_id: Annotated[str, typer.Option(help="Its number with them (PropagateID).")] = "",
) -> None:
    """Labels an AI-generated file as GB 45438-2025 asks: drawn on it, and in its metadata."""
    from infra.creatives.labelling import label_file
    from signage.labels.aigc import Aigc

    if kind not in ("1", "2", "3"):
        raise UserError(f"--kind {kind} is not one of 1, 2 and 3; see --help")
    told = Aigc(
        label=kind,  # type: ignore[arg-type]  # looked at above
        content_producer=producer,
        produce_id=id,
        content_propagator=propagator,
        propagate_id=propagate_id,
    )
    target, found = label_file(file, out, told)
    lasting = "" if found.seconds is None else f" for the first {found.seconds:.1f} s"
    Console(soft_wrap=True).print(
        f"{target}: {found.text} at {found.height_share:.1%} of the shortest side{lasting}, and "
        "the AIGC label in its metadata.",
        markup=False,
    )


@app.command()
def page(
    folder: Annotated[
        Path | None, typer.Argument(help="Show these; else what is published on the broker.")
    ] = None,
    kafka: Kafka = None,
    port: Annotated[int, typer.Option(min=0, max=65_535, help="Port; 0 takes a free one.")] = 0,
    open: Annotated[bool, typer.Option("--open", help="Open it in the browser.")] = False,
    own: Annotated[bool, typer.Option("--own", help="Those that come with the product.")] = False,
) -> None:
    """A page with all creatives as they will look, upright and across; until Ctrl-C."""
    from infra.creatives.page import Gallery, serve_gallery
    from signage.catalogue import OWN_CREATIVES

    chosen = OWN_CREATIVES if own else folder
    if chosen is not None:
        gallery = Gallery.of_folder(chosen, _zone())
    else:
        from infra.creatives.publishing import published

        known = asyncio.run(published(_bootstrap(kafka)))
        gallery = Gallery.of_archive(known.values(), _archive(), _zone())

    def ready(url: str) -> None:
        typer.echo(url)
        if open:
            typer.launch(url)

    run_until_signal(lambda stop: serve_gallery(gallery, port, stop=stop, ready=ready))


def _line(creative: "Creative") -> str:
    size = sum(file.bytes for file in creative.files)
    return (
        f"{creative.creative_id} version {creative.version} ({creative.kind}, {creative.language}, "
        f"{len(creative.files)} files, {size / 1024:.0f} KiB, AI label: {_label(creative)})"
    )


def _label(creative: "Creative") -> str:
    if not creative.ai_generated:
        return "not needed"
    if creative.label is None:
        return "MISSING"
    return f"{creative.label.text} {creative.label.height_share:.1%}"


def _zone() -> tzinfo:
    """The store's time zone, where a layout is named; else UTC."""
    path = settings_of(PlaceSettings).layout
    return UTC if path is None else ZoneInfo(load_layout(path).time_zone)


def _archive() -> "MediaArchive":
    from signage.media import MediaArchive

    return MediaArchive(settings_of(_StateSettings).state)


def _bootstrap(kafka: str | None) -> str:
    return settings_of(KafkaSettings, kafka=kafka).bootstrap
