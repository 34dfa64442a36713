"""What frames are accepted, and where the letterbox puts them."""

import cv2
import numpy as np
import pytest

from infra.triton.detection.frames import (
    MAX_JPEG_BYTES,
    PADDING,
    FrameError,
    Letterbox,
    check_frame,
    decode_jpeg,
    jpeg_size_px,
    letterbox,
    to_input,
)


def jpeg(width: int, height: int) -> bytes:
    picture = np.zeros((height, width, 3), np.uint8)
    picture[:, : width // 2] = (255, 0, 0)
    done, data = cv2.imencode(".jpg", picture)
    assert done
    return bytes(data)


def with_orientation(data: bytes) -> bytes:
    """The JPEG with an EXIF tag that says it lies on its side."""
    tag = bytes.fromhex("4d4d002a00000008000101120003000000010006000000000000")
    exif = b"Exif\x00\x00" + tag
    return data[:2] + b"\xff\xe1" + (len(exif) + 2).to_bytes(2, "big") + exif + data[2:]


@pytest.mark.parametrize(
    ("frame_wh", "side", "canvas_hw", "inner"),
    [
        ((1280, 720), 480, (288, 480), (0, 9, 480, 270)),
        ((720, 1280), 480, (480, 288), (9, 0, 270, 480)),
        ((480, 480), 480, (480, 480), (0, 0, 480, 480)),
        ((64, 64), 480, (128, 128), (0, 0, 128, 128)),  # enlarged twice, no more
        ((4096, 16), 320, (32, 320), (0, 15, 320, 1)),
    ],
)
def test_letterbox_is_the_smallest_rectangle_of_whole_strides(
    frame_wh: tuple[int, int],
    side: int,
    canvas_hw: tuple[int, int],
    inner: tuple[int, int, int, int],
) -> None:
    frame = np.full((frame_wh[1], frame_wh[0], 3), 7, np.uint8)
    canvas, box = letterbox(frame, side)
    assert canvas.shape == (*canvas_hw, 3)
    assert (box.x_px, box.y_px, box.width_px, box.height_px) == inner
    inside = canvas[box.y_px : box.y_px + box.height_px, box.x_px : box.x_px + box.width_px]
    assert (inside == 7).all()
    assert int((canvas == PADDING).sum()) == canvas.size - inside.size


def test_letterbox_fills_a_fixed_input() -> None:
    canvas, box = letterbox(np.zeros((100, 200, 3), np.uint8), 0, (64, 64))
    assert canvas.shape == (64, 64, 3)
    assert box == Letterbox(0, 16, 64, 32, 200, 100)


def test_points_come_back_to_the_frame() -> None:
    box = Letterbox(
        x_px=10, y_px=20, width_px=100, height_px=50, frame_width_px=1, frame_height_px=1
    )
    points = np.array([[10, 20], [110, 70], [60, 45]], np.float32)
    np.testing.assert_allclose(box.to_frame(points), [[0, 0], [1, 1], [0.5, 0.5]])


def test_network_input_is_rgb_planes() -> None:
    canvas = np.zeros((2, 4, 3), np.uint8)
    canvas[0, 1] = (10, 20, 30)
    planes = to_input([canvas, canvas], 0.1)
    assert planes.shape == (2, 3, 2, 4)
    assert planes.dtype == np.float32
    assert planes.flags.c_contiguous
    np.testing.assert_allclose(planes[1, :, 0, 1], [3, 2, 1], rtol=1e-6)


@pytest.mark.parametrize(
    "frame",
    [
        np.zeros((20, 20), np.uint8),
        np.zeros((20, 20, 4), np.uint8),
        np.zeros((8, 20, 3), np.uint8),
        np.zeros((20, 4097, 3), np.uint8),
        np.zeros((0, 0, 3), np.uint8),
    ],
)
def test_unusable_frames_are_refused(frame: np.ndarray) -> None:
    with pytest.raises(FrameError, match="was given"):
        check_frame(frame)


def test_a_jpeg_is_decoded_as_stored() -> None:
    data = jpeg(40, 30)
    assert jpeg_size_px(data) == (40, 30)
    assert decode_jpeg(data).shape == (30, 40, 3)
    assert decode_jpeg(with_orientation(data)).shape == (30, 40, 3)


def announcing(width: int, height: int) -> bytes:
    """A JPEG whose header alone was changed, to a size that nobody should allocate."""
    data = bytearray(jpeg(40, 30))
    at = data.index(b"\xff\xc0")
    data[at + 5 : at + 9] = height.to_bytes(2, "big") + width.to_bytes(2, "big")
    return bytes(data)


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (b"", "no JPEG"),
        (b"hello", "no JPEG"),
        (b"\x89PNG\r\n\x1a\n" + bytes(100), "no JPEG"),
        (b"\xff\xd8", "no JPEG"),
        (b"\xff\xd8\xff\xe0\x00\x00" * 3, "no JPEG"),
        (b"\xff\xd8" + b"\xff" * 2000, "no JPEG"),
        (jpeg(40, 30)[:-20], "truncated"),
        (announcing(65000, 65000), "65000 x 65000"),
        (announcing(0, 0), "0 x 0"),
        (b"\xff\xd8" + bytes(MAX_JPEG_BYTES), "at most"),
        (jpeg(40, 30)[:200] + b"\xff\xd9", "corrupt"),
    ],
)
def test_broken_jpegs_are_refused_in_one_sentence(data: bytes, says: str) -> None:
    with pytest.raises(FrameError, match=says) as caught:
        decode_jpeg(data)
    assert "\n" not in str(caught.value)
