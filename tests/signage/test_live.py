"""A policy that follows what is published, fed as the processor feeds it."""

from decimal import Decimal
from typing import Any

import msgspec
import pytest

from signage.core.context import FEATURES
from signage.live import LivePolicy, in_force
from streams.contracts import topics
from streams.contracts.layout import Area, Screen, StoreLayout, Zone
from streams.contracts.learning import PolicySnapshot
from streams.contracts.policy import Choice, Moment
from streams.contracts.signage import Creative, Play, ZoneAttention
from streams.contracts.store import Price, Stock

NOW = 1_700_000_000_000
LAYOUT = StoreLayout(
    store_id="s",
    name="Store",
    areas=(Area(area_id="a"),),
    zones=(Zone(zone_id="tea", area_id="a", name="Tea", category="tea"),),
    screens=(Screen(screen_id="one", area_id="a", name="One", languages=("en",)),),
)


def creative(name: str, **fields: Any) -> Creative:
    base = Creative(
        creative_id=name,
        version=1,
        title=name,
        alt_text=name,
        language="en",
        media=f"{name}.html",
        sha256="0" * 64,
        owner="us",
        categories=(name,),
    )
    return msgspec.structs.replace(base, **fields)


def snapshot(policy_id: str, approved_at_ms: int | None, **fields: Any) -> PolicySnapshot:
    base = PolicySnapshot(
        policy_id=policy_id,
        version=1,
        algorithm="bandit" if policy_id == "bandit" else "rule",
        made_at_ms=NOW,
        store_id="s",
        features=FEATURES if policy_id == "bandit" else (),
        approved_by="Ada" if approved_at_ms else None,
        approved_at_ms=approved_at_ms,
    )
    return msgspec.structs.replace(base, **fields)


class Fed:
    """A live policy, and a short way to feed and to ask it."""

    def __init__(self, *creatives: Creative, adaptive: bool = True) -> None:
        self.policy = LivePolicy(LAYOUT, adaptive=adaptive)
        for each in creatives:
            self.feed(topics.CREATIVE, each)

    def feed(self, topic: topics.Topic, event: Any) -> bool:
        return self.policy.take(topic.name, topic.key(event), event)

    def drop(self, topic: topics.Topic, key: str) -> bool:
        return self.policy.take(topic.name, key, None)

    def ask(self, now_ms: int = NOW) -> Choice | None:
        seen = ZoneAttention(zone_id="tea", attention_ms=900, watchers=1, people=1)
        return self.policy.choose(
            Moment(
                store_id="s",
                area_id="a",
                screen_id="one",
                now_ms=now_ms,
                arm="adaptive",
                attention=(seen,),
            )
        )

    def candidates(self, now_ms: int = NOW) -> list[str]:
        choice = self.ask(now_ms)
        return [] if choice is None else [each.creative_id for each in choice.candidates]


def test_without_creatives_the_screens_are_left_alone() -> None:
    assert Fed().ask() is None


def test_creatives_come_change_and_are_withdrawn() -> None:
    fed = Fed(creative("tea"), creative("coffee"))
    assert fed.candidates() == ["coffee", "tea"]
    assert not fed.feed(topics.CREATIVE, creative("tea")), "a repeat changes nothing"
    assert fed.feed(topics.CREATIVE, creative("tea", version=2))
    choice = fed.ask()
    assert choice is not None
    assert [c.creative_version for c in choice.candidates] == [1, 2]
    assert fed.drop(topics.CREATIVE, "tea")
    assert not fed.drop(topics.CREATIVE, "tea")
    assert fed.candidates() == ["coffee"]


