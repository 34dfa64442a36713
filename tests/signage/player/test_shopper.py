"""The shoppers' page: what it says in each language, and what it never does."""

from html.parser import HTMLParser

import cv2
import numpy as np
import pytest

from signage.player.programme import Programme
from signage.player.shopper import Shop, language_of, qr_svg, shopper_page
from signage.player.shopper_words import LANGUAGES, WORDS
from streams.contracts.signage import Creative

SHOP = Shop(name="The <corner> shop", contact="Ask Mx. Smith, 030 123 & 4", simulated=False)


def programme(**fields: object) -> Programme:
    creative = Creative(
        creative_id="coffee",
        version=1,
        title="Coffee & <cake>",
        alt_text="",
        language="en",
        media="m",
        sha256="0" * 64,
        owner="o",
    )
    values = {
        "decision_id": "d",
        "creative": creative,
        "scheduled_at_ms": 0,
        "expires_at_ms": 1,
        "reason": "attention",
        "sentence": "Someone has looked at <coffee>.",
    }
    return Programme(**{**values, **fields})  # type: ignore[arg-type]


class Words(HTMLParser):
    """The text of a page, and its tags."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.text = ""
        self.tags: set[str] = set()
        self.feed(page)

    def handle_data(self, data: str) -> None:
        self.text += data

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)


@pytest.mark.parametrize("language", LANGUAGES)
def test_it_says_what_is_measured_why_this_and_whom_to_ask(language: str) -> None:
    page = shopper_page(SHOP, programme(), language)
    said = Words(page)
    words = WORDS[language]
    for text in (
        words.title,
        *words.measured_lines,
        *words.never_lines,
        words.reasons["attention"],
        "Coffee & <cake>",
        "Someone has looked at <coffee>.",
        SHOP.name,
        SHOP.contact,
    ):
        assert text in said.text, text
    assert f'<html lang="{language}">' in page
    assert not said.tags & {"script", "img", "link", "form", "iframe"}
    assert words.simulated not in said.text


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_simulated_store_says_so_and_one_without_a_contact_names_its_staff(language: str) -> None:
    said = Words(shopper_page(Shop("", "", simulated=True), None, language)).text
    words = WORDS[language]
    assert words.simulated in said
    assert words.staff in said
    assert words.nothing in said


def test_every_language_says_the_same_things() -> None:
    shapes = {
        (len(w.measured_lines), len(w.never_lines), tuple(sorted(w.reasons)))
        for w in WORDS.values()
    }
    assert len(shapes) == 1


@pytest.mark.parametrize(
    ("wanted", "found"),
    [
        ("de-AT,de;q=0.9,en;q=0.5", "de"),
        ("fr, zh-Hans;q=0.7, en;q=0.3", "zh"),
        ("fr", "en"),
        ("", "en"),
        ("de;q=x, en;q=0.1", "en"),
        ("*", "en"),
        (";;;,,,", "en"),
    ],
)
def test_the_browser_s_language_is_taken(wanted: str, found: str) -> None:
    assert language_of(wanted) == found


def test_the_code_on_the_screen_leads_there() -> None:
    url = "https://shop.example/screen-1/about"
    svg = qr_svg(url).decode()
    # Drawn as a reader would see it: segno writes one path of rows.
    import segno

    matrix = np.array([list(row) for row in segno.make(url, error="m", micro=False).matrix])
    picture = np.kron(np.pad(1 - matrix, 4, constant_values=1), np.ones((8, 8))) * 255
    read, _, _ = cv2.QRCodeDetector().detectAndDecode(picture.astype(np.uint8))
    assert read == url
    assert svg.startswith("<svg")
    assert 'viewBox="0 0' in svg
