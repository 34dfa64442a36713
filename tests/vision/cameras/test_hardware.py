"""A device decodes video where one opens; else software does, and one line of the log says so."""

import logging
from pathlib import Path

import av
import numpy as np
import pytest
from av.codec.hwaccel import HWAccel

from vision.cameras.hardware import accelerator
from vision.settings import HardwareDecode


def refusing(kind: str) -> HWAccel:
    raise PermissionError(1, "Operation not permitted")


def test_without_a_device_software_decodes_and_one_line_says_so(
    caplog: pytest.LogCaptureFixture,
) -> None:
    with caplog.at_level(logging.INFO):
        assert accelerator("auto", kinds=lambda: ["cuda", "drm"], opened=refusing) is None
    [line] = caplog.messages
    assert "decoded in software" in line
    assert "cuda: Operation not permitted" in line
    assert "vaapi: not in this FFmpeg" in line


@pytest.mark.parametrize("wanted", ["cuda", "vaapi"])
def test_a_device_that_was_named_and_does_not_open_is_worth_a_warning(
    wanted: HardwareDecode, caplog: pytest.LogCaptureFixture
) -> None:
    assert accelerator(wanted, kinds=lambda: ["cuda"], opened=refusing) is None
    assert [record.levelname for record in caplog.records] == ["WARNING"]


def test_the_first_device_that_opens_is_taken(caplog: pytest.LogCaptureFixture) -> None:
    asked: list[str] = []

    def opened(kind: str) -> HWAccel:
        asked.append(kind)
        return refusing(kind) if kind == "vaapi" else HWAccel(kind, allow_software_fallback=True)

    with caplog.at_level(logging.INFO):
        found = accelerator("auto", kinds=lambda: ["qsv", "cuda", "vaapi"], opened=opened)
    assert found is not None
    assert asked == ["vaapi", "cuda"]
    assert len(caplog.messages) == 1


def test_nothing_is_looked_for_that_is_not_wanted() -> None:
    assert accelerator("never", kinds=lambda: ["cuda"], opened=refusing) is None


def test_what_this_machine_has_gives_pictures(tmp_path: Path) -> None:
    """Whichever it is: the device, or software."""
    video = tmp_path / "one.mp4"
    with av.open(str(video), "w") as container:
        stream = container.add_stream("libx264", rate=5)
        stream.width, stream.height, stream.pix_fmt = 320, 240, "yuv420p"
        for _ in range(3):
            picture = av.VideoFrame.from_ndarray(np.full((240, 320, 3), 90, np.uint8), "bgr24")
            container.mux(stream.encode(picture))
        container.mux(stream.encode())
    with av.open(str(video), hwaccel=accelerator("auto")) as container:
        frames = [frame.to_ndarray(format="bgr24") for frame in container.decode(video=0)]
    assert [frame.shape for frame in frames] == [(240, 320, 3)] * 3
    assert abs(float(np.mean(frames)) - 90) < 4
