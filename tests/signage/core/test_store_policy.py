"""Approval, the switch, chance and its pacing, what a decision may know, and what never varies."""

import typing
from decimal import Decimal
from typing import Any, get_args, get_type_hints

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from signage.core.bandit import Sums, arms_of
from signage.core.context import FEATURES, features
from signage.core.eligibility import Given
from signage.core.policy import StorePolicy
from signage.errors import PolicyError
from streams.contracts.layout import Zone
from streams.contracts.learning import PolicySnapshot
from streams.contracts.policy import Choice, Moment
from streams.contracts.signage import Content, Creative, Decision, ZoneAttention
from streams.contracts.store import Price

NOW = 1_700_000_000_000
ZONES = tuple(
    Zone(zone_id=name, area_id="main", name=name.capitalize(), category=name)
    for name in ("coffee", "tea")
)


def creative(name: str, **fields: Any) -> Creative:
    base = Creative(
        creative_id=name,
        version=1,
        title=name.capitalize(),
        alt_text=name,
        language="en",
        media=f"{name}/1/index.html",
        sha256="0" * 64,
        owner="test",
        categories=(name,),
    )
    return msgspec.structs.replace(base, **fields)


CREATIVES = (creative("coffee"), creative("tea"), creative("welcome", categories=()))


def snapshot(algorithm: Any = "bandit", **fields: Any) -> PolicySnapshot:
    base = PolicySnapshot(
        policy_id=algorithm,
        version=1,
        algorithm=algorithm,
        made_at_ms=NOW,
        store_id="store",
        features=FEATURES if algorithm == "bandit" else (),
    )
    return msgspec.structs.replace(base, **fields)


RULE = snapshot("rule")


def knowing(best: str, gamma: float = 1_000.0) -> PolicySnapshot:
    """A bandit that has seen `best` earn 1 and the others nothing."""
    names = [c.creative_id for c in CREATIVES]
    sums = Sums.nothing(len(names), len(FEATURES))
    sums.a[:, 0, 0] = 100.0
    sums.n[:] = 100.0
    sums.b[names.index(best), 0] = 100.0
    return snapshot(arms=arms_of(sums, names), gamma=gamma, rewards=300)


def looks(zone: str, attention_ms: int = 900, watchers: int = 1) -> ZoneAttention:
    return ZoneAttention(
        zone_id=zone, attention_ms=attention_ms, watchers=watchers, people=watchers
    )


def moment(*attention: ZoneAttention, **fields: Any) -> Moment:
    base = Moment(
        store_id="store",
        area_id="main",
        screen_id="screen",
        now_ms=NOW,
        arm="adaptive",
        attention=attention,
        weekday=1,
        minute=600,
    )
    return msgspec.structs.replace(base, **fields)


def chosen(policy: StorePolicy, at: Moment, known: Given | None = None) -> Choice:
    choice = policy.choose(at, known or Given())
    assert choice is not None
    assert choice.sentence.strip()
    return choice


@pytest.mark.parametrize(
    ("policy", "arm", "says"),
    [
        (StorePolicy(CREATIVES, ZONES), "adaptive", "approved"),
        (
            StorePolicy(CREATIVES, ZONES, snapshot=snapshot("rule"), adaptive=False),
            "adaptive",
            "off",
        ),
        (StorePolicy(CREATIVES, ZONES, snapshot=knowing("tea"), adaptive=False), "control", "off"),
        (StorePolicy(CREATIVES, ZONES, snapshot=snapshot("rotation")), "adaptive", "rotation"),
        (StorePolicy(CREATIVES, ZONES, snapshot=knowing("tea")), "control", "control"),
    ],
    ids=["nobody approved", "switched off", "off in control", "rotation approved", "control"],
)
def test_screens_only_rotate_where_nothing_may_adapt(
    policy: StorePolicy, arm: Any, says: str
) -> None:
    choices = [chosen(policy, moment(*seen, arm=arm)) for seen in ((), (looks("tea"),))]
    for choice in choices:
        assert (choice.algorithm, choice.drawn) == ("rotation", False)
        assert says in choice.sentence
    assert choices[0].creative == choices[1].creative


