"""`smartstore models`: from weights to a model repository for Triton."""

import asyncio
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from infra.commands.preflight import check_models
from infra.commands.runtime import settings_of
from infra.settings import PlaceSettings
from infra.stack.settings import StackSettings

app = typer.Typer(help="Models for the model server.", no_args_is_help=True)


@app.callback()
def _models() -> None:
    """Models for the model server."""


@app.command("prepare")
def prepare_models(
    weights: Annotated[
        Path | None,
        typer.Option(readable=False, help="A .pt, .onnx or .xml pose network, before all else."),
    ] = None,
    target: Annotated[
        Path | None, typer.Option(help="Where repositories are kept; else in the state folder.")
    ] = None,
    input_size: Annotated[
        int | None,
        typer.Option(
            min=128, max=1920, help="The longer side of what the network sees, in pixels."
        ),
    ] = None,
    download: Annotated[bool, typer.Option(help="Whether the publisher may be asked.")] = True,
) -> None:
    """Builds a model repository from the best weights at hand."""
    from infra.stack.environment import ensure_environment
    from infra.triton.models import prepare

    console = Console()
    stack = settings_of(StackSettings)
    models = settings_of(PlaceSettings).models
    check_models(weights, models)
    with console.status("preparing") as status:
        root = stack.triton_environment
        if root is None:
            root = asyncio.run(ensure_environment(stack.cache, status.update)).root
        model = prepare(
            target or stack.state / "models",
            weights=weights,
            models_dir=models,
            server_env=root,
            input_size_px=input_size,
            allow_download=download,
            progress=status.update,
        )
    if model.note:
        console.print(model.note)
    console.print(f"{model.name}  sha256 {model.sha256}")
    console.print(f"repository: {model.repository}", soft_wrap=True)
