"""Which cameras a gateway reads: the command line, the environment, a file; and its mistakes."""

from pathlib import Path

import av
import numpy as np
import pytest
from pydantic import SecretStr

from infra.commands.cameras import has_secret_addresses, named_sources, webcam_source
from infra.errors import UserError
from streams.contracts.layout import Area, Camera, StoreLayout
from vision.cameras.file import FileSource
from vision.cameras.supervised import SupervisedSource
from vision.errors import CaptureError
from vision.settings import GatewaySettings

SECRET = "keeper:geheim@10.0.0.9"  # noqa: S105


def area(*names: str) -> StoreLayout:
    return StoreLayout(
        store_id="shop",
        name="A shop",
        areas=(Area(area_id="main"),),
        cameras=tuple(Camera(camera_id=name, area_id="main") for name in names),
    )


@pytest.fixture
def video(tmp_path: Path) -> Path:
    # By PyAV: OpenCV takes its log level when it first opens a video, and other tests look at that.
    path = tmp_path / "shop.avi"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("mjpeg", rate=10)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuvj420p"
        for _ in range(3):
            grey = np.zeros((48, 64, 3), dtype=np.uint8)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(grey, format="bgr24")))
        container.mux(stream.encode())
    return path


def test_files_networks_devices_and_secrets_side_by_side(video: Path, tmp_path: Path) -> None:
    kept = tmp_path / "cameras"
    kept.write_text(f"# the back door\n\n  door=rtsp://{SECRET}/2\n")
    settings = GatewaySettings(
        camera_urls=SecretStr(f"till=rtsp://{SECRET}/1"), camera_urls_file=kept
    )
    assert has_secret_addresses(settings)
    assert "geheim" not in repr(settings)
    named = [f"left={video}", "right=rtsp://10.0.0.8:554/cam?channel=1", "desk=usb:0"]
    sources = named_sources(
        area("left", "right", "desk", "till", "door"), named, settings, start_ms=5
    )
    kinds = {name: type(source) for name, source in sources.items()}
    assert kinds == {
        "left": FileSource,
        "right": SupervisedSource,
        "desk": SupervisedSource,
        "till": SupervisedSource,
        "door": SupervisedSource,
    }


def test_one_camera_needs_no_name(video: Path) -> None:
    assert list(named_sources(area("only"), [str(video)], GatewaySettings(), None)) == ["only"]


@pytest.mark.parametrize(
    ("named", "secret", "says"),
    [
        ([f"left=rtsp://{SECRET}/1"], "", "--camera holds a password"),
        ([f"rtsp://{SECRET}/1"], "", "--camera holds a password"),
        ([], f"rtsp://{SECRET}/1", "whose the picture is"),
        ([], f"door=rtsp://{SECRET}/1", "has no camera 'door'; name one of: left, right"),
        (["left=rtsp://h/1"], f"left=rtsp://{SECRET}/1", "'left' is named twice"),
        (["left=http://h/1"], "", "is none that is known; give rtsp://"),
        (["left=usb:first"], "", "names no device for the camera 'left'; give usb:0"),
    ],
)
def test_a_mistake_is_one_sentence_without_the_password(
    named: list[str], secret: str, says: str
) -> None:
    settings = GatewaySettings(camera_urls=SecretStr(secret))
    with pytest.raises(UserError) as caught:
        named_sources(area("left", "right"), named, settings, None)
    said = str(caught.value)
    assert says in said
    assert "geheim" not in said
    assert "keeper" not in said
    assert "\n" not in said


def test_a_file_of_addresses_that_is_not_there(tmp_path: Path) -> None:
    settings = GatewaySettings(camera_urls_file=tmp_path / "none")
    with pytest.raises(UserError, match="cannot be read \\(FileNotFoundError\\); write one"):
        named_sources(area("left"), [], settings, None)


def test_a_webcam_that_is_not_there_is_said_at_once() -> None:
    with pytest.raises(CaptureError, match="there is no camera /dev/video63"):
        webcam_source(area("desk"), "63", GatewaySettings())
    with pytest.raises(UserError, match="the area has 2 cameras, but --webcam names one"):
        webcam_source(area("left", "right"), "0", GatewaySettings())
