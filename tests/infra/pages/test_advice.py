"""The Monday report's advice: from numbers, three at the most, none without a reason."""

from infra.pages.advice import CreativeWeek, ScreenWeek, ZoneWeek, to_do, unknown


def _zone(
    name: str, people: int, watchers: int | None, attention: float, units: float | None
) -> ZoneWeek:
    return ZoneWeek(name, people, watchers, attention, units)


_EVEN = [
    _zone("Tea", 400, 200, 0.5, 0.5),
    _zone("Coffee", 400, 190, 0.5, 0.5),
]


def test_numbers_that_give_no_reason_give_no_advice() -> None:
    assert to_do(_EVEN, [], [ScreenWeek("Above", 60_000, 12, 0)], 0) == []


def test_a_shelf_that_people_pass_and_do_not_look_at() -> None:
    zones = [*_EVEN, _zone("Fruit", 300, 30, 0.05, 0.05)]
    (sentence,) = to_do(zones, [], [], 0)
    assert sentence.startswith("Fruit: 300 people stood there and 10% looked")


def test_what_is_looked_at_and_not_bought() -> None:
    zones = [_zone("Tea", 400, 200, 0.6, 0.2), _zone("Coffee", 400, 190, 0.4, 0.8)]
    (sentence,) = to_do(zones, [], [], 0)
    assert "Tea holds 60% of the attention and sells 20%" in sentence


def test_a_creative_far_behind_the_best_one() -> None:
    creatives = [CreativeWeek("A", 500, 90, 500_000), CreativeWeek("B", 500, 20, 100_000)]
    (sentence,) = to_do(_EVEN, creatives, [], 0)
    assert sentence.startswith("B gets 0.2 s of attention a play, A 1.0 s")


def test_machines_come_first_and_three_are_enough() -> None:
    zones = [
        _zone("Tea", 400, 200, 0.6, 0.2),
        _zone("Coffee", 400, 190, 0.35, 0.75),
        _zone("Fruit", 300, 30, 0.05, 0.05),
    ]
    screens = [ScreenWeek("Above", 1_000, 50, 3_600_000)]
    found = to_do(zones, [], screens, refused_receipts=9)
    assert len(found) == 3
    assert found[0].startswith("Above: 50 of 1000 plays failed")
    assert "60 minutes" in found[1]
    assert found[2].startswith("9 receipts were refused")


def test_small_numbers_say_nothing() -> None:
    zones = [_zone("Tea", 40, 4, 0.1, 0.01), _zone("Coffee", 40, 30, 0.9, 0.99)]
    creatives = [CreativeWeek("A", 50, 9, 90_000), CreativeWeek("B", 50, 1, 100)]
    assert to_do(zones, creatives, [ScreenWeek("Above", 50, 20, 0)], 4) == []


def test_what_is_not_known_is_said_and_no_cause_is_claimed() -> None:
    told = unknown(
        effect_known=False, doors=False, passers_by=False, unmeasured=["Tea"], days_without_data=1
    )
    assert any("many causes" in sentence for sentence in told)
    assert any("Tea" in sentence for sentence in told)
    assert any("1 day of" in sentence for sentence in told)
    known = unknown(
        effect_known=True, doors=True, passers_by=True, unmeasured=[], days_without_data=0
    )
    assert len(known) == 1