def test_chance_follows_what_was_learned_and_says_so() -> None:
    policy = StorePolicy(CREATIVES, ZONES, snapshot=knowing("coffee"))
    choice = chosen(policy, moment())
    assert (choice.algorithm, choice.reason, choice.drawn) == ("bandit", "rotation", True)
    assert choice.snapshot == "bandit/1"
    chances = {c.creative_id: c.propensity for c in choice.candidates}
    assert sum(chances.values()) == pytest.approx(1.0)
    assert chances["coffee"] > 0.97
    assert min(chances.values()) >= 0.02 / 3
    assert len(choice.features) == len(FEATURES)
    assert f"{chances[choice.creative.creative_id]:.0%}" in choice.sentence
    looked = chosen(policy, moment(looks("tea")))
    assert looked.reason == "attention"
    assert "tea" in looked.sentence


@pytest.mark.parametrize(
    ("since_ms", "reason", "seen", "draws"),
    [
        (9_999, "rotation", (), False),
        (10_000, "rotation", (), True),
        (999, "rotation", (looks("tea"),), False),
        (1_000, "rotation", (looks("tea"),), True),
        (2_999, "attention", (looks("tea"),), False),
        (3_000, "attention", (looks("tea"),), True),
        (3_000, "attention", (looks("coffee"),), False),
        (-5_000, "attention", (), True),
    ],
)
def test_chance_draws_at_the_turns_end_or_for_a_glance_and_never_more_often(
    since_ms: int, reason: Any, seen: tuple[ZoneAttention, ...], draws: bool
) -> None:
    policy = StorePolicy(CREATIVES, ZONES, snapshot=knowing("coffee"))
    at = moment(
        *seen,
        showing="coffee",
        shown_since_ms=NOW - 60_000,
        shown_reason=reason,
        decided_ms=NOW - since_ms,
    )
    assert (policy.choose(at) is not None) == draws


@pytest.mark.parametrize("algorithm", ["rule", "bandit", "rotation"])
def test_what_may_no_longer_be_shown_goes_at_once(algorithm: Any) -> None:
    last = knowing("tea") if algorithm == "bandit" else snapshot(algorithm)
    policy = StorePolicy([c for c in CREATIVES if c.creative_id != "tea"], ZONES, snapshot=last)
    at = moment(
        looks("tea"),
        showing="tea",
        shown_since_ms=NOW - 1,
        shown_reason="attention",
        decided_ms=NOW - 1,
    )
    assert chosen(policy, at).creative.creative_id != "tea"


def test_the_decision_records_what_eligibility_asked_for() -> None:
    sold_out = creative("tea", skus=("tea-1",), prices=("tea-1",))
    capped = creative("coffee", max_plays_per_hour=2, campaign="beans", budget_plays=9)
    far = creative("far", zones=("elsewhere",))
    policy = StorePolicy(
        [sold_out, capped, far, creative("welcome")], ZONES, snapshot=snapshot("rule")
    )
    known = Given(
        stock={"tea-1": Decimal(0), "unknown": Decimal(3)},
        prices=frozenset({"tea-1"}),
        plays_last_hour={"coffee": 1},
        campaign_plays={"beans": 3},
    )
    choice = chosen(policy, moment(), known)
    assert [(b.creative_id, b.why) for b in choice.barred] == [("tea", "stock")]
    assert [(s.sku, s.units) for s in choice.stock] == [("tea-1", 0)]
    assert choice.priced == ("tea-1",)
    assert [(s.creative_id, s.last_hour, s.campaign) for s in choice.shown] == [("coffee", 1, 3)]
    assert [c.creative_id for c in choice.candidates] == ["coffee", "welcome"]


def test_a_snapshot_over_other_features_is_refused() -> None:
    with pytest.raises(PolicyError, match="features"):
        StorePolicy(CREATIVES, ZONES, snapshot=snapshot(features=("one",)))


# --- what a decision may know ---------------------------------------------------------------

#: Whatever names, follows or describes one person, in any struct of ours.
PERSONAL = (
    "track",
    "gaze",
    "dwell_id",
    "presence",
    "face",
    "person",
    "people_id",
    "age",
    "gender",
    "sex",
    "embedding",
    "basket",
    "receipt",
    "card",
    "customer",
    "device",
    "phone",
    "cause",
    "trace",
    "camera",
    "stitched",
    "distance",
    "yaw",
    "pitch",
)

#: Names of places, creatives, products and algorithms: nobody's.
NAMES = {
    "store_id",
    "area_id",
    "screen_id",
    "zone_id",
    "creative_id",
    "showing",
    "sku",
    "skus",
    "policy_id",
    "arms",
    "features",
}


