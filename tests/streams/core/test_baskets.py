"""Basket metrics by store, slot, arm and currency."""

import random
from decimal import Decimal
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from streams.contracts.attention import BasketWindow
from streams.contracts.experiment import Experiment, ExperimentPlan
from streams.contracts.pos import Basket, BasketLine
from streams.core.baskets import BasketWindows, fitting_window_ms
from streams.core.slots import Slots

EXPERIMENT = Experiment(salt="x", slot_ms=120_000, adaptive_share=0.5)


HORIZON = 10**13


def basket(
    name: str,
    at: int,
    *lines: tuple[str, str, str],
    currency: str = "EUR",
    simulated: bool = False,
) -> Basket:
    return Basket(
        basket_id=name,
        store_id="s",
        area_id="a",
        closed_at_ms=at,
        currency=currency,
        lines=tuple(
            BasketLine(
                sku=f"sku-{category}", category=category, units=Decimal(u), net_value=Decimal(v)
            )
            for category, u, v in (lines or (("tea", "1", "2.50"),))
        ),
        simulated=simulated,
    )


def windows(lateness: int = 60_000, keep: int = 900_000) -> BasketWindows:
    return BasketWindows(EXPERIMENT, window_ms=60_000, lateness_ms=lateness, keep_ms=keep)


def test_sums_and_category_mix_are_exact() -> None:
    state = windows()
    state.add(basket("b1", 1_000, ("tea", "2", "5.10"), ("coffee", "1", "3.20")), "pos", 0, HORIZON)
    state.add(basket("b2", 59_999, ("tea", "-1", "-2.55")), "pos", 1, HORIZON)
    (row,) = state.changed()
    assert (row.transactions, row.basket_units, row.basket_value) == (2, 2, Decimal("5.75"))
    assert row.category_units == {"tea": 1, "coffee": 1}
    assert (row.window_start_ms, row.window_end_ms, row.through_offset) == (0, 60_000, 2)


def test_a_window_lies_in_one_slot_and_has_its_arm() -> None:
    state = windows()
    for number in range(40):
        state.add(basket(f"b{number}", number * 30_000), "pos", number, HORIZON)
    for row in state.changed():
        assert row.slot_start_ms == row.window_start_ms - row.window_start_ms % 120_000
        assert row.arm == EXPERIMENT.arm("s", row.window_start_ms)
        assert row.arm == EXPERIMENT.arm("s", row.window_end_ms - 1)


def test_currencies_are_never_added_and_one_simulated_basket_marks_the_window() -> None:
    state = windows()
    state.add(basket("b1", 1_000, currency="EUR"), "pos", 0, HORIZON)
    state.add(basket("b2", 1_000, currency="USD"), "pos", 1, HORIZON)
    state.add(basket("b3", 1_000, currency="USD", simulated=True), "pos", 2, HORIZON)
    told = {row.currency: (row.transactions, row.simulated) for row in state.changed()}
    assert told == {"EUR": (1, False), "USD": (2, True)}


def test_repeats_late_baskets_and_windows_no_longer_kept() -> None:
    state = windows(keep=120_000)
    assert state.add(basket("b1", 1_000), "pos", 0, HORIZON) == "added"
    assert state.add(basket("b1", 1_000), "pos", 1, HORIZON) == "repeated"
    assert state.add(basket("b2", 121_000), "pos", 2, HORIZON) == "added"
    assert state.add(basket("b3", 2_000), "pos", 3, HORIZON) == "late"
    assert state.add(basket("b3", 2_000), "pos", 4, HORIZON) == "repeated"
    first = next(row for row in state.changed() if row.window_start_ms == 0)
    assert (first.transactions, first.late, first.through_offset) == (1, 1, 4)
    assert state.add(basket("b4", 241_000), "pos", 5, HORIZON) == "added"
    assert state.add(basket("b5", 3_000), "pos", 6, HORIZON) == "dropped"
    assert [row.window_start_ms for row in state.changed()] == [240_000]


@pytest.mark.parametrize(("units", "value"), [("1E+12", "1"), ("1", "-1E+400")])
def test_numbers_that_no_till_prints_are_refused(units: str, value: str) -> None:
    with pytest.raises(ValueError, match="no till prints"):
        windows().add(basket("b", 1_000, ("tea", units, value)), "pos", 0, HORIZON)


