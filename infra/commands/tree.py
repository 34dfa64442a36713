"""All commands of `smartstore`, put together."""

from typing import Any

import typer

# Typer brings a copy of click along and names only a part of its errors in public.
from typer._click.exceptions import ClickException

from infra.commands import (
    annotate,
    bench,
    calibrate,
    creatives,
    databases,
    demo,
    dlq,
    doctor,
    experiment,
    exports,
    keys,
    models,
    notice,
    pages,
    parts,
    player,
    policy,
    receipts,
    replay,
    shelf,
    topics,
    traces,
)

#: What a command line raises whose words are wrong.
UsageMistake = ClickException

app = typer.Typer(
    name="smartstore",
    help="Shelf cameras to screens to baskets: a streaming smart-store event processor.",
    epilog="Exit codes: 0 all well, 1 a fault of the program, 2 a mistake that you can mend (one "
    "sentence on standard error says how), 130 interrupted before it was done.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
)
demo.add_to(app)
parts.add_to(app)
player.add_to(app)
app.add_typer(calibrate.app, name="calibrate")
app.add_typer(models.app, name="models")
app.add_typer(creatives.app, name="creative")
app.add_typer(shelf.stock, name="stock")
app.add_typer(shelf.price, name="price")
app.add_typer(topics.app, name="topics")
app.add_typer(dlq.app, name="dlq")
app.add_typer(databases.app, name="db")
app.add_typer(receipts.app, name="receipts")
app.add_typer(policy.app, name="policy")
replay.add_to(app)
app.add_typer(experiment.app, name="experiment")
app.add_typer(keys.app, name="keys")
app.add_typer(bench.app, name="bench")
app.add_typer(exports.app, name="export")
app.add_typer(pages.app, name="pages")
annotate.add_to(app)
notice.add_to(app)
traces.add_to(app)
doctor.add_to(app)


def command_line() -> Any:
    """The whole command line; call its `main`."""
    return typer.main.get_command(app)
