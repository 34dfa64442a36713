"""What is scored of the truth, and the groups that a shopper belongs to."""

from infra.bench.truth.facts import Span, shoppers_of
from infra.simulator.metrics import GazeValue, ShopperTarget, StayValue
from infra.simulator.truth import TrueVisit
from streams.contracts.vision import TargetKind

ANN = TrueVisit(
    person_id="ann", entered_at_ms=0, left_at_ms=60_000, who="child", height_m=1.2, hat=True
)
BOB = TrueVisit(person_id="bob", entered_at_ms=0, left_at_ms=9_000, height_m=1.7)


def value(
    target_id: str,
    *,
    kind: TargetKind = "zone",
    gazes: tuple[GazeValue, ...] = (),
    staff: bool = False,
) -> ShopperTarget:
    stays = (
        StayValue(0, 4_000, 500, 0, dwell=True),
        StayValue(10_000, 11_000, 0, 0, dwell=False),
        StayValue(20_000, 25_000, 0, 0, dwell=True),
    )
    return ShopperTarget(ANN, target_id, kind, stays, gazes, staff)


def test_dwell_is_of_zones_and_attention_of_all_targets() -> None:
    gazes = (GazeValue(1_000, 3_000, 1_500, 2.2), GazeValue(21_000, 22_000, 1_000, 1.8))
    (ann,) = shoppers_of(
        [ANN],
        [value("tea", gazes=gazes), value("screen", kind="screen", gazes=gazes), value("oil")],
        {"density": "busy"},
    )
    assert ann.dwell_ms == {"tea": 9_000, "oil": 9_000}
    assert ann.attention_ms == {"tea": 2_500, "screen": 2_500}
    assert ann.looks["tea"] == (Span(1_000, 3_000), Span(21_000, 22_000))
    assert ann.opportunities == {"tea", "screen", "oil"}
    assert not ann.staff
    assert ann.traits == {
        "density": "busy",
        "kind": "child",
        "chair": "on foot",
        "hat": "hat",
        "mask": "no mask",
        "height": "below 1.40 m",
        "distance": "2.0 m",
    }


def test_who_was_never_before_a_target_is_a_shopper_all_the_same() -> None:
    _, bob = shoppers_of([ANN, BOB], [value("tea")], {})
    assert (bob.shopper_id, bob.dwell_ms, bob.attention_ms) == ("bob", {}, {})
    assert "distance" not in bob.traits


def test_staff_by_one_zone_is_staff() -> None:
    (ann,) = shoppers_of([ANN], [value("tea"), value("oil", staff=True)], {})
    assert ann.staff
