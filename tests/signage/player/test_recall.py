"""Repertoires that change under a playing screen: recalls, prices, a playlist that runs out."""

import itertools
from decimal import Decimal
from typing import Any

import msgspec
import pytest

from signage.player.prices import Prices
from signage.player.programme import Ask, Now, Output, Place, Refusal, State
from signage.player.repertoire import Repertoire
from signage.player.stage import Stage
from streams.contracts.playlist import Turn
from streams.contracts.signage import Content, Creative, Play
from streams.contracts.store import Price

T0 = 1_700_000_000_000
PLACE = Place("store", "main", "screen-1", "player-1")


def creative(name: str, **fields: Any) -> Creative:
    base = Creative(
        creative_id=name,
        version=1,
        title=name,
        alt_text=name,
        language="en",
        media=f"{name}/1/index.html",
        sha256="0" * 64,
        owner="o",
    )
    return msgspec.structs.replace(base, **fields)


REST = creative("player-rest")
TEA, COFFEE = creative("tea"), creative("coffee")
OFFER = creative("offer", kind="template", prices=("4001",))


def at(ms: int) -> Now:
    return Now(T0 + ms, ms)


def stock(*creatives: Creative, until_ms: int | None = None) -> Repertoire:
    return Repertoire(
        known={(c.creative_id, c.version): c for c in creatives},
        rotation=tuple((c, (Turn(from_ms=0, until_ms=T0 + 10**9),)) for c in creatives),
        slot_ms=10_000,
        until_ms=until_ms,
    )


def price(amount: str, valid_from_ms: int = 0) -> Price:
    return Price(
        store_id="store",
        sku="4001",
        price=Decimal(amount),
        currency="EUR",
        valid_from_ms=valid_from_ms,
    )


class Screen:
    """A stage with a page that paints what it is asked for."""

    def __init__(self, prices: Prices | None = None) -> None:
        numbers = itertools.count(1)
        self.prices = prices or Prices()
        self.stage = Stage(PLACE, (), 10_000, lambda: f"p-{next(numbers)}", REST, self.prices.shown)
        self.state = State()
        self.outputs: list[Output] = []

    def do(self, step: tuple[State, tuple[Output, ...]]) -> tuple[Output, ...]:
        self.state, outputs = step
        self.outputs += outputs
        return outputs

    def paint(self, now: Now) -> None:
        for ask in self.state.asked:
            self.do(self.stage.rendered(self.state, ask.play_id, now))

    @property
    def shows(self) -> str:
        assert self.state.playing is not None
        return self.state.playing.programme.creative.creative_id

    @property
    def plays(self) -> list[Play]:
        return [each for each in self.outputs if isinstance(each, Play)]


@pytest.fixture
def screen() -> Screen:
    screen = Screen()
    screen.do(screen.stage.stock(screen.state, stock(TEA, COFFEE), at(0)))
    screen.do(screen.stage.page_came(screen.state, at(0)))
    screen.paint(at(100))
    return screen


def test_a_screen_without_a_playlist_shows_its_fallback_picture() -> None:
    screen = Screen()
    screen.do(screen.stage.page_came(screen.state, at(0)))
    screen.paint(at(100))
    assert screen.shows == "player-rest"
    for ms in range(1_000, 60_000, 1_000):  # it stands still: nothing is shown anew
        assert screen.do(screen.stage.tick(screen.state, at(ms))) == ()
    screen.do(screen.stage.stock(screen.state, stock(TEA), at(61_000)))
    screen.paint(at(61_100))
    assert screen.shows == "tea"


