"""The walk test on the rendered store with the real networks: it certifies a camera whose layout is
right, and finds what is wrong with three that are not. The tester is simulated.
"""

import asyncio
import os
from collections.abc import Mapping
from pathlib import Path

import msgspec
import pytest

from infra.calibrate.conclude import told, write
from infra.calibrate.serving import triton
from infra.calibrate.walk import Verdict, WalkTest, simulate
from infra.layouts import load_layout
from infra.stack.settings import StackSettings
from streams.contracts.layout import Face, StoreLayout
from vision.core.diagnosis import Fault
from vision.detector import TritonDetector
from vision.settings import GatewaySettings

pytestmark = [pytest.mark.stack, pytest.mark.timeout(240)]

EXAMPLE = Path(__file__).parents[2] / "examples" / "store.yaml"
TALL_M = 1.75


def with_pose(layout: StoreLayout, **changes: object) -> StoreLayout:
    camera = layout.cameras[0]
    assert camera.pose is not None
    pose = msgspec.structs.replace(camera.pose, **changes)
    return msgspec.structs.replace(layout, cameras=(msgspec.structs.replace(camera, pose=pose),))


def turned_round(layout: StoreLayout) -> StoreLayout:
    """The zones counted from the wrong end of the shelf."""

    def face(old: Face | None) -> Face | None:
        return None if old is None else (3.0 - old[2], old[1], 3.0 - old[0], old[3])

    return msgspec.structs.replace(
        layout,
        zones=tuple(msgspec.structs.replace(z, face=face(z.face)) for z in layout.zones),
    )


RIGHT = load_layout(EXAMPLE)

#: What the layout says, how the store is, and what has to be found with its amount.
WRONG: Mapping[str, tuple[StoreLayout, StoreLayout, Fault, float, float]] = {
    "turned by 8 degrees": (with_pose(RIGHT, yaw_deg=8.0), RIGHT, "yaw", -8.0, 3.0),
    "75 degrees for a lens of 90": (
        RIGHT,
        with_pose(RIGHT, horizontal_fov_deg=90.0),
        "fov",
        90.0,
        8.0,
    ),
    "shelf mirrored": (turned_round(RIGHT), RIGHT, "mirror", 1.0, 0.0),
}


async def walk(address: str, declared: StoreLayout, real: StoreLayout) -> tuple[WalkTest, Verdict]:
    settings = GatewaySettings(triton=address)
    test = WalkTest(declared, declared.cameras[0], settings, TALL_M, simulated=True)
    # Two thirds of them: enough to tell, and a third of a minute less for each camera.
    test.prompts = tuple(p for p in test.prompts if p.number % 3)
    async with TritonDetector(settings) as detector:
        await simulate(test, detector, real, real.cameras[0], asyncio.Event())
    return test, test.verdict()


async def test_a_right_calibration_is_certified_and_three_wrong_ones_are_found(
    tmp_path: Path,
) -> None:
    models = os.environ.get("SMARTSTORE_MODELS")
    if models is None:
        pytest.skip("DID NOT RUN: SMARTSTORE_MODELS names no folder of weights")
    settings = StackSettings(state=tmp_path / "state")
    async with triton(None, settings, Path(models)) as address:
        test, verdict = await walk(address, RIGHT, RIGHT)
        found = verdict.errors
        assert verdict.refused is None, told(verdict)
        assert found is not None
        assert found.looks >= 0.8 * len(test.prompts)
        assert abs(found.yaw_bias_deg) < 5
        assert found.yaw_sigma_deg < 12
        assert found.place_error_m < 0.25
        assert told(verdict)[0] == f"Certified: {found.looks} looks, by a simulated tester."

        path = tmp_path / "store.yaml"
        path.write_text(EXAMPLE.read_text())
        write(path, RIGHT.cameras[0], verdict, 1_000, "now", None, True)
        certificate = load_layout(path).cameras[0].certificate
        assert certificate is not None
        assert certificate.simulated
        assert certificate.calibration_version == RIGHT.cameras[0].calibration_version
        assert certificate.yaw_sigma_deg == pytest.approx(found.yaw_sigma_deg, abs=0.01)

        for name, (declared, real, fault, amount, within) in WRONG.items():
            _, verdict = await walk(address, declared, real)
            assert verdict.refused is not None, name
            assert verdict.certificate(1_000, "v") is None
            first = verdict.findings[0]
            assert first.fault == fault, (name, verdict.findings[:3])
            assert first.amount == pytest.approx(amount, abs=within), name
            assert told(verdict)[0].startswith("No certificate: ")
