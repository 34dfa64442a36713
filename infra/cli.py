"""The command line `smartstore`. A user's mistake is one sentence and exit code 2."""

import sys

import typer
from rich.console import Console

from infra.commands import databases, demo, doctor, models, parts, topics
from infra.db.errors import SchemaError
from infra.errors import UserError
from infra.stack.errors import StackError
from infra.triton.errors import DetectorModelError
from infra.web.errors import WebError
from signage.errors import SignageError
from streams.contracts.errors import ContractError
from streams.errors import StreamsError
from streams.sink.errors import SinkError
from vision.errors import VisionError

#: The roots of every package's errors: their texts are written for people.
_SENTENCES = (
    UserError,
    StackError,
    DetectorModelError,
    SchemaError,
    SignageError,
    ContractError,
    StreamsError,
    SinkError,
    VisionError,
    WebError,
)

app = typer.Typer(
    name="smartstore",
    help="Shelf cameras to screens to baskets: a streaming smart-store event processor.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
)
demo.add_to(app)
parts.add_to(app)
app.add_typer(models.app, name="models")
app.add_typer(topics.app, name="topics")
app.add_typer(databases.app, name="db")
doctor.add_to(app)


def main() -> None:
    """Runs the command line; the entry point of `smartstore`."""
    try:
        app()
    except _SENTENCES as error:
        _refuse(str(error))
    except PermissionError as error:
        _refuse(f"{error.filename} cannot be used ({error.strerror}); mend its permissions.")
    except OSError as error:
        if error.filename is None and error.errno is None:
            raise
        what = error.filename or "the system"
        _refuse(f"{what}: {error.strerror}; free what it lacks or name another place.")


def _refuse(sentence: str) -> None:
    Console(stderr=True, soft_wrap=True, highlight=False).print(
        f"smartstore: {sentence}", markup=False
    )
    sys.exit(2)