def test_a_recalled_creative_leaves_the_glass_at_once_and_stays_away(screen: Screen) -> None:
    shown = screen.shows
    outputs = screen.do(screen.stage.recalled(screen.state, shown, at(2_000)))
    assert [type(each) for each in outputs] == [Ask]
    screen.paint(at(2_100))
    assert screen.shows != shown
    for ms in range(3_000, 90_000, 1_000):
        screen.do(screen.stage.tick(screen.state, at(ms)))
        screen.paint(at(ms + 100))
        assert screen.shows != shown
    # A playlist that still holds it, as an offline player's, does not bring it back.
    screen.do(screen.stage.stock(screen.state, stock(TEA, COFFEE), at(90_000)))
    screen.paint(at(90_100))
    assert screen.shows != shown
    screen.do(screen.stage.recalled(screen.state, screen.shows, at(91_000)))
    screen.paint(at(91_100))
    assert screen.shows == "player-rest"
    screen.do(screen.stage.returned(screen.state, shown, at(92_000)))
    screen.paint(at(92_100))
    assert screen.shows == shown


def test_a_recalled_creative_is_not_shown_for_a_decision(screen: Screen) -> None:
    screen.do(screen.stage.recalled(screen.state, "tea", at(1_000)))
    content = Content(
        decision_id="d",
        store_id="store",
        area_id="main",
        screen_id="screen-1",
        creative_id="tea",
        creative_version=1,
        not_before_ms=T0,
        expires_at_ms=T0 + 60_000,
        arm="adaptive",
        reason="attention",
        sentence="",
    )
    assert screen.do(screen.stage.content(screen.state, content, at(1_100))) == (
        Refusal("d", "unknown creative"),
    )
    assert screen.stage.lacks(screen.state, content, at(1_100))
    # It was not here yet, or not any more: once it is, the same content counts.
    screen.do(screen.stage.returned(screen.state, "tea", at(1_200)))
    screen.do(screen.stage.content(screen.state, content, at(1_300)))
    screen.paint(at(1_400))
    assert screen.shows == "tea"


def test_a_playlist_that_has_run_out_is_not_shown_any_more() -> None:
    screen = Screen()
    screen.do(screen.stage.stock(screen.state, stock(TEA, until_ms=T0 + 30_000), at(0)))
    screen.do(screen.stage.page_came(screen.state, at(0)))
    screen.paint(at(100))
    assert screen.shows == "tea"
    screen.do(screen.stage.tick(screen.state, at(30_000)))
    screen.paint(at(30_100))
    assert screen.shows == "player-rest"


def test_a_price_is_proven_as_it_was_shown_and_shown_anew_when_it_changes() -> None:
    prices = Prices()
    screen = Screen(prices)
    screen.do(screen.stage.stock(screen.state, stock(OFFER), at(0)))
    screen.do(screen.stage.page_came(screen.state, at(0)))
    screen.paint(at(100))
    assert screen.shows == "player-rest"  # no price is known: none is guessed
    for ms, amount in ((1_000, "2.49"), (3_000, "1.99")):
        assert prices.put("4001", price(amount), T0 + ms)
        screen.do(screen.stage.repriced(screen.state, "4001", at(ms)))
        screen.paint(at(ms + 100))
        assert screen.shows == "offer"
    told = [
        (p.phase, [str(s.price) for s in p.prices])
        for p in screen.plays
        if p.creative_id == "offer"
    ]
    assert told == [("started", ["2.49"]), ("ended", ["2.49"]), ("started", ["1.99"])]
    prices.put("4001", None, T0 + 5_000)
    screen.do(screen.stage.repriced(screen.state, "4001", at(5_000)))
    screen.paint(at(5_100))
    assert screen.shows == "player-rest"


def test_a_price_of_tomorrow_waits_until_then() -> None:
    prices = Prices()
    assert prices.put("4001", price("2.49"), T0)
    assert not prices.put("4001", price("1.99", T0 + 5_000), T0)
    assert prices.due(T0 + 4_999) == []
    shown = prices.shown(OFFER)
    assert shown is not None
    assert str(shown[0].price) == "2.49"
    assert prices.due(T0 + 5_000) == ["4001"]
    shown = prices.shown(OFFER)
    assert shown is not None
    assert str(shown[0].price) == "1.99"
