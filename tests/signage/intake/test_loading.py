"""A folder is taken as a creative whole, or refused in one clear sentence."""

import hashlib
import io
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from signage.errors import CatalogueError
from signage.intake.description import hours_in
from signage.intake.loading import load_creative
from streams.contracts.signage import Field, Hours

PAGE = '<!doctype html><html lang="en"><title>Soup</title><h1>Soup</h1></html>'
PICTURE = "kind: picture\nfile: soup.jpg\n"


def png(width: int, height: int) -> bytes:
    out = io.BytesIO()
    Image.new("RGB", (width, height), "red").save(out, "PNG")
    return out.getvalue()


def test_a_page_with_all_that_can_be_said_of_it(home: Any) -> None:
    folder = home(
        "campaign: winter\ncategories: [soup]\nzones: [shelf-1]\nscreens: [screen-1]\n"
        'hours: ["mon-fri 08:00-20:00", "22:00-02:00"]\nvalid_from: 2026-12-01\n'
        "valid_until: 2026-12-24T18:00+01:00\nmax_plays_per_hour: 30\nbudget_plays: 5000\n"
        'skus: ["4001"]\n',
        index__html=PAGE,
        style__css="h1 { color: red }",
    )
    creative = load_creative(folder).creative
    assert (creative.kind, creative.campaign, creative.skus) == ("page", "winter", ("4001",))
    assert creative.hours == (
        Hours(days=(1, 2, 3, 4, 5), from_minute=480, until_minute=1200),
        Hours(from_minute=1320, until_minute=120),
    )
    assert creative.valid_from_ms == 1_796_083_200_000
    assert creative.valid_until_ms == 1_798_131_600_000
    assert [file.path for file in creative.files] == ["soup/2/index.html", "soup/2/style.css"]
    assert creative.files[0].sha256 == hashlib.sha256(PAGE.encode()).hexdigest() == creative.sha256
    assert creative.files[0].bytes == len(PAGE)


def test_a_picture_gets_a_page_that_shows_it_whole(home: Any, picture: bytes) -> None:
    taken = load_creative(home(PICTURE, soup__jpg=picture))
    assert taken.creative.media == "soup/2/index.html"
    page = taken.made["soup/2/index.html"]
    assert hashlib.sha256(page).hexdigest() == taken.creative.sha256
    assert b'alt="A bowl of soup."' in page
    assert b"object-fit: contain" in page
    assert {file.path for file in taken.creative.files} == {
        "soup/2/index.html",
        "soup/2/soup.jpg",
    }


def test_a_video_plays_silent_and_for_ever(home: Any, video: bytes) -> None:
    taken = load_creative(home("kind: video\nfile: soup.mp4\n", soup__mp4=video))
    page = taken.made["soup/2/index.html"]
    assert b"muted loop playsinline" in page
    assert b'aria-label="A bowl of soup."' in page


def test_a_template_says_which_prices_it_shows(home: Any) -> None:
    folder = home(
        "kind: template\nfields: {claim: Warm}\n",
        index__html="<h1>{{title}}</h1>{{claim}} {{price:4001}} {{unit:4001}} {{price:4002}}",
    )
    creative = load_creative(folder).creative
    assert creative.prices == ("4001", "4002")
    assert creative.fields == (Field(name="claim", value="Warm"),)


