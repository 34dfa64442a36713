"""`smartstore topics`: the registry, and the topics on a broker."""

import asyncio
from importlib.metadata import version
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from infra.commands.runtime import layout_of, settings_of
from infra.contracts_page import contracts_page
from infra.errors import UserError
from streams.contracts import asyncapi
from streams.contracts.schema import broken_promises, schema_files
from streams.contracts.topics import TOPICS
from streams.settings import KafkaSettings

app = typer.Typer(help="The registry of topics.", no_args_is_help=True)

Kafka = Annotated[str | None, typer.Option(help="The broker, host:port; else SMARTSTORE_KAFKA.")]


@app.command("list")
def list_registry() -> None:
    """Shows every topic of the registry."""
    table = Table("topic", "value", "partitions", "kept", "compacted")
    for topic in TOPICS.values():
        days = topic.retention_ms / 86_400_000
        kept = f"{days:.0f} d" if days else "for good"
        table.add_row(
            topic.name,
            topic.struct.__name__,
            str(topic.partitions),
            kept,
            "yes" if topic.compact else "no",
        )
    Console().print(table)


@app.command()
def create(
    kafka: Kafka = None,
    partitions: Annotated[
        int | None, typer.Option(min=1, help="Partitions of each topic; else the registry's.")
    ] = None,
    replication_factor: Annotated[int, typer.Option(min=1, help="Copies of each.")] = 1,
) -> None:
    """Makes every topic on a broker; those that exist are left as they are."""
    from infra.topics import create_topics

    bootstrap = settings_of(KafkaSettings, kafka=kafka).bootstrap
    made = asyncio.run(create_topics(bootstrap, partitions, replication_factor=replication_factor))
    Console().print(f"{len(made)} topics made on {bootstrap}.")


@app.command()
def publish(
    layout: Annotated[
        Path | None, typer.Option(help="The store's layout; else SMARTSTORE_LAYOUT.")
    ] = None,
    creatives: Annotated[
        bool,
        typer.Option(
            "--creatives",
            help="Publish the creatives that come along also where some were published before; "
            "this brings back what was withdrawn.",
        ),
    ] = False,
    kafka: Kafka = None,
) -> None:
    """Publishes the store's layout, and at the first time the creatives; safe to repeat."""
    from infra.snapshots import publish_snapshots

    store = layout_of(layout)
    bootstrap = settings_of(KafkaSettings, kafka=kafka).bootstrap
    count = asyncio.run(publish_snapshots(bootstrap, store, creatives_again=creatives))
    Console().print(f"{count} snapshots published on {bootstrap}.")


@app.command()
def schema(
    write: Annotated[
        Path | None, typer.Option(help="A folder to write the files into; else they are printed.")
    ] = None,
    force: Annotated[
        bool, typer.Option("--force", help="Write also what breaks those who know the old files.")
    ] = False,
) -> None:
    """The JSON Schema of every topic's value and the AsyncAPI document, generated from the structs.

    Files that are there already are promises: a change that breaks their readers is refused.
    """
    files = schema_files()
    if write is None:
        for text in files.values():
            typer.echo(text, nl=False)
        return
    known = {p.name: p.read_text() for p in write.glob("*.json") if p.name != asyncapi.FILE}
    broken = [] if force else broken_promises(known)
    if broken:
        raise UserError(f"{len(broken)} changes break readers of {write}, first {broken[0]}")
    write.mkdir(parents=True, exist_ok=True)
    for name, text in {
        **files,
        asyncapi.FILE: asyncapi.asyncapi_file(version("smartstore")),
    }.items():
        (write / name).write_text(text)
    Console().print(f"{len(files)} schemas written to {write}.")


@app.command()
def page(
    write: Annotated[Path, typer.Option(help="The file to write.")] = Path("docs/contracts.md"),
) -> None:
    """The topics as a page for people: who tells and reads each, its key, how long it is kept."""
    write.write_text(contracts_page())
    Console().print(f"{len(TOPICS)} topics described in {write}.")
