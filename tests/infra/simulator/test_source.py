"""The simulated camera gives pictures at the wall clock's pace and stops when asked."""

import asyncio
from pathlib import Path

import msgspec
import pytest
import yaml

import infra.simulator.source
from infra.simulator.errors import StageError
from infra.simulator.settings import SimulatorSettings
from infra.simulator.source import SimulatedSource
from infra.simulator.truth import TrueVisit, read_truth
from streams.contracts.layout import StoreLayout
from vision.ports import Frame, FrameSource

LAYOUT_FILE = Path(infra.simulator.source.__file__).with_name("store.yaml")


def layout() -> StoreLayout:
    return msgspec.convert(yaml.safe_load(LAYOUT_FILE.read_text()), StoreLayout)


def small(**changed: object) -> SimulatorSettings:
    settings: dict[str, object] = {"picture_width_px": 320, "picture_height_px": 240, **changed}
    return SimulatorSettings(**settings)  # type: ignore[arg-type]


async def take(source: FrameSource, count: int) -> list[Frame]:
    frames: list[Frame] = []
    async for frame in source:
        frames.append(frame)
        if len(frames) == count:
            await source.close()
    return frames


async def test_pictures_have_rising_times_and_counted_indices(tmp_path: Path) -> None:
    ticks = iter(range(1_700_000_000_000, 1_700_000_100_000, 5_000))
    source = SimulatedSource(
        small(truth_file=tmp_path / "truth.jsonl"),
        layout(),
        msgspec.structs.replace(layout().cameras[0], fps=100.0),
        lambda: next(ticks),
    )
    frames = await take(source, 6)
    assert [frame.index for frame in frames] == list(range(6))
    times = [frame.captured_at_ms for frame in frames]
    assert times == sorted(set(times))
    assert all(frame.image.shape == (240, 320, 3) for frame in frames)
    assert not (frames[0].image == frames[-1].image).all()
    visits = [line for line in read_truth(tmp_path / "truth.jsonl") if isinstance(line, TrueVisit)]
    assert len(visits) >= 2
    assert visits[-1].censored


async def test_who_is_slow_misses_pictures_and_never_lags() -> None:
    clock = asyncio.get_running_loop().time
    camera = msgspec.structs.replace(layout().cameras[0], fps=50.0)
    source = SimulatedSource(small(), layout(), camera, lambda: round(clock() * 1_000))
    lags: list[float] = []
    async for frame in source:
        lags.append(clock() * 1_000 - frame.captured_at_ms)
        await asyncio.sleep(0.1)  # five pictures long
        if frame.index == 4:
            await source.close()
    # Without skipping the fifth picture would be 4 x 80 ms old.
    assert min(lags[1:]) < 250
    assert len(lags) == 5


async def test_closing_twice_or_before_the_start_is_allowed() -> None:
    source = SimulatedSource(small(), layout(), layout().cameras[0])
    await source.close()
    await source.close()


def test_a_camera_without_a_pose_is_refused() -> None:
    camera = msgspec.structs.replace(layout().cameras[0], pose=None)
    with pytest.raises(StageError, match="no pose"):
        SimulatedSource(small(), layout(), camera)


def test_unknown_settings_are_refused() -> None:
    with pytest.raises(ValueError, match="walkers"):
        small(walkers=3)