def fields_of(kind: Any, seen: set[Any]) -> list[tuple[str, Any]]:
    """Every field of a struct and of the structs in it."""
    found: list[tuple[str, Any]] = []
    if kind in seen:
        return found
    seen.add(kind)
    if isinstance(kind, type) and issubclass(kind, msgspec.Struct):
        for name, hint in get_type_hints(kind, include_extras=False).items():
            found.append((f"{kind.__name__}.{name}", hint))
            found += fields_of(hint, seen)
    for part in get_args(kind):
        found += fields_of(part, seen)
    return found


def holds_text(hint: Any) -> bool:
    return hint is str or any(holds_text(part) for part in get_args(hint))


@pytest.mark.parametrize("kind", [Moment, PolicySnapshot])
def test_no_decision_reads_a_field_that_could_single_out_a_person(kind: Any) -> None:
    """A policy is a function of a `Moment`, what `Given` adds, and a snapshot: these are all."""
    fields = fields_of(kind, set())
    assert len(fields) >= 10
    for path, hint in fields:
        name = path.rsplit(".", 1)[-1]
        assert not any(word in name for word in PERSONAL), path
        literal = typing.get_origin(hint) is typing.Literal
        if holds_text(hint) and not literal and name not in NAMES:
            # Free text about the policy itself is the operator's.
            assert path in {"PolicySnapshot.approved_by"}, path


def test_what_is_given_besides_is_of_products_and_plays() -> None:
    assert set(Given.__dataclass_fields__) == {
        "now_ms",
        "local",
        "stock",
        "prices",
        "languages",
        "plays_last_hour",
        "campaign_plays",
    }


def test_the_walk_would_find_a_person() -> None:
    class Someone(msgspec.Struct):
        track_id: str

    class Wrong(msgspec.Struct):
        zones: tuple[Someone, ...]

    names = [path for path, _ in fields_of(Wrong, set())]
    assert "Someone.track_id" in names
    assert any(word in "track_id" for word in PERSONAL)


seen_zones = st.lists(
    st.builds(looks, st.sampled_from(["coffee", "tea"]), st.integers(0, 9_000), st.integers(0, 5)),
    max_size=2,
    unique_by=lambda each: each.zone_id,
).map(tuple)


@given(seen_zones)
def test_features_are_counts_and_clocks_cut_to_the_order_of_one(
    seen: tuple[ZoneAttention, ...],
) -> None:
    rows = features(moment(*seen), CREATIVES, ZONES, {})
    assert rows.shape == (3, len(FEATURES))
    assert (abs(rows) <= 1.0).all()


@given(seen_zones, seen_zones, st.sampled_from(["rule", "bandit"]))
def test_prices_and_offers_never_vary_with_the_audience(
    one: tuple[ZoneAttention, ...], other: tuple[ZoneAttention, ...], algorithm: Any
) -> None:
    """Whoever looks, a creative is the same bytes with the same prices in it: the audience picks
    among creatives, and what a product costs is the store's one price of it.
    """
    offer = creative("tea", prices=("tea-1",), skus=("tea-1",))
    known = Given(prices=frozenset({"tea-1"}))
    last = knowing("tea") if algorithm == "bandit" else snapshot(algorithm)
    policy = StorePolicy([CREATIVES[0], offer, CREATIVES[2]], ZONES, snapshot=last)
    by_id: dict[str, set[bytes]] = {}
    for seen in (one, other):
        choice = chosen(policy, moment(*seen), known)
        by_id.setdefault(choice.creative.creative_id, set()).add(
            msgspec.json.encode(choice.creative)
        )
        # Being allowed to be shown hangs on no audience either.
        assert [c.creative_id for c in choice.candidates] == ["coffee", "tea", "welcome"]
    assert all(len(versions) == 1 for versions in by_id.values())


@pytest.mark.parametrize("kind", [Choice, Content, Decision])
def test_no_decision_carries_a_price(kind: Any) -> None:
    """What a screen is told names a creative; it has no room for a price of its own."""
    told = [path for path, _ in fields_of(kind, set())]
    assert not [
        p
        for p in told
        if "price" in p and p not in ("Creative.prices", "Choice.priced", "Decision.priced")
    ]
    assert not [p for p in told if any(w in p for w in ("discount", "offer", "amount", "cost"))]


def test_a_price_is_of_a_product_in_a_store_and_of_nobody() -> None:
    assert set(Price.__struct_fields__) == {
        "store_id",
        "sku",
        "price",
        "currency",
        "valid_from_ms",
        "unit_text",
    }
