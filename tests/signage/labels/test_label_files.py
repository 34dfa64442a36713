"""Labels are written into each format and read back by our verifier, which did not write them;
every explicit label is measured in its pixels.
"""

import io

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image, PngImagePlugin

from signage.core.labels import MIN_HEIGHT_SHARE, label_fault, says_generated
from signage.errors import LabelError
from signage.labels import measuring
from signage.labels.aigc import Aigc, checked, from_json, labels_in, packet, to_json
from signage.labels.containers import find_labels, xmp_of
from signage.labels.drawing import TEXT, plate
from signage.labels.pictures import label_picture

LABEL = Aigc(content_producer="ACME Studio", produce_id="P-1", content_propagator="Shop")
FORMATS = ("jpeg", "png", "webp")


def grain(width: int, height: int) -> NDArray[np.uint8]:
    rng = np.random.default_rng(width + height)
    coarse = rng.integers(0, 256, (height // 32 + 1, width // 32 + 1, 3), dtype=np.uint8)
    return cv2.resize(coarse, (width, height), interpolation=cv2.INTER_LINEAR).astype(np.uint8)


def encoded(format: str, width: int = 400, height: int = 720, **given: object) -> bytes:
    out = io.BytesIO()
    quick = {"compress_level": 1} if format == "png" else {}
    Image.fromarray(grain(width, height)).save(out, format.upper(), **quick, **given)
    return out.getvalue()


def pixels(data: bytes) -> NDArray[np.uint8]:
    return np.asarray(Image.open(io.BytesIO(data)).convert("RGB"), np.uint8)


@pytest.mark.parametrize("format", FORMATS)
@pytest.mark.parametrize("size", [(400, 720), (720, 400), (500, 500), (1080, 1920)])
def test_both_labels_are_found_and_the_drawn_one_is_high_enough(
    format: str, size: tuple[int, int]
) -> None:
    if size == (1080, 1920) and format != "jpeg":
        size = (800, 600)  # large ones cost seconds
    labelled = label_picture(encoded(format, *size), format, LABEL)
    assert find_labels(labelled, format) == [LABEL]
    found = measuring.find(pixels(labelled))
    assert found is not None
    assert found.text == TEXT
    assert found.short_px == min(size)
    assert found.capitals_px >= MIN_HEIGHT_SHARE * min(size)
    assert found.text_px > found.capitals_px
    assert found.height_share < 0.07
    assert found.contrast > 4.5
    x0, y0, x1, y1 = found.box
    assert 0 < size[0] - x1 < 0.1 * min(size)
    assert 0 < y0 < 0.1 * min(size)
    assert x0 > 0
    assert y1 < size[1]


def test_the_measure_is_that_of_the_ink(monkeypatch: pytest.MonkeyPatch) -> None:
    """Rows are counted here in another way: by hand, where the plate is known to be."""
    data = label_picture(encoded("png", 720, 1280), "png", LABEL)
    found = measuring.find(pixels(data))
    assert found is not None
    grey = pixels(data).mean(axis=2)
    x0, y0, x1, y1 = found.box
    bright = (grey[y0 + 8 : y1 - 8, x0 + 8 : x1 - 8] > 128).any(axis=1)
    rows = np.flatnonzero(bright)
    assert found.text_px == rows[-1] - rows[0] + 1


@pytest.mark.parametrize("quality", [30, 60])
def test_a_label_survives_a_careless_encoder(quality: int) -> None:
    picture = Image.open(io.BytesIO(label_picture(encoded("png"), "png", LABEL)))
    out = io.BytesIO()
    picture.convert("RGB").save(out, "JPEG", quality=quality)
    found = measuring.find(pixels(out.getvalue()))
    assert found is not None
    assert found.height_share >= MIN_HEIGHT_SHARE


@pytest.mark.parametrize("format", FORMATS)
def test_what_a_file_held_before_is_kept(format: str) -> None:
    profile = b"\0" * 128
    xmp = (
        b'<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-'
        b'rdf-syntax-ns#"><rdf:Description rdf:about="" xmlns:dc="http://purl.org/dc/elements/1.1/'
        b'"><dc:title>Sun</dc:title></rdf:Description></rdf:RDF></x:xmpmeta>'
    )
    given: dict[str, object] = {"icc_profile": profile}
    if format == "png":
        info = PngImagePlugin.PngInfo()
        info.add_itxt("XML:com.adobe.xmp", xmp.decode(), zip=True)
        given["pnginfo"] = info
    else:
        given["xmp"] = xmp
    labelled = label_picture(encoded(format, **given), format, LABEL)
    assert find_labels(labelled, format) == [LABEL]
    assert b"<dc:title>Sun</dc:title>" in (xmp_of(labelled, format) or b"")
    assert Image.open(io.BytesIO(labelled)).info["icc_profile"] == profile


def test_a_photograph_that_lies_on_its_side_is_stood_up_before_it_is_labelled() -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    labelled = label_picture(encoded("jpeg", 720, 400, exif=exif), "jpeg", LABEL)
    assert Image.open(io.BytesIO(labelled)).size == (400, 720)
    assert measuring.find(pixels(labelled)) is not None


def test_one_label_a_file() -> None:
    labelled = label_picture(encoded("png"), "png", LABEL)
    with pytest.raises(LabelError, match="only one"):
        label_picture(labelled, "png", LABEL)
    with pytest.raises(LabelError, match="only one"):
        packet(LABEL, packet(LABEL))


def test_the_object_is_that_of_the_appendix() -> None:
    assert to_json(LABEL) == (
        '{"Label":"1","ContentProducer":"ACME Studio","ProduceID":"P-1","ReservedCode1":"",'
        '"ContentPropagator":"Shop","PropagateID":"","ReservedCode2":""}'
    )
    assert from_json(to_json(LABEL)) == LABEL
    assert from_json('{"AIGC": ' + to_json(LABEL) + "}") == LABEL
    assert labels_in(packet(LABEL)) == [LABEL]


def test_a_label_as_an_attribute_counts_too() -> None:
    value = to_json(LABEL).replace('"', "&quot;")
    xmp = (
        '<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-'
        'syntax-ns#"><rdf:Description xmlns:TC260="http://www.tc260.org.cn/ns/AIGC/1.0/" '
        f'TC260:AIGC="{value}"/></rdf:RDF></x:xmpmeta>'
    )
    assert labels_in(xmp.encode()) == [LABEL]


@pytest.mark.parametrize(
    "given",
    [
        {"content_producer": ""},
        {"produce_id": ""},
        {"content_producer": "深度"},
        {"produce_id": 'a"b'},
        {"content_propagator": "a<b"},
        {"label": "4"},
        {"produce_id": "x" * 129},
    ],
)
def test_values_are_restricted(given: dict[str, str]) -> None:
    wrong = Aigc(**{"content_producer": "p", "produce_id": "1", **given})  # type: ignore[arg-type]
    with pytest.raises(LabelError, match="no AIGC label"):
        checked(wrong)


@pytest.mark.parametrize(
    "xmp",
    [
        b"<!DOCTYPE x [<!ENTITY a 'b'>]><x>&a;</x>",
        b"<x",
        b"<x>" + b" " * 1_100_000 + b"</x>",
    ],
)
def test_a_packet_that_is_no_plain_xmp_is_refused(xmp: bytes) -> None:
    with pytest.raises(LabelError, match="XMP packet"):
        labels_in(xmp)


@pytest.mark.parametrize("format", FORMATS)
def test_a_cut_or_scrambled_file_is_a_sentence_or_has_no_label(format: str) -> None:
    data = label_picture(encoded(format, 400, 400), format, LABEL)
    rng = np.random.default_rng(5)
    for _ in range(60):
        broken = bytearray(data[: int(rng.integers(1, len(data)))])
        for _ in range(5):
            broken[int(rng.integers(0, len(broken)))] = int(rng.integers(0, 256))
        try:
            found = find_labels(bytes(broken), format)
        except LabelError:
            continue
        assert found in ([], [LABEL]) or all(isinstance(each, Aigc) for each in found)


def test_a_box_that_names_itself_too_long_is_refused() -> None:
    with pytest.raises(LabelError, match="broken"):
        find_labels(b"\0\0\xff\xffmoov" + bytes(20), "mp4")
    with pytest.raises(LabelError, match="broken"):
        find_labels(b"\0\0\0\x04moov", "mp4")


@pytest.mark.parametrize(
    ("text", "enough"),
    [
        ("AI生成", True),
        ("人工智能合成", True),
        ("AI", False),
        ("生成", False),
        ("A.I. made", False),
    ],
)
def test_what_the_text_must_say(text: str, enough: bool) -> None:
    assert says_generated(text) is enough


def test_a_creative_that_is_not_ai_generated_needs_no_label() -> None:
    from signage.catalogue import load_catalogue

    assert all(label_fault(each) is None for each in load_catalogue().creatives)


@pytest.mark.parametrize("text", measuring.TEXTS)
@pytest.mark.parametrize("left", [True, False])
@pytest.mark.parametrize("top", [True, False])
def test_a_label_is_found_in_every_corner_and_wording(text: str, left: bool, top: bool) -> None:
    picture = Image.fromarray(grain(500, 400))
    mark = plate(text, 24)
    place = (12 if left else 488 - mark.width, 9 if top else 391 - mark.height)
    picture.paste(mark, place)
    found = measuring.find(np.asarray(picture))
    assert found is not None
    assert found.text == text
    assert abs(found.box[0] - place[0]) <= 2
    assert abs(found.box[1] - place[1]) <= 2
    assert found.capitals_px >= 24
