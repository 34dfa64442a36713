"""What the long-running commands share: signals, readiness and settings with a clear error."""

import asyncio
import re
import signal
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, TypeVar

from pydantic import SecretStr, ValidationError
from pydantic_settings import BaseSettings, SettingsError

from infra.commands.logs import log_to_stderr
from infra.errors import Interrupted, UserError
from infra.layouts import load_layout
from infra.settings import LogSettings, PlaceSettings
from streams.contracts.layout import StoreLayout

S = TypeVar("S", bound=BaseSettings)
T = TypeVar("T")

Ready = Callable[[], None]

#: Settings that name a server, with an example.
_ADDRESSES = {"kafka": "127.0.0.1:9092", "triton": "127.0.0.1:8001"}
_ADDRESS = re.compile(r"(?:[^\s:/,\[\]]+|\[[0-9A-Fa-f:.]+\]):(\d{1,5})")
_HIGHEST_PORT = 65_535


def settings_of(model: type[S], **given: object) -> S:
    """The settings of a process: what was given on the command line, else the environment.

    Raises:
        UserError: something is missing or not valid; it names the option or the variable.
    """
    chosen: dict[str, Any] = {k: value for k, value in given.items() if value is not None}
    prefix = str(model.model_config.get("env_prefix", ""))
    try:
        # A variable that is set to nothing is a variable that is not set.
        settings = model(_env_ignore_empty=True, **chosen)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        field = str(first["loc"][0]) if first["loc"] else ""
        if field in _ADDRESSES and first["type"] != "missing":
            raise _no_address(prefix + field, field) from None
        raise UserError(
            _not_valid(prefix, field, str(first["type"]), first["msg"], chosen)
        ) from None
    except SettingsError as error:
        # A list in the environment that is no JSON; its text names the field.
        found = re.search(r'"(\w+)"', str(error))
        field = found[1] if found else ""
        raise UserError(
            f"{(prefix + field).upper()} cannot be read as JSON; write a list as "
            '\'["first", "second"]\''
        ) from None
    for field in _ADDRESSES:
        value = getattr(settings, field, None)
        if isinstance(value, str) and value and not _is_address(value):
            raise _no_address(prefix + field, field)
    return settings


def _not_valid(prefix: str, field: str, kind: str, said: str, chosen: dict[str, Any]) -> str:
    why = said.removeprefix("Value error, ")
    why = why[:1].lower() + why[1:]
    if not field:
        # A rule about several settings names them itself.
        return f"the settings {prefix.upper()}* contradict each other ({why}); change one of them"
    if field in chosen:
        return f"the value of --{field.replace('_', '-')} is not valid ({why}); give another"
    name = (prefix + field).upper()
    if kind == "missing":
        return f"{name} is not set; set it in the environment, or see --help of this command"
    return f"{name} is not valid ({why}); correct it in the environment"


def _is_address(text: str) -> bool:
    """Whether it is `host:port`, or several of them parted by commas."""
    found = (_ADDRESS.fullmatch(part.strip()) for part in text.split(","))
    return all(match is not None and 0 < int(match[1]) <= _HIGHEST_PORT for match in found)


def _no_address(variable: str, field: str) -> UserError:
    return UserError(
        f"{variable.upper()} is no address of a server; give it as host:port, such as "
        f"{_ADDRESSES[field]}"
    )


def layout_of(path: Path | None) -> StoreLayout:
    """The layout that was named, or that of SMARTSTORE_LAYOUT. Raises UserError."""
    chosen = path or settings_of(PlaceSettings).layout
    if chosen is None:
        raise UserError(
            "no layout was named; give --layout FILE or set SMARTSTORE_LAYOUT, "
            "for instance to examples/store.yaml"
        )
    return load_layout(chosen)


def pace_fetches() -> None:
    """Does what SMARTSTORE_FETCH_PAUSE_MS says, for a process that reads from Kafka."""
    pause_ms = settings_of(PlaceSettings).fetch_pause_ms
    if pause_ms:
        from infra.stack.pacing import pace_empty_fetches

        pace_empty_fetches(pause_ms / 1000)


def ready_with(path: Path | None) -> Ready:
    """What a process calls once it works: it makes the file that its supervisor waits for."""

    def ready() -> None:
        if path is not None:
            path.touch()

    return ready


def check_database(dsn: SecretStr) -> None:
    """Whether a DSN can be read. Raises UserError, which does not hold it."""
    from psycopg import ProgrammingError
    from psycopg.conninfo import conninfo_to_dict

    try:
        conninfo_to_dict(dsn.get_secret_value())
    except ProgrammingError:
        # libpq quotes the pieces of an address that it cannot parse: one may be the password.
        raise UserError(
            "SMARTSTORE_DATABASE is no address of a database; give it as "
            "postgresql://user@host:port/name (the password belongs into PGPASSFILE)"
        ) from None


def run_until_signal(main: Callable[[asyncio.Event], Awaitable[T]]) -> T:
    """Runs `main` with an event that SIGTERM and SIGINT set; a second signal cancels it.

    What it has to say meanwhile goes to standard error.
    """
    log_to_stderr(settings_of(LogSettings).log_format)
    return asyncio.run(_with_signals(main))


async def _with_signals(main: Callable[[asyncio.Event], Awaitable[T]]) -> T:
    stop = asyncio.Event()
    task = asyncio.ensure_future(main(stop))

    def interrupt() -> None:
        if stop.is_set():
            task.cancel()
        stop.set()

    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, interrupt)
    try:
        return await task
    except asyncio.CancelledError:
        if not stop.is_set():
            raise
        raise Interrupted(
            "ended by a second signal before all was told; what is kept is told at the next start"
        ) from None
