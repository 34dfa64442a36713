"""What a camera is called."""

import pytest

from vision.cameras.address import has_password, is_rtsp, split_name, usb_device, without_password


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("shop.mp4", (None, "shop.mp4")),
        ("left=shop.mp4", ("left", "shop.mp4")),
        ("left=/videos/a=b.mp4", ("left", "/videos/a=b.mp4")),
        ("usb:0", (None, "usb:0")),
        ("left=usb:/dev/v4l/by-id/x", ("left", "usb:/dev/v4l/by-id/x")),
        ("RTSP://h/a?b=c", (None, "RTSP://h/a?b=c")),
    ],
)
def test_an_address_with_or_without_its_cameras_id(
    text: str, parts: tuple[str | None, str]
) -> None:
    assert split_name(text) == parts


@pytest.mark.parametrize(
    ("address", "secret"),
    [
        ("rtsp://user:pass@10.0.0.1/1", True),
        ("rtsp://user@10.0.0.1/1", True),
        ("rtsp://10.0.0.1:554/a", False),
        ("mail@home.mp4", False),
    ],
)
def test_passwords_are_noticed_and_never_shown(address: str, secret: bool) -> None:
    assert has_password(address) is secret
    if secret:
        assert without_password(address) == "rtsp://10.0.0.1/1"


def test_kinds() -> None:
    assert is_rtsp("rtsps://h/1")
    assert not is_rtsp("http://h/1")
    assert usb_device("usb:2") == "2"
    assert usb_device("/dev/video0") is None
