"""Labels of pictures and films, read by programs that are not ours."""

import io
import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import av
import cv2
import numpy as np
import pytest
from PIL import Image

from signage.labels.aigc import Aigc, from_json
from signage.labels.pictures import label_picture
from signage.labels.videos import label_video

LABEL = Aigc(content_producer="ACME Studio", produce_id="P-1")


def _needs(program: str) -> str:
    found = shutil.which(program)
    if found is None:
        pytest.skip(f"DID NOT RUN: there is no {program} on this machine")
    return found


def _json(*command: str) -> Any:
    return json.loads(subprocess.run(command, check=True, capture_output=True).stdout)


@pytest.mark.parametrize("format", ["jpeg", "png", "webp"])
def test_exiftool_reads_the_label_of_a_picture(format: str, tmp_path: Path) -> None:
    exiftool = _needs("exiftool")
    out = io.BytesIO()
    Image.new("RGB", (480, 640), "teal").save(out, format.upper())
    path = tmp_path / f"labelled.{'jpg' if format == 'jpeg' else format}"
    path.write_bytes(label_picture(out.getvalue(), format, LABEL))
    told = _json(exiftool, "-j", "-G1", "-a", "-XMP:all", str(path))[0]
    values = [value for key, value in told.items() if key.lower() == "xmp-tc260:aigc"]
    assert [from_json(value if isinstance(value, str) else json.dumps(value)) for value in values]
    assert len(values) == 1
    assert "Warning" not in told


@pytest.mark.parametrize("format", ["jpeg", "png", "webp"])
def test_opencv_reads_the_label_of_a_picture(format: str, tmp_path: Path) -> None:
    """ffprobe shows no XMP of pictures, so the second reader of theirs is another."""
    out = io.BytesIO()
    Image.new("RGB", (480, 640), "teal").save(out, format.upper())
    path = tmp_path / f"labelled.{format}"
    path.write_bytes(label_picture(out.getvalue(), format, LABEL))
    _, _, found = cv2.imreadWithMetadata(str(path), cv2.IMREAD_COLOR)
    (xmp,) = [each.tobytes() for each in found if b"tc260" in each.tobytes()]
    assert b"<TC260:AIGC>" in xmp
    assert b"ACME Studio" in xmp


def test_exiftool_and_ffprobe_read_the_label_of_a_video(tmp_path: Path) -> None:
    exiftool, ffprobe = _needs("exiftool"), _needs("ffprobe")
    plain, path = tmp_path / "plain.mp4", tmp_path / "labelled.mp4"
    with av.open(str(plain), "w", format="mp4") as writing:
        stream = writing.add_stream("libx264", rate=10, options={"preset": "ultrafast"})
        stream.width, stream.height, stream.pix_fmt = 360, 480, "yuv420p"
        for level in range(30):
            picture = np.full((480, 360, 3), 80 + level, np.uint8)
            writing.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        writing.mux(stream.encode(None))
    label_video(plain, path, LABEL)
    tags = _json(ffprobe, "-v", "error", "-of", "json", "-show_format", str(path))["format"]["tags"]
    assert from_json(tags["AIGC"]) == LABEL
    told = _json(exiftool, "-j", "-G1", "-a", "-Keys:all", str(path))[0]
    value = told["Keys:AIGC"]
    assert from_json(value if isinstance(value, str) else json.dumps(value)) == LABEL
