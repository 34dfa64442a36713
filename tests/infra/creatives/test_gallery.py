"""The page of creatives: what it shows, and that it gives out nothing else."""

from pathlib import Path

import httpx
import msgspec
import pytest

from infra.creatives.page import Gallery, gallery_app, gallery_html
from infra.creatives.publishing import compared, store, taken
from infra.creatives.words import WHY, hours_text, place, state, times
from infra.errors import UserError
from signage.catalogue import OWN_CREATIVES, load_catalogue
from signage.core.eligibility import Given, eligible
from signage.errors import CatalogueError
from signage.media import MediaArchive
from streams.contracts.signage import Creative, Hours

OFFER = Path(__file__).parents[3] / "examples" / "creatives" / "coffee-offer"
T0 = 1_700_000_000_000


@pytest.fixture
def coffee() -> Creative:
    return load_catalogue().creatives[2]


async def get(gallery: Gallery, path: str, host: str = "localhost") -> httpx.Response:
    transport = httpx.ASGITransport(app=gallery_app(gallery))
    async with httpx.AsyncClient(transport=transport, base_url=f"http://{host}") as client:
        return await client.get(path)


async def test_every_creative_is_there_upright_and_across() -> None:
    gallery = Gallery.of_folder(OWN_CREATIVES)
    answer = await get(gallery, "/")
    assert answer.status_code == 200
    for creative in gallery.creatives:
        assert answer.text.count(f"/media/{creative.media}?sha256=") == 2
    assert "script-src 'self'" in answer.headers["content-security-policy"]
    for path in ("/static/gallery.css", "/static/theme.css", "/static/label.otf"):
        assert (await get(gallery, path)).status_code == 200


async def test_media_come_without_scripts_and_nothing_else_comes() -> None:
    gallery = Gallery.of_folder(OWN_CREATIVES)
    page = await get(gallery, "/media/coffee/1/index.html")
    assert page.status_code == 200
    assert "script-src" not in page.headers["content-security-policy"]
    assert "default-src 'none'" in page.headers["content-security-policy"]
    for path in (
        "/media/coffee/1/creative.yaml",
        "/media/coffee/1/../../../catalogue.py",
        "/media//etc/passwd",
        "/static/../page.py",
        "/docs",
    ):
        assert (await get(gallery, path)).status_code == 404, path
    assert (await get(gallery, "/", host="evil.example")).status_code == 400


async def test_a_template_is_filled_with_a_price_that_is_none() -> None:
    gallery = Gallery.of_folder(OFFER)
    assert gallery.creatives[0].prices == ("coffee-house-blend",)
    page = (await get(gallery, "/media/coffee-offer/1/index.html")).text
    assert "{{" not in page
    assert "<b>0.00</b>" in page
    assert "House blend" in page
    assert "Prices are filled in by the store." in gallery_html(gallery, T0)


def test_what_an_owner_wrote_is_escaped(coffee: Creative) -> None:
    evil = msgspec.structs.replace(coffee, title="<b>x</b>", alt_text='"><script>', owner="<i>")
    text = gallery_html(Gallery((evil,), {}, {}, "here"), T0)
    for raw in ("<b>x", '"><script', "<i>"):
        assert raw not in text


def test_where_when_and_whether_now_are_said_plainly(coffee: Creative) -> None:
    told = msgspec.structs.replace(
        coffee,
        zones=("a", "b"),
        screens=("s",),
        hours=(Hours(days=(6, 7), from_minute=600, until_minute=1440),),
        valid_from_ms=T0,
        valid_until_ms=T0 + 1,
    )
    assert place(told) == "zones a, b; screens s"
    assert times(told) == (
        "Sat Sun 10:00-24:00, from 2023-11-14 22:13 UTC, until 2023-11-14 22:13 UTC"
    )
    assert (place(coffee), times(coffee), state(coffee, T0)) == (
        "everywhere",
        "always",
        "may be shown",
    )
    assert state(told, T0 - 1) == "not yet valid"
    assert state(told, T0 + 1) == "no longer valid"
    assert state(told, T0) == "outside its hours"
    unlabelled = msgspec.structs.replace(coffee, ai_generated=True)
    assert state(unlabelled, T0) == "it is AI-generated and carries no label"
    assert hours_text(Hours(from_minute=1320, until_minute=120)) == "every day 22:00-02:00"


def test_every_reason_has_words(coffee: Creative) -> None:
    """Whoever adds a reason adds its words."""
    import inspect

    from signage.core import eligibility, schedule

    source = inspect.getsource(eligibility) + inspect.getsource(schedule.schedule_fault)
    for why in WHY:
        assert f'return "{why}"' in source, why
    assert source.count('return "') == len(WHY)
    assert eligible([coffee], "s", given=Given()).barred == ()


def test_versions_only_grow(coffee: Creative, tmp_path: Path) -> None:
    archive = MediaArchive(tmp_path)
    newer = msgspec.structs.replace(coffee, version=2)
    other = msgspec.structs.replace(coffee, title="Other")
    known = {coffee.creative_id: coffee}
    assert compared(coffee, {}, archive) == "new"
    assert compared(coffee, known, archive) == "the same"
    assert compared(newer, known, archive) == "newer"
    with pytest.raises(UserError, match="give it `version: 2`"):
        compared(other, known, archive)
    with pytest.raises(UserError, match="is older; give it `version: 3`"):
        compared(coffee, {coffee.creative_id: newer}, archive)


def test_a_creative_is_stored_with_all_its_bytes(tmp_path: Path) -> None:
    archive = MediaArchive(tmp_path)
    (intake,) = taken(OFFER)
    store(archive, intake)
    assert all(archive.intact(file.sha256) for file in intake.creative.files)
    shown = Gallery.of_archive([intake.creative], archive)
    assert shown.read(intake.creative.media) == (OFFER / "index.html").read_bytes()


def test_a_folder_that_is_not_there_is_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(CatalogueError, match="there is no such folder"):
        taken(tmp_path / "nothing")