def test_windows_and_slots_without_a_common_measure_are_refused() -> None:
    assert fitting_window_ms(60_000, 45_000) == 15_000
    with pytest.raises(ValueError, match="multiple"):
        fitting_window_ms(60_000, 61_001)


@given(
    times=st.lists(st.integers(0, 600_000), min_size=1, max_size=20),
    shuffled=st.randoms(use_true_random=False),
)
def test_the_order_of_arrival_and_repeats_change_nothing(
    times: list[int], shuffled: random.Random
) -> None:
    def final(arriving: list[Basket]) -> list[BasketWindow]:
        state = windows(lateness=900_000)
        told: dict[object, BasketWindow] = {}
        for offset, each in enumerate(arriving):
            state.add(each, "pos", offset, HORIZON)
            for row in state.changed():
                told[row.window_start_ms, row.arm, row.currency] = row
        return sorted(
            (msgspec.structs.replace(row, through_offset=0) for row in told.values()),
            key=lambda row: row.window_start_ms,
        )

    baskets = [basket(f"b{n}", at, ("tea", "1", f"{n}.33")) for n, at in enumerate(times)]
    arriving = baskets * 2
    shuffled.shuffle(arriving)
    assert final(arriving) == final(baskets)


def test_a_return_changes_the_sums_and_a_void_the_count_too() -> None:
    state = windows()
    state.add(basket("b1", 1_000, ("tea", "2", "5.10")), "pos", 0, HORIZON)
    state.add(basket("b2", 2_000, ("tea", "3", "6.00")), "pos", 1, HORIZON)
    back = msgspec.structs.replace(basket("b3", 3_000, ("tea", "-1", "-2.55")), kind="return")
    void = msgspec.structs.replace(
        basket("b4", 2_000, ("tea", "-3", "-6.00")), kind="void", voids="b2"
    )
    state.add(back, "pos", 2, HORIZON)
    state.add(void, "pos", 3, HORIZON)
    assert state.add(void, "pos", 4, HORIZON) == "repeated"
    (row,) = state.changed()
    assert (row.transactions, row.returns, row.voids) == (1, 1, 1)
    assert (row.basket_units, row.basket_value) == (1, Decimal("2.55"))


def plan(**changes: Any) -> ExperimentPlan:
    fields: dict[str, Any] = {
        "experiment_id": "e",
        "store_id": "s",
        "unit": "store-slot",
        "salt": "x",
        "slot_ms": 90_000,
        "washout_ms": 0,
        "adaptive_share": 1.0,
        "outcome": "basket_value",
        "starts_at_ms": 180_000,
        "ends_at_ms": 360_000,
        "approved_by": "Ms Weber",
        "approved_at_ms": 0,
        "hypothesis": "It sells.",
    }
    return ExperimentPlan(**(fields | changes))


def test_windows_follow_the_plan_of_their_store() -> None:
    slots = Slots(None)
    state = BasketWindows(slots, window_ms=60_000, lateness_ms=60_000, keep_ms=900_000)
    slots.take("s", plan())
    slots.take("other", plan(adaptive_share=0.0))
    for number, at in enumerate((100_000, 200_000, 260_000, 280_000, 400_000)):
        state.add(basket(f"b{number}", at), "pos", number, HORIZON)
    told = [
        (row.window_start_ms, row.window_end_ms, row.slot_start_ms, row.arm, row.experiment_id)
        for row in state.changed()
    ]
    assert told == [
        (90_000, 120_000, 90_000, "control", None),
        (180_000, 240_000, 180_000, "adaptive", "e"),
        # A slot ends at 270 s, so the window of 240 to 300 s is cut there.
        (240_000, 270_000, 180_000, "adaptive", "e"),
        (270_000, 300_000, 270_000, "adaptive", "e"),
        (360_000, 420_000, 360_000, "control", None),
    ]


def test_baskets_are_in_no_arm_where_screens_are_drawn_one_by_one() -> None:
    slots = Slots(None)
    slots.take("s", plan(unit="screen-slot", outcome="product_units"))
    assert slots.of("s", 200_000) == (180_000, 270_000, "control", None)
    slots.take("s", None)
    assert slots.of("s", 200_000) == (0, 3_600_000, "control", None)
