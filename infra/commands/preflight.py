"""What a `demo` or a `run` looks at before it starts anything: later is half a minute later."""

import math
import os
import shutil
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from infra.errors import UserError
from infra.stack.ports import chosen_port
from infra.stack.settings import StackSettings
from streams.contracts.layout import StoreLayout

if TYPE_CHECKING:
    from infra.chain import Plan

#: A run keeps its model (12 MB, twice while it is made), its logs and the broker's log, which is
#: written anew beside the old one.
NEEDED_MB = 64


def finite(value: float | None) -> float | None:
    """A number from the command line: NaN would pass every bound."""
    if value is not None and not math.isfinite(value):
        raise typer.BadParameter(f"{value} is no number to go by")
    return value


def check(plan: "Plan", settings: StackSettings, report: Path | None) -> None:
    """Looks at all that can be known beforehand.

    Raises:
        UserError, StackError, DetectorModelError, SimulatorError: what cannot work, and why.
    """
    check_one_area(plan.layout, plan.layout_path)
    if plan.simulated:
        check_stage(plan.layout)
    check_models(plan.weights, plan.models_dir)
    if settings.triton_environment is not None:
        from infra.stack.environment import ServerEnvironment

        ServerEnvironment(settings.triton_environment.absolute()).check()
    _check_ports(plan, settings)
    _check_room(settings.state)
    if report is not None:
        check_report(report)


def check_one_area(layout: StoreLayout, path: Path) -> None:
    """One machine's run serves one area."""
    if len(layout.areas) != 1:
        raise UserError(
            f"the layout {path} has {len(layout.areas)} areas, but a run on one machine serves "
            "one; give each area a layout of its own, or start the processes one by one"
        )


def check_stage(layout: StoreLayout) -> None:
    """Simulated shoppers need calibrated cameras and something to look at."""
    from infra.simulator.errors import StageError
    from infra.simulator.stage import stage_of

    stage_of(layout)
    for camera in layout.cameras:
        if camera.pose is None:
            raise StageError(
                f"the camera {camera.camera_id!r} has no pose, so nothing can be drawn as it "
                "sees it; give it one in the layout, or leave it out"
            )


def check_models(weights: Path | None, models: Path | None) -> None:
    """The weights that were named, before anything is downloaded or made for them."""
    from infra.triton.weights import check_weights

    if weights is not None:
        check_weights(weights)
    elif models is not None and not models.is_dir():
        raise UserError(
            f"the folder of models {models} does not exist; correct SMARTSTORE_MODELS or unset it"
        )


def check_report(path: Path) -> None:
    """Whether the report can be written, without a trace where there is none yet."""
    if path.is_dir():
        raise UserError(f"the report {path} cannot be written (it is a folder); name a file in it")
    new = not path.exists()
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.open("ab").close()
        if new:
            path.unlink()
    except OSError as error:
        raise UserError(
            f"the report {path} cannot be written ({error.strerror}); mend the permissions there "
            "or name another file"
        ) from error


def _check_ports(plan: "Plan", settings: StackSettings) -> None:
    wanted = {
        "the live page": plan.web_port,
        "the broker": settings.kafka_port,
        "the database": settings.database_port,
        "Triton's HTTP": settings.triton_http_port,
        "Triton's gRPC": settings.triton_grpc_port,
        "Triton's metrics": settings.triton_metrics_port,
    }
    given = {name: port for name, port in wanted.items() if port is not None}
    for port in _twice(given.values()):
        names = " and ".join(name for name, each in given.items() if each == port)
        raise UserError(f"{names} were both given port {port}; give each its own")
    for name, port in given.items():
        chosen_port(name, port)


def _twice(ports: Iterable[int]) -> list[int]:
    return [port for port, n in Counter(ports).items() if n > 1]


def _check_room(state: Path) -> None:
    there = next(p for p in (state.absolute(), *state.absolute().parents) if p.exists())
    try:
        free_mb = shutil.disk_usage(there).free // 1_000_000
    except OSError:
        # Opening the folder tells what is wrong with it.
        return
    if free_mb < NEEDED_MB and os.access(there, os.W_OK):
        raise UserError(
            f"the disk of the state folder {state} has {free_mb} MB free, and a run needs "
            f"{NEEDED_MB}; free some, or name another folder with SMARTSTORE_STATE"
        )
