"""An AI-generated creative is taken with both labels on every file, and refused without."""

import io
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from infra.creatives.labelling import label_file
from infra.errors import UserError
from signage.errors import CatalogueError, LabelError
from signage.intake.loading import load_creative
from signage.labels.aigc import Aigc
from signage.labels.drawing import TEXT, corner, plate
from signage.labels.pictures import label_picture

LABEL = Aigc(content_producer="ACME Studio", produce_id="P-1")

AI = "kind: picture\nfile: soup.jpg\nai_generated: true\n"


def refused(folder: Path) -> str:
    with pytest.raises(CatalogueError) as caught:
        load_creative(folder)
    return str(caught.value)


def test_a_labelled_picture_is_taken_with_what_was_measured(home: Any, labelled: bytes) -> None:
    label = load_creative(home(AI, soup__jpg=labelled)).creative.label
    assert label is not None
    assert (label.text, label.content_producer, label.produce_id) == (TEXT, "ACME Studio", "P-1")
    assert label.height_share >= 0.05


def test_an_unlabelled_ai_picture_is_refused(home: Any, picture: bytes) -> None:
    said = refused(home(AI, soup__jpg=picture))
    assert "it is AI-generated and has no label in its metadata" in said
    assert "smartstore creative label" in said


def test_the_label_in_the_metadata_alone_is_not_enough(
    home: Any, picture: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("signage.labels.pictures.drawn_on", lambda plain: plain)
    hidden = label_picture(picture, "jpeg", LABEL)
    assert "no label can be read on it" in refused(home(AI, soup__jpg=hidden))


def test_the_drawn_label_alone_is_not_enough(home: Any, labelled: bytes) -> None:
    out = io.BytesIO()
    Image.open(io.BytesIO(labelled)).save(out, "JPEG", quality=95)  # leaves the metadata out
    assert "has no label in its metadata" in refused(home(AI, soup__jpg=out.getvalue()))


def test_a_label_that_is_too_small_is_refused(
    home: Any, picture: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    def small(plain: Image.Image) -> Image.Image:
        mark = plate(TEXT, round(0.04 * min(plain.size)))
        drawn = plain.copy()
        drawn.paste(mark, corner(plain.size, mark.size))
        return drawn

    monkeypatch.setattr("signage.labels.pictures.drawn_on", small)
    said = refused(home(AI, soup__jpg=label_picture(picture, "jpeg", LABEL)))
    assert "of the shortest side high and must be 5%" in said


def test_a_label_in_the_middle_of_a_picture_does_not_count(
    home: Any, picture: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    def middle(plain: Image.Image) -> Image.Image:
        mark = plate(TEXT, 31)
        drawn = plain.copy()
        drawn.paste(mark, ((plain.width - mark.width) // 2, (plain.height - mark.height) // 2))
        return drawn

    monkeypatch.setattr("signage.labels.pictures.drawn_on", middle)
    said = refused(home(AI, soup__jpg=label_picture(picture, "jpeg", LABEL)))
    assert "no label can be read on it" in said


def test_a_labelled_file_in_a_creative_that_says_nothing_of_ai(home: Any, labelled: bytes) -> None:
    said = refused(home("kind: picture\nfile: soup.jpg\n", soup__jpg=labelled))
    assert "of which the description says nothing; write `ai_generated: true`" in said


def test_an_ai_page_without_a_picture_has_nowhere_for_a_label(home: Any) -> None:
    said = refused(home("ai_generated: true\n", index__html="<h1>Soup</h1>"))
    assert "no picture or video that could carry a label" in said


def test_an_ai_page_is_taken_with_a_labelled_picture(home: Any, labelled: bytes) -> None:
    page = '<img src="soup.jpg" alt="Soup">'
    taken = load_creative(home("ai_generated: true\n", index__html=page, soup__jpg=labelled))
    assert taken.creative.label is not None


def test_a_video_is_labelled_for_its_first_seconds(home: Any, video: bytes, tmp_path: Path) -> None:
    plain = tmp_path / "plain.mp4"
    plain.write_bytes(video)
    target, found = label_file(plain, None, LABEL)
    assert target.name == "plain.labelled.mp4"
    assert found.seconds == pytest.approx(3.0, abs=0.11)
    more = "kind: video\nfile: soup.mp4\nai_generated: true\n"
    label = load_creative(home(more, soup__mp4=target.read_bytes())).creative.label
    assert label == found
    assert "no label in its metadata" in refused(home(more, soup__mp4=video))


def test_a_video_shorter_than_the_label_must_be_shown_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, video: bytes
) -> None:
    monkeypatch.setattr("signage.labels.videos.DRAWN_SECONDS", 1.5)
    plain = tmp_path / "plain.mp4"
    plain.write_bytes(video)
    with pytest.raises(CatalogueError, match=r"shown for 1\.5 s and must be for 2 s"):
        label_file(plain, None, LABEL)
    assert [path.name for path in tmp_path.iterdir()] == ["plain.mp4"]


def test_a_file_is_labelled_once(tmp_path: Path, labelled: bytes) -> None:
    path = tmp_path / "soup.jpg"
    path.write_bytes(labelled)
    with pytest.raises(LabelError, match="holds an AIGC label already"):
        label_file(path, None, LABEL)


def test_noise_and_text_are_no_label() -> None:
    from signage.labels import measuring

    rng = np.random.default_rng(3)
    for _ in range(3):
        assert measuring.find(rng.integers(0, 256, (480, 640, 3), dtype=np.uint8)) is None
    other = Image.new("RGB", (720, 720), "white")
    mark = plate("AI人工", 40)
    other.paste(mark, corner(other.size, mark.size))
    assert measuring.find(np.asarray(other)) is None


def test_a_video_too_short_for_a_label_is_told_before_it_is_encoded(
    tmp_path: Path, short_video: bytes
) -> None:
    path = tmp_path / "short.mp4"
    path.write_bytes(short_video)
    with pytest.raises(UserError, match=r"1\.5 s long and its label must be shown for 2 s"):
        label_file(path, None, LABEL)


def test_what_cannot_be_labelled_is_one_sentence(tmp_path: Path, picture: bytes) -> None:
    words = tmp_path / "words.txt"
    words.write_text("only words")
    with pytest.raises(UserError, match="is no JPEG, PNG, WebP or video"):
        label_file(words, None, LABEL)
    with pytest.raises(UserError, match="cannot be used"):
        label_file(tmp_path / "none.png", None, LABEL)
    path = tmp_path / "soup.jpg"
    path.write_bytes(picture)
    with pytest.raises(UserError, match="is the file itself"):
        label_file(path, path, LABEL)
    with pytest.raises(LabelError, match="no AIGC label"):
        label_file(path, None, Aigc(content_producer="深度", produce_id="1"))
