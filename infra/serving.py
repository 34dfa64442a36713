"""The model server alone, for commands that need nothing else of the embedded stack."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

from infra.stack.environment import ensure_environment
from infra.stack.settings import StackSettings
from infra.stack.stack import EmbeddedStack, PartName
from infra.stack.state import StateFolder
from infra.triton.models import DEFAULT_INPUT_SIZE_PX, prepare
from infra.triton.probe import probe

_PARTS: tuple[PartName, ...] = ("triton",)


@asynccontextmanager
async def served_model(
    state: StateFolder,
    settings: StackSettings,
    say: Callable[[str], None],
    *,
    models_dir: Path | None = None,
    weights: Path | None = None,
    input_size_px: int = DEFAULT_INPUT_SIZE_PX,
    threads: int = 1,
) -> AsyncIterator[str]:
    """The address of a model server with the detector, as the demo has it; the state folder is
    open.

    Raises:
        StackError, ModelError: it cannot be served.
    """
    say("preparing the model")
    environment = settings.triton_environment
    if environment is None:
        environment = (await ensure_environment(settings.cache, say)).root
    model = await asyncio.to_thread(
        prepare,
        state.folder("models"),
        weights=weights,
        models_dir=models_dir,
        server_env=environment,
        input_size_px=input_size_px,
        threads=threads,
        progress=say,
    )
    if model.note is not None:
        say(model.note)
    say("starting the model server")
    async with EmbeddedStack(
        state, settings, repository=model.repository, parts=_PARTS, probe=probe
    ) as stack:
        yield stack.triton.grpc