def test_the_policy_approved_last_runs_and_an_approval_can_be_taken_back() -> None:
    fed = Fed(creative("tea"))
    assert not fed.feed(topics.POLICY, snapshot("bandit", None)), "nobody approved it"
    assert fed.policy.snapshot is None
    assert fed.feed(topics.POLICY, snapshot("rule", NOW))
    assert fed.feed(topics.POLICY, snapshot("bandit", NOW + 1))
    choice = fed.ask()
    assert choice is not None
    assert choice.algorithm == "bandit"
    assert not fed.feed(topics.POLICY, snapshot("rule", NOW, version=2)), "not the one in force"
    assert fed.feed(topics.POLICY, snapshot("bandit", None, version=2))
    assert fed.policy.snapshot is not None
    assert fed.policy.snapshot.name == "rule/2"
    assert fed.drop(topics.POLICY, "s/rule")
    assert fed.policy.snapshot is None


def test_another_stores_policy_is_none_of_ours() -> None:
    fed = Fed(creative("tea"))
    assert not fed.feed(topics.POLICY, snapshot("rule", NOW, store_id="other"))
    assert in_force({"rule": snapshot("rule", NOW)}, "other") is None


def test_a_snapshot_that_cannot_be_used_leaves_what_runs(caplog: pytest.LogCaptureFixture) -> None:
    fed = Fed(creative("tea"))
    fed.feed(topics.POLICY, snapshot("rule", NOW))
    assert not fed.feed(topics.POLICY, snapshot("bandit", NOW + 1, features=("one",)))
    assert fed.policy.snapshot is not None
    assert fed.policy.snapshot.policy_id == "rule"
    assert "not used" in caplog.text


def test_the_switch_beats_every_approval() -> None:
    fed = Fed(creative("tea"), adaptive=False)
    fed.feed(topics.POLICY, snapshot("bandit", NOW))
    choice = fed.ask()
    assert choice is not None
    assert (choice.algorithm, choice.adaptive) == ("rotation", False)
    assert "switched off" in choice.sentence


def test_stock_and_prices_of_this_store_bar_and_allow() -> None:
    fed = Fed(creative("tea", skus=("t1",)), creative("offer", prices=("t1",)), creative("us"))
    assert fed.candidates() == ["tea", "us"], "no price is known, and stock that nobody counts"
    price = Price(
        store_id="s", sku="t1", price=Decimal("2.50"), currency="EUR", valid_from_ms=NOW + 10
    )
    fed.feed(topics.PRICE, price)
    assert fed.candidates(NOW) == ["tea", "us"], "it is not valid yet"
    assert fed.candidates(NOW + 10) == ["offer", "tea", "us"]
    fed.feed(topics.PRICE, msgspec.structs.replace(price, valid_from_ms=NOW + 99))
    assert fed.candidates(NOW + 10) == ["offer", "tea", "us"], "the price before holds on"
    sold_out = Stock(store_id="s", sku="t1", units=Decimal(0), at_ms=NOW)
    assert fed.feed(topics.STOCK, sold_out)
    assert "tea" not in fed.candidates()
    assert not fed.feed(topics.STOCK, msgspec.structs.replace(sold_out, store_id="other"))
    assert fed.drop(topics.STOCK, "s/t1")
    assert "tea" in fed.candidates()


def test_caps_are_counted_by_plays_and_budgets_want_all_of_them() -> None:
    fed = Fed(creative("tea", max_plays_per_hour=1), creative("us"))
    assert fed.policy.plays_since_ms(NOW) == NOW - 3_600_000
    play = Play(
        play_id="p",
        phase="started",
        player_id="one",
        store_id="s",
        area_id="a",
        screen_id="one",
        decision_id="d",
        creative_id="tea",
        creative_version=1,
        scheduled_at_ms=NOW - 100,
        rendered_at_ms=NOW - 50,
    )
    fed.feed(topics.PLAY, play)
    assert fed.candidates() == ["us"]
    assert fed.candidates(NOW + 3_600_000) == ["tea", "us"]
    fed.feed(topics.CREATIVE, creative("us", version=2, budget_plays=5))
    assert fed.policy.plays_since_ms(NOW) is None


def test_a_language_that_the_screen_does_not_take_is_left_out() -> None:
    assert Fed(creative("tea", language="de"), creative("us")).candidates() == ["us"]
