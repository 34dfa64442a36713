"""A Triton for a calibration: the one that is named, or one that is started for it."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

from infra.stack.environment import ensure_environment
from infra.stack.settings import StackSettings
from infra.stack.stack import EmbeddedStack, PartName
from infra.stack.state import StateFolder
from infra.triton.models import prepare
from infra.triton.probe import probe


@asynccontextmanager
async def triton(
    named: str | None,
    settings: StackSettings,
    models_dir: Path | None,
    say: Callable[[str], None] = lambda _: None,
) -> AsyncIterator[str]:
    """The gRPC address of a Triton that serves the shopper detector, while the block runs.

    Raises:
        StackError, DetectorModelError: it cannot be started.
    """
    if named is not None:
        yield named
        return
    with StateFolder(settings.state) as state:
        root = settings.triton_environment
        if root is None:
            root = (await ensure_environment(settings.cache, say)).root
        model = await asyncio.to_thread(
            prepare, state.folder("models"), models_dir=models_dir, server_env=root, progress=say
        )
        only: tuple[PartName, ...] = ("triton",)
        async with EmbeddedStack(
            state, settings, repository=model.repository, parts=only, probe=probe
        ) as stack:
            yield stack.triton.grpc
