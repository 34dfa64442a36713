"""What the long-running commands share: signals, readiness and settings with a clear error."""

import asyncio
import signal
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, TypeVar

from pydantic import ValidationError
from pydantic_settings import BaseSettings

from infra.errors import UserError
from infra.layouts import load_layout
from infra.settings import PlaceSettings
from streams.contracts.layout import StoreLayout

S = TypeVar("S", bound=BaseSettings)

Ready = Callable[[], None]


def settings_of(model: type[S], **given: Any) -> S:
    """The settings of a process: what was given on the command line, else the environment.

    Raises:
        UserError: something is missing or not valid; it names the variable.
    """
    chosen = {name: value for name, value in given.items() if value is not None}
    try:
        return model(**chosen)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        name = "".join(str(part) for part in first["loc"][:1])
        prefix = str(model.model_config.get("env_prefix", ""))
        variable = (prefix + name).upper()
        what = "is not set" if first["type"] == "missing" else f"is not valid ({first['msg']})"
        raise UserError(
            f"{variable} {what}; set it in the environment, or see --help of this command."
        ) from None


def layout_of(path: Path | None) -> StoreLayout:
    """The layout that was named, or that of SMARTSTORE_LAYOUT. Raises UserError."""
    chosen = path or settings_of(PlaceSettings).layout
    if chosen is None:
        raise UserError(
            "No layout was named; give --layout FILE or set SMARTSTORE_LAYOUT, "
            "for instance to examples/store.yaml."
        )
    return load_layout(chosen)


def ready_with(path: Path | None) -> Ready:
    """What a process calls once it works: it makes the file that its supervisor waits for."""

    def ready() -> None:
        if path is not None:
            path.touch()

    return ready


def run_until_signal(main: Callable[[asyncio.Event], Awaitable[object]]) -> None:
    """Runs `main` with an event that SIGTERM and SIGINT set; a second signal cancels it."""
    asyncio.run(_with_signals(main))


async def _with_signals(main: Callable[[asyncio.Event], Awaitable[object]]) -> None:
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
        await task
    except asyncio.CancelledError:
        if not stop.is_set():
            raise
