"""`smartstore replay`: decides the logged decisions again; are they equal?"""

import asyncio
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console

from infra.commands.runtime import layout_of, settings_of
from infra.errors import UserError
from streams.settings import KafkaSettings

if TYPE_CHECKING:
    from infra.replay import Told

_DAY_MS = 86_400_000


def add_to(app: typer.Typer) -> None:
    """Adds the command to the command line."""
    app.command()(replay)


def replay(
    from_: Annotated[
        str | None, typer.Option("--from", help="UTC time, ISO 8601; else a day ago.")
    ] = None,
    to: Annotated[str | None, typer.Option(help="UTC time, ISO 8601; else now.")] = None,
    file: Annotated[
        Path | None, typer.Option(readable=False, help="A file of the log, JSON lines.")
    ] = None,
    layout: Annotated[
        Path | None, typer.Option("--layout", readable=False, help="The layout of the store.")
    ] = None,
    kafka: Annotated[
        str | None, typer.Option(help="The broker, host:port; else SMARTSTORE_KAFKA.")
    ] = None,
) -> None:
    """Decides every logged decision again from what it recorded, and says how many are equal.

    Ends with code 2 where one is not.
    """
    from infra.replay import replay_file, replay_log

    store = layout_of(layout)
    now_ms = time.time_ns() // 1_000_000
    to_ms = now_ms if to is None else _at_ms(to)
    from_ms = (0 if file is not None else now_ms - _DAY_MS) if from_ is None else _at_ms(from_)
    if file is not None:
        told = replay_file(file, store, from_ms, to_ms)
    else:
        bootstrap = settings_of(KafkaSettings, kafka=kafka).bootstrap
        told = asyncio.run(replay_log(bootstrap, store, from_ms, to_ms))
    _say(told)


def _say(told: "Told") -> None:
    console = Console(soft_wrap=True, markup=False, highlight=False)
    console.print(
        f"{told.decisions} decisions: {told.equal} equal, "
        f"{told.decisions - told.equal - told.unknown.total()} different, "
        f"{told.unknown.total()} that cannot be decided again; {told.without_sentence} without a "
        "sentence"
    )
    for why, count in told.unknown.most_common():
        console.print(f"  {count}: {why}")
    for outcome in told.differences:
        console.print(f"  ! {outcome.decision_id}: {outcome.why}")
    if told.differences:
        raise UserError(
            f"at least {len(told.differences)} decisions do not come out as they were logged; tell "
            "the makers, with the lines above"
        )


def _at_ms(text: str) -> int:
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        raise UserError(f"{text!r} is no time; give it as 2026-01-31T09:00") from None
    return int(at.replace(tzinfo=at.tzinfo or UTC).timestamp() * 1_000)
