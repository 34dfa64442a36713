"""Frames a second on a CUDA device, by the model server's own Python; or why there are none."""

import asyncio
import json
from asyncio.subprocess import PIPE
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from infra.bench.gateway import gpu_loop
from infra.bench.gateway.report import GpuReport, GpuRun
from infra.triton.models import MODEL_FILES, PreparedModel, prepare

#: Sizes of batch: one camera live, a shop's cameras, and as much as a device takes.
BATCHES = (1, 8, 32)

#: Each is measured for so long.
_SECONDS = 10.0

#: A first session on a device compiles kernels for half a minute.
_PATIENCE_S = 300.0


def onnx_of(
    model: PreparedModel,
    target: Path,
    models_dir: Path | None,
    server_env: Path,
    input_size_px: int,
) -> PreparedModel | None:
    """`model` where a CUDA device can run it, else one from an ONNX file of the folder of models;
    None where there is none."""
    if (model.repository / "shopper_network" / "1" / "model.onnx").exists():
        return model
    names = [] if models_dir is None else [n for n in MODEL_FILES if n.endswith(".onnx")]
    for path in (Path(models_dir or ".") / name for name in names):
        if path.is_file():
            return prepare(
                target,
                weights=path,
                models_dir=models_dir,
                server_env=server_env,
                input_size_px=input_size_px,
                allow_download=False,
            )
    return None


async def measure(
    python: Path,
    model: PreparedModel,
    parameters: dict[str, str],
    pictures: Sequence[Any],
    scratch: Path,
) -> GpuReport:
    """What the model server's `python` can do with `pictures`, (H, W, 3) uint8 BGR each.

    `parameters`: of a served model whose network is read in the same way.
    """
    kept = scratch / "pictures.npy"
    await asyncio.to_thread(np.save, kept, np.stack(pictures))
    job = {
        "repository": str(model.repository),
        "parameters": parameters,
        "pictures": str(kept),
        "batches": BATCHES,
        "seconds": _SECONDS,
    }
    process = await asyncio.create_subprocess_exec(
        str(python), gpu_loop.__file__, json.dumps(job), stdout=PIPE, stderr=PIPE
    )
    try:
        out, errors = await asyncio.wait_for(process.communicate(), _PATIENCE_S)
    except TimeoutError:
        process.kill()
        await process.wait()
        return GpuReport(model.name, [], f"it took longer than {_PATIENCE_S:.0f} s")
    finally:
        kept.unlink()
    return _read(model.name, out.decode(), errors.decode())


def _read(name: str, out: str, errors: str) -> GpuReport:
    lines = out.strip().splitlines()
    if not lines:
        last = (errors.strip().splitlines() or ["it gave no reason"])[-1]
        return GpuReport(name, [], f"the measuring process failed ({last[:200]})")
    said = json.loads(lines[-1])
    runs = [GpuRun(run["batch"], run["fps"]) for run in said.get("runs", ())]
    return GpuReport(name, runs, said.get("did_not_run"))
