"""`smartstore dlq`: what the consumers gave up on, with its reason; replay it or drop it."""

import asyncio
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.table import Table

from infra.commands.runtime import settings_of
from infra.errors import UserError
from streams.contracts.topics import CONSUMERS
from streams.settings import KafkaSettings

if TYPE_CHECKING:
    from infra.deadletters import Letter

app = typer.Typer(
    help="Dead letters: what a consumer could not decode or handle.", no_args_is_help=True
)

#: So much of a value is shown.
_SHOWN_BYTES = 2_000

Kafka = Annotated[str | None, typer.Option(help="The broker, host:port; else SMARTSTORE_KAFKA.")]
Consumer = Annotated[str, typer.Argument(help=f"Whose letters: {', '.join(CONSUMERS)}.")]
Offset = Annotated[int, typer.Argument(min=0, help="The letter's offset, as `list` shows it.")]
Through = Annotated[
    int | None, typer.Option(min=0, help="Up to the letter at this offset; else all open ones.")
]
Only = Annotated[int | None, typer.Option(min=0, help="The letter at this offset alone.")]


@app.command("list")
def list_letters(
    consumer: Annotated[str | None, typer.Argument(help="Only this consumer's.")] = None,
    kafka: Kafka = None,
) -> None:
    """The open letters, by consumer, topic and error."""
    from infra.deadletters import heaps, open_letters

    bootstrap = _bootstrap(kafka)
    names = CONSUMERS if consumer is None else (_known(consumer),)
    letters = [x for name in names for x in asyncio.run(open_letters(bootstrap, name))]
    if not letters:
        Console().print("No dead letters are open.")
        return
    table = Table("letters", "consumer", "topic", "error", "newest", "its offset", "its reason")
    for heap in heaps(letters):
        newest = heap.newest
        table.add_row(
            str(heap.count),
            heap.consumer,
            heap.topic,
            heap.exception,
            newest.told_at,
            str(newest.offset),
            newest.reason[:80],
        )
    Console().print(table)


@app.command()
def show(consumer: Consumer, offset: Offset, kafka: Kafka = None) -> None:
    """One letter: where it came from, why it was given up on, and its bytes."""
    from infra.deadletters import letter_at

    letter = asyncio.run(letter_at(_bootstrap(kafka), _known(consumer), offset))
    console = Console(soft_wrap=True, markup=False, highlight=False)
    console.print(f"{letter.consumer} gave it up at {letter.told_at}")
    console.print(
        f"from       {letter.topic} partition {letter.partition} offset {letter.topic_offset}"
    )
    console.print(f"because    {letter.exception}: {letter.reason}")
    console.print(f"key        {letter.key!r}")
    value = letter.value or b""
    cut = "" if letter.whole else ", cut"
    console.print(f"value      {len(value)} bytes{cut}")
    console.print(value[:_SHOWN_BYTES].decode(errors="backslashreplace"))


@app.command()
def replay(
    consumer: Consumer, through: Through = None, only: Only = None, kafka: Kafka = None
) -> None:
    """Sends the originals to their topics again, once their cause is mended. Repeats do no harm.

    Those up to `--through` (else all) are then no longer listed; with `--only` the list stays.
    """
    from infra.deadletters import close_through, letter_at, open_letters
    from infra.deadletters import replay as send

    bootstrap, name = _bootstrap(kafka), _known(consumer)
    if only is not None:
        letters = [asyncio.run(letter_at(bootstrap, name, only))]
    else:
        letters = _until(asyncio.run(open_letters(bootstrap, name)), through)
    sent = asyncio.run(send(bootstrap, letters))
    if only is None and letters:
        asyncio.run(close_through(bootstrap, name, letters[-1].offset))
    Console().print(f"{sent} records replayed.")


@app.command()
def drop(
    consumer: Consumer,
    through: Through = None,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    kafka: Kafka = None,
) -> None:
    """Lists them no longer. Their bytes stay until retention deletes them (7 days)."""
    from infra.deadletters import close_through, open_letters

    bootstrap, name = _bootstrap(kafka), _known(consumer)
    letters = _until(asyncio.run(open_letters(bootstrap, name)), through)
    if not letters:
        Console().print("No dead letters are open.")
        return
    if not yes and not typer.confirm(f"Drop {len(letters)} letters of {name}?"):
        raise UserError("nothing was dropped; answer y, or give --yes")
    asyncio.run(close_through(bootstrap, name, letters[-1].offset))
    Console().print(f"{len(letters)} letters dropped.")


def _bootstrap(kafka: str | None) -> str:
    return settings_of(KafkaSettings, kafka=kafka).bootstrap


def _known(consumer: str) -> str:
    if consumer not in CONSUMERS:
        raise UserError(
            f"no consumer {consumer!r} keeps dead letters; name one of {', '.join(CONSUMERS)}"
        )
    return consumer


def _until(letters: "list[Letter]", through: int | None) -> "list[Letter]":
    return [letter for letter in letters if through is None or letter.offset <= through]