@pytest.mark.parametrize(
    ("more", "files", "message"),
    [
        ("hours: [noon]\n", {}, "hours 'noon' cannot be read"),
        ('hours: ["mon 25:00-26:00"]\n', {}, "cannot be read"),
        ("valid_from: soon\n", {}, "valid_from 'soon' is no date"),
        (
            "valid_from: 2026-12-02\nvalid_until: 2026-12-01\n",
            {},
            "valid_until is not after valid_from",
        ),
        ("valid_until: 9999-12-31\n", {}, "a value is out of bounds"),
        ("kind: picture\n", {}, "a picture has no file"),
        ("file: soup.jpg\n", {}, "a page has `file:`"),
        ("kind: poster\n", {}, "not a description"),
        ("fields: {a: b}\n", {}, "a page has fields"),
        ("max_plays_per_hour: 0\n", {}, "not a description"),
        ("", {"index__html": "<script>alert(1)</script>"}, "it holds <script>"),
        ("", {"index__html": '<h1 onclick="x()">'}, "a script in onclick="),
        ("", {"index__html": '<iframe src="a.html">'}, "it holds <iframe>"),
        ("", {"index__html": '<meta http-equiv="Refresh" content="0">'}, "sends the browser"),
        ("", {"index__html": '<img src="https://a.example/x.png">'}, "from elsewhere"),
        ("", {"index__html": '<img src="//a.example/x.png">'}, "from elsewhere"),
        ("", {"index__html": '<img src="/state">'}, "from elsewhere"),
        ("", {"index__html": '<img src="../other/x.png">'}, "which is missing"),
        ("", {"index__html": "<style>@import 'x.css';</style>"}, "which is missing"),
        ("", {"index__html": "<p style=\"background: url('a.png')\">"}, "which is missing"),
        ("", {"index__html": '<html lang="de">'}, 'its lang is "de"'),
        ("", {"a__css": "a { background: url(http://a.example/) }"}, "from elsewhere"),
        ("", {"a__svg": "<svg><script/></svg>"}, "it holds <script>"),
        ("", {"a__js": "alert(1)"}, "it is a script"),
        ("", {"a__exe": b"MZ"}, "of type .exe, which no screen shows"),
        ("", {"a__png": b"\xff\xd8\xff\xe0" + bytes(60)}, "named .png but is in truth JPEG"),
        ("", {"a__png": b""}, "named .png but is empty"),
        ("", {"a__jpg": "just words"}, "named .jpg but is in truth text"),
        ("", {"a__png": png(300, 900)}, "it is 300 x 900 pixels"),
        ("", {"a__png": png(400, 400)[:200]}, "cannot be decoded"),
        ("", {"a__mp4": b"\0\0\0\x18ftypisom" + bytes(200)}, "the video cannot be decoded"),
        ("page: b.html\n", {}, "the page is missing"),
        ("kind: template\n", {}, "no place to fill"),
        ("kind: template\n", {"index__html": "{{title}} {{claim}}"}, "{{claim}} has no text"),
        ("kind: template\n", {"index__html": "{{Price 1}}"}, "{{Price 1}} is no place"),
        ("kind: template\nfields: {a: b}\n", {"index__html": "{{title}}"}, "'a' has no place"),
    ],
)
def test_what_is_not_right_is_one_sentence(
    home: Any, more: str, files: dict[str, str | bytes], message: str
) -> None:
    folder = home(more, **{"index__html": PAGE, **files})
    with pytest.raises(CatalogueError) as caught:
        load_creative(folder)
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)
    assert "; " in str(caught.value)


@pytest.mark.parametrize("language", ["english language", "e", "en_GB", "en-", "123"])
def test_a_language_must_be_a_tag(home: Any, language: str) -> None:
    folder = home(index__html=PAGE)
    path: Path = folder / "creative.yaml"
    path.write_text(path.read_text().replace("language: en", f"language: '{language}'"))
    with pytest.raises(CatalogueError, match=r"no BCP 47 tag|not a description"):
        load_creative(folder)


@pytest.mark.parametrize("language", ["en", "de-AT", "zh-Hans", "zh-Hans-CN", "es-419", "sl-rozaj"])
def test_tags_that_are_in_use_are_taken(home: Any, language: str) -> None:
    folder = home(index__html="<h1>Soup</h1>")
    path: Path = folder / "creative.yaml"
    path.write_text(path.read_text().replace("language: en", f"language: {language}"))
    assert load_creative(folder).creative.language == language


def test_a_picture_brings_no_page_of_its_own(home: Any, picture: bytes) -> None:
    folder = home(PICTURE, soup__jpg=picture, index__html=PAGE)
    with pytest.raises(CatalogueError, match="brings no page of its own"):
        load_creative(folder)


def test_too_many_files_are_refused(home: Any) -> None:
    folder = home(index__html=PAGE)
    for number in range(256):
        (folder / f"{number}.css").write_text("a {}")
    with pytest.raises(CatalogueError, match="more than 256 files"):
        load_creative(folder)


@pytest.mark.parametrize(
    ("text", "days"),
    [("sat-mon 08:00-09:00", (1, 6, 7)), ("wed 8:00-24:00", (3,)), ("08:00-09:00", ())],
)
def test_days_are_read_as_people_write_them(text: str, days: tuple[int, ...]) -> None:
    assert hours_in(text).days == days
