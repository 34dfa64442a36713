"""The multiplier is impressions a play, or nothing."""

from infra.exports.openrtb import FORMULA, Hour, qty


def test_a_multiplier_carries_its_formula_and_its_base() -> None:
    told = qty(Hour("screen-1", 17, 120, 300))
    assert told == {
        "multiplier": 2.5,
        "sourcetype": 2,
        "ext": {"formula": FORMULA, "plays": 120},
    }


def test_an_empty_hour_is_a_multiplier_of_zero_not_of_one() -> None:
    told = qty(Hour("screen-1", 3, 400, 0))
    assert told is not None
    assert told["multiplier"] == 0.0


def test_too_few_plays_or_people_say_nothing() -> None:
    assert qty(Hour("screen-1", 3, 29, 60)) is None
    assert qty(Hour("screen-1", 3, 400, 4)) is None
