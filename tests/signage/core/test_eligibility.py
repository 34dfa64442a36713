"""Who may be shown here and now, and the one reason why somebody may not."""

from collections.abc import Callable
from decimal import Decimal
from typing import Any

import msgspec
import pytest

from signage.core.caps import PlayBook
from signage.core.eligibility import Given, eligible, made_for
from signage.core.schedule import LocalTime, local_time
from streams.contracts.layout import Zone
from streams.contracts.signage import AiLabel, Creative, Hours, Play

T0 = 1_700_000_000_000
NOON = LocalTime(day=3, minute=720)
COFFEE = Zone(zone_id="coffee", area_id="main", name="Coffee", category="coffee")

BASE = Creative(
    creative_id="soup",
    version=1,
    title="Soup",
    alt_text="A bowl.",
    language="en-GB",
    media="soup/1/index.html",
    sha256="0" * 64,
    owner="test",
)
LABEL = AiLabel(label="1", content_producer="p", produce_id="1", text="AI生成", height_share=0.056)


def why(given: Given, **fields: Any) -> str | None:
    creative = msgspec.structs.replace(BASE, **fields)
    allowed, barred = eligible([creative], "screen-1", [COFFEE], given)
    assert len(allowed) + len(barred) == 1
    return barred[0].why if barred else None


@pytest.mark.parametrize(
    ("expected", "given", "fields"),
    [
        (None, Given(), {}),
        ("screen", Given(), {"screens": ("screen-2",)}),
        (None, Given(), {"screens": ("screen-1",)}),
        ("zone", Given(), {"zones": ("tea",)}),
        (None, Given(), {"zones": ("tea", "coffee")}),
        ("not-yet", Given(now_ms=T0), {"valid_from_ms": T0 + 1}),
        (None, Given(now_ms=T0), {"valid_from_ms": T0}),
        ("over", Given(now_ms=T0), {"valid_until_ms": T0}),
        (None, Given(now_ms=T0), {"valid_until_ms": T0 + 1}),
        ("not-yet", Given(), {"valid_from_ms": 0}),
        ("hours", Given(local=NOON), {"hours": (Hours(days=(1,)),)}),
        ("hours", Given(local=NOON), {"hours": (Hours(until_minute=720),)}),
        (None, Given(local=NOON), {"hours": (Hours(days=(1,)), Hours(from_minute=720))}),
        ("hours", Given(), {"hours": (Hours(),)}),
        ("label", Given(), {"ai_generated": True}),
        (None, Given(), {"ai_generated": True, "label": LABEL}),
        (
            "label",
            Given(),
            {"ai_generated": True, "label": msgspec.structs.replace(LABEL, height_share=0.049)},
        ),
        (
            "label",
            Given(),
            {"ai_generated": True, "label": msgspec.structs.replace(LABEL, text="AI")},
        ),
        (
            "label",
            Given(),
            {"ai_generated": True, "label": msgspec.structs.replace(LABEL, seconds=1.9)},
        ),
        ("language", Given(languages=("de", "fr")), {}),
        (None, Given(languages=("de", "en")), {}),
        ("price", Given(), {"prices": ("4001",)}),
        ("price", Given(prices={"4001"}), {"prices": ("4001", "4002")}),
        (None, Given(prices={"4001"}), {"prices": ("4001",)}),
        ("stock", Given(stock={"4001": Decimal(0)}), {"skus": ("4001",)}),
        ("stock", Given(stock={"4001": Decimal(-2)}), {"skus": ("4002", "4001")}),
        (None, Given(stock={"4001": Decimal("0.5")}), {"skus": ("4001",)}),
        (None, Given(stock={"4001": None}), {"skus": ("4001",)}),
        (None, Given(), {"skus": ("4001",)}),
        ("cap", Given(plays_last_hour={"soup": 3}), {"max_plays_per_hour": 3}),
        (None, Given(plays_last_hour={"soup": 2}), {"max_plays_per_hour": 3}),
        ("budget", Given(campaign_plays={"summer": 9}), {"campaign": "summer", "budget_plays": 9}),
        (None, Given(campaign_plays={"soup": 9}), {"campaign": "summer", "budget_plays": 9}),
        ("budget", Given(campaign_plays={"soup": 9}), {"budget_plays": 9}),
    ],
)
def test_each_bar_has_its_reason(
    expected: str | None, given: Given, fields: dict[str, Any]
) -> None:
    assert why(given, **fields) == expected


def test_what_is_allowed_and_barred_comes_in_order_and_loses_nobody() -> None:
    creatives = [
        msgspec.structs.replace(BASE, creative_id=name, ai_generated=name in "bd")
        for name in "dcba"
    ]
    allowed, barred = eligible(creatives, "screen-1")
    assert [c.creative_id for c in allowed] == ["a", "c"]
    assert [(b.creative_id, b.why) for b in barred] == [("b", "label"), ("d", "label")]


def test_a_player_that_knows_no_layout_skips_zones_alone() -> None:
    tea = msgspec.structs.replace(BASE, zones=("tea",))
    assert eligible([tea], "screen-1").allowed == (tea,)
    assert eligible([tea], "screen-1", []).barred[0].why == "zone"


def test_made_for_a_zone_or_its_category() -> None:
    assert made_for(msgspec.structs.replace(BASE, categories=("coffee",)), COFFEE)
    assert not made_for(
        msgspec.structs.replace(BASE, categories=("coffee",), zones=("tea",)), COFFEE
    )


def test_hours_hold_over_midnight_into_the_next_day() -> None:
    friday_night = (Hours(days=(5,), from_minute=22 * 60, until_minute=3 * 60),)
    for day, minute, shown in [(5, 1400, True), (6, 179, True), (6, 180, False), (5, 60, False)]:
        given = Given(local=LocalTime(day, minute))
        assert (why(given, hours=friday_night) is None) is shown


def test_local_time_is_the_stores() -> None:
    from zoneinfo import ZoneInfo

    assert local_time(T0, ZoneInfo("Asia/Shanghai")) == LocalTime(3, 6 * 60 + 13)


MakePlay = Callable[..., Play]


def test_a_play_book_counts_each_play_once(make_play: MakePlay) -> None:
    book = PlayBook({"coffee": msgspec.structs.replace(BASE, campaign="summer")})
    hour = 3_600_000
    plays = [make_play(play_id=f"p-{n}", rendered_at_ms=T0 + n) for n in range(5)]
    for play in [*plays, *plays, make_play(play_id="p-0", phase="ended", **_END)]:
        book.count(play)
    book.count(make_play(play_id="other", screen_id="screen-2", rendered_at_ms=T0))
    assert book.last_hour("screen-1", T0 + 10) == {"coffee": 5}
    assert book.last_hour("screen-1", T0 + hour + 1) == {"coffee": 3}
    assert book.last_hour("screen-3", T0) == {}
    assert book.by_campaign == {"summer": 6}


def test_a_play_that_failed_costs_no_budget(make_play: MakePlay) -> None:
    book = PlayBook()
    book.count(make_play(success=False, error="broken"))
    assert book.by_campaign == {}


_END = {"duration_ms": 5, "stop_reason": "finished"}
