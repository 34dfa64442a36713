from html.parser import HTMLParser
from pathlib import Path

import msgspec
import pytest

from infra.calibrate.notice import WORDS, Language, notice
from infra.layouts import load_layout

LAYOUT = load_layout(Path(__file__).parents[3] / "examples" / "store.yaml")


class _Text(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.text, self.tags = "", []

    def handle_data(self, data: str) -> None:
        self.text += data

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        assert tag not in ("script", "link", "img", "iframe"), "a notice loads nothing"


def read(page: str) -> _Text:
    parser = _Text()
    parser.feed(page)
    return parser


@pytest.mark.parametrize(
    ("language", "says"),
    [
        ("en", ("Tea, Chocolate, Coffee", "Above the shelf", "24 hours", "30 days", "90 days",
                "Nobody is recognised", "until the operator deletes it")),
        ("de", ("Tea, Chocolate, Coffee", "24 Stunden", "30 Tage", "Niemand wird erkannt",
                "bis der Betreiber es löscht")),
    ],
)  # fmt: skip
def test_it_says_what_is_so(language: Language, says: tuple[str, ...]) -> None:
    page = read(notice(LAYOUT, language, "22", "Ms Weber", "https://example.org/cameras"))
    for text in (*says, "Ms Weber", "https://example.org/cameras", LAYOUT.name):
        assert text in page.text
    assert "svg" in page.tags


def test_what_is_not_there_is_not_told() -> None:
    bare = msgspec.structs.replace(LAYOUT, zones=(), screens=(), cameras=())
    text = read(notice(bare, "en", "22", database_hours=72)).text
    assert "How long somebody stands" not in text
    assert "screens and faces" not in text
    assert "come in and go out" not in text
    assert "3 days" in text


def test_names_are_text_and_not_markup() -> None:
    zone = msgspec.structs.replace(LAYOUT.zones[0], name="<script>alert(1)</script>")
    page = notice(msgspec.structs.replace(LAYOUT, zones=(zone,)), "en", "22", contact="<b>me")
    assert "<script>" not in page
    assert "<b>me" not in page


def test_both_languages_say_the_same_number_of_things() -> None:
    assert len(WORDS["en"].nots) == len(WORDS["de"].nots)
    assert [t for _, t in WORDS["en"].rows] == [t for _, t in WORDS["de"].rows]
