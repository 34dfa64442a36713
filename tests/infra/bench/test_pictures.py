"""The search for pictures finds them, and finds none where there is none."""

import base64

import cv2
import numpy as np
import pytest

from infra.bench.pictures import pictures, raw_pixels

IMAGE = np.random.default_rng(1).integers(0, 256, (48, 64, 3), dtype=np.uint8)
AROUND = b"{'some': 'json'}\x00\x01" * 7


@pytest.mark.parametrize(
    ("suffix", "name"),
    [
        (".jpg", "JPEG"),
        (".png", "PNG"),
        (".webp", "WebP"),
        (".bmp", "BMP"),
        (".tiff", "TIFF"),
        (".gif", "GIF"),
    ],
)
def test_an_encoded_picture_is_found_wherever_it_lies(suffix: str, name: str) -> None:
    encoded = cv2.imencode(suffix, IMAGE)[1].tobytes()
    assert any(found.startswith(name) for found in pictures(AROUND + encoded + AROUND))


@pytest.mark.parametrize(
    ("data", "name"),
    [
        (b"\x00\x00\x00\x18ftypisom\x00\x00\x02\x00", "MP4"),
        (b"RIFF\x10\x20\x00\x00AVI LIST", "AVI"),
        (b"\x1a\x45\xdf\xa3\x01\x00\x00\x00\x00\x00\x00\x1f\x42\x82\x84webm", "Matroska"),
        (base64.b64encode(cv2.imencode(".jpg", IMAGE)[1].tobytes()), "base64 JPEG"),
        (base64.b64encode(cv2.imencode(".png", IMAGE)[1].tobytes()), "base64 PNG"),
    ],
)
def test_videos_and_base64_are_found(data: bytes, name: str) -> None:
    assert any(found.startswith(name) for found in pictures(AROUND + data + AROUND))


def test_what_only_begins_like_a_picture_is_none() -> None:
    harmless = b"\xff\xd8\xff BM GIF RIFFWAVE II* \xff\xd8\xff\xe0\x00\x10no marker follows here"
    assert list(pictures(AROUND + harmless + AROUND)) == []


def test_raw_pixels_are_found_also_as_base64() -> None:
    strip = IMAGE[7, 3:40].tobytes()
    assert list(raw_pixels(AROUND + IMAGE.tobytes(), [strip]))
    for shift in range(3):
        text = base64.b64encode(b"x" * shift + IMAGE.tobytes())
        assert list(raw_pixels(AROUND + text, [strip])), shift
    assert list(raw_pixels(AROUND * 9, [strip])) == []
