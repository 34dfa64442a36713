"""A folder of creatives is taken whole or refused in one sentence."""

import hashlib
from collections.abc import Callable
from pathlib import Path

import pytest

from signage.catalogue import OWN_CREATIVES, load_catalogue
from signage.errors import CatalogueError

DESCRIPTION = """\
creative_id: soup
version: 2
title: Soup
alt_text: A bowl of soup.
language: en
owner: test
categories: [soup]
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    home = tmp_path / "creatives" / "soup"
    home.mkdir(parents=True)
    (home / "creative.yaml").write_text(DESCRIPTION)
    (home / "index.html").write_text("<h1>Soup</h1>")
    (home / "pictures").mkdir()
    (home / "pictures" / "bowl.svg").write_text("<svg/>")
    return home.parent


def test_a_creative_is_its_description_and_its_page(folder: Path) -> None:
    catalogue = load_catalogue(folder)
    soup = catalogue.get("soup", 2)
    assert soup is not None
    assert (soup.media, soup.categories) == ("soup/2/index.html", ("soup",))
    assert soup.sha256 == hashlib.sha256(b"<h1>Soup</h1>").hexdigest()
    assert set(catalogue.files) == {"soup/2/index.html", "soup/2/pictures/bowl.svg"}
    assert catalogue.get("soup", 1) is None


def _write(name: str, text: str) -> Callable[[Path], object]:
    return lambda home: (home / name).write_text(text)


@pytest.mark.parametrize(
    ("breaks", "message"),
    [
        (lambda home: (home / "creative.yaml").unlink(), "it has no creative.yaml"),
        (lambda home: (home / "index.html").unlink(), "the page is missing"),
        (lambda home: home.rename(home.parent / "stew"), "not the folder's name"),
        (_write("creative.yaml", DESCRIPTION + "colour: red\n"), "unknown field `colour`"),
        (_write("creative.yaml", "creative_id: [soup\n"), "not a description"),
        (_write("creative.yaml", DESCRIPTION.replace("2", "zero")), "version"),
        (_write("creative.yaml", DESCRIPTION + "page: ../secret\n"), "page"),
        (_write("creative.yaml", "#" * 70_000), "larger than"),
        (_write("index.html", "x" * 2_100_000), "larger than"),
        (lambda home: (home / "leak").symlink_to("/etc/passwd"), "outside its creative's folder"),
    ],
)
def test_a_broken_creative_is_one_sentence(
    folder: Path, breaks: Callable[[Path], object], message: str
) -> None:
    breaks(folder / "soup")
    with pytest.raises(CatalogueError) as caught:
        load_catalogue(folder)
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)
    assert str(folder) in str(caught.value)


@pytest.mark.parametrize(("name", "message"), [("none", "no such folder"), ("bare", "no creative")])
def test_a_folder_without_creatives_is_refused(tmp_path: Path, name: str, message: str) -> None:
    (tmp_path / "bare").mkdir()
    with pytest.raises(CatalogueError, match=message):
        load_catalogue(tmp_path / name)


def test_our_own_creatives_are_valid_and_need_nothing_from_elsewhere() -> None:
    catalogue = load_catalogue()
    names = [c.creative_id for c in catalogue.creatives]
    assert names == ["bakery", "chocolate", "coffee", "fruit", "tea", "welcome"]
    for home in OWN_CREATIVES.iterdir():
        page = (home / "index.html").read_text()
        assert "<script" not in page
        assert "prefers-reduced-motion" in page
        links = page.replace("http://www.w3.org/2000/svg", "")
        assert "http:" not in links
        assert "https:" not in links
