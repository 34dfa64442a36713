"""Windows of attention: what they hold, and that the order of arrival changes nothing."""

import random

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from streams.contracts.attention import AttentionWindow
from streams.core.facts import Fact, FactKind, overlaps, part_ms
from streams.core.windows import AttentionWindows


def fact(
    kind: FactKind = "gaze",
    fact_id: str = "f",
    start: int = 0,
    end: int = 1_000,
    *,
    target: str = "tea",
    track: str = "t1",
    amount: int | None = None,
    final: bool = True,
    told: int | None = None,
    source: str = "cam",
    offset: int = 0,
    horizon: int = 10**13,
) -> Fact:
    return Fact(
        kind=kind,
        fact_id=fact_id,
        store_id="s",
        area_id="a",
        target_id=target,
        target_kind="zone",
        track_id=track,
        start_ms=start,
        end_ms=end,
        amount_ms=end - start if amount is None and kind != "presence" else amount,
        final=final,
        told_at_ms=end if told is None else told,
        clock_ms=min(end if told is None else told, horizon),
        source=source,
        log=kind,
        offset=offset,
    )


def windows(lateness: int = 5_000, keep: int = 900_000, floor: int = 0) -> AttentionWindows:
    return AttentionWindows(window_ms=10_000, lateness_ms=lateness, keep_ms=keep, floor_ms=floor)


def by_start(rows: list[AttentionWindow]) -> dict[int, AttentionWindow]:
    return {row.window_start_ms: row for row in rows}


def test_a_gaze_is_spread_over_the_windows_that_it_overlaps() -> None:
    state = windows()
    assert state.add(fact(start=8_000, end=23_000, amount=7_500)) == "added"
    rows = by_start(state.changed())
    assert {start: row.attention_ms for start, row in rows.items()} == {
        0: 1_000,
        10_000: 5_000,
        20_000: 1_500,
    }
    assert {row.watchers for row in rows.values()} == {1}


def test_the_rungs_of_the_ladder_are_separate() -> None:
    state = windows()
    state.add(fact("presence", "p1", 0, 4_000, track="t1", amount=2_000))
    state.add(fact("presence", "p2", 0, 4_000, track="t2", amount=0))
    state.add(fact("presence", "p3", 0, 4_000, track="t3", amount=None))
    state.add(fact("presence", "p4", 5_000, 6_000, track="t1", amount=10))
    state.add(fact("gaze", "g1", 1_000, 2_000, track="t1", amount=800))
    state.add(fact("gaze", "g2", 3_000, 4_000, track="t1", amount=700))
    state.add(fact("dwell", "d1", 0, 4_000, track="t1"))
    (row,) = state.changed()
    assert (row.gross_impressions, row.ots, row.watchers) == (3, 1, 1)
    assert (row.attention_ms, row.dwell_ms) == (1_500, 4_000)


def test_opportunity_is_unknown_where_nothing_measured_it() -> None:
    state = windows()
    state.add(fact("presence", "p", 0, 4_000))
    state.add(fact("gaze", "g", 0, 1_000, target="coffee"))
    assert [row.ots for row in state.changed()] == [None, None]


def test_an_open_gaze_counts_so_far_and_its_end_takes_its_place() -> None:
    state = windows()
    state.add(fact(start=9_000, end=9_300, final=False, offset=4))
    (first,) = state.changed()
    assert (first.watchers, first.attention_ms, first.through_offset) == (1, 300, 5)
    state.add(fact(start=9_000, end=12_000, amount=1_500, offset=9))
    rows = by_start(state.changed())
    assert (rows[0].attention_ms, rows[0].watchers, rows[0].through_offset) == (500, 1, 10)
    assert (rows[10_000].attention_ms, rows[10_000].watchers) == (1_000, 1)


def test_a_repeat_changes_nothing_and_is_told_never() -> None:
    state = windows()
    state.add(fact(offset=1))
    state.changed()
    assert state.add(fact(offset=2)) == "repeated"
    assert state.changed() == []


def test_what_comes_after_the_allowed_lateness_is_counted_once_and_not_added() -> None:
    state = windows()
    state.add(fact(fact_id="a", start=1_000, end=2_000))
    state.observe("gaze", "cam", 15_000)
    state.changed()
    late = fact(fact_id="b", start=3_000, end=4_000, offset=7)
    assert state.add(late) == "late"
    assert state.add(late) == "repeated"
    (row,) = state.changed()
    assert (row.late, row.watchers, row.attention_ms, row.through_offset) == (1, 1, 1_000, 8)


def test_one_camera_or_topic_ahead_makes_no_other_late() -> None:
    state = windows()
    state.observe("gaze", "other", 60_000)
    state.observe("presence", "cam", 60_000)
    assert state.add(fact()) == "added"


def test_a_long_gaze_that_ends_now_revises_windows_that_are_over() -> None:
    state = windows()
    state.add(fact(start=0, end=300, final=False, told=300))
    state.observe("gaze", "cam", 60_000)
    state.changed()
    assert state.add(fact(start=0, end=60_000, told=60_000)) == "added"
    assert [row.attention_ms for row in state.changed()] == [10_000] * 6


def test_windows_no_longer_kept_are_told_once_more_and_never_made_again() -> None:
    state = windows(keep=20_000)
    state.add(fact(fact_id="a", start=1_000, end=2_000))
    state.add(fact(fact_id="b", start=40_000, end=41_000, source="two"))
    assert [row.window_start_ms for row in state.changed()] == [0, 40_000]
    assert state.add(fact(fact_id="c", start=3_000, end=4_000, source="slow")) == "dropped"
    assert state.changed() == []


def test_windows_from_before_the_floor_are_left_alone() -> None:
    state = windows(floor=10_000)
    state.add(fact(start=8_000, end=12_000))
    assert [row.window_start_ms for row in state.changed()] == [10_000]


def test_a_clock_from_the_future_makes_nobody_late() -> None:
    """Its events are counted and in no window; clocks move no further than the log's time."""
    state = windows(lateness=5_000, keep=60_000)
    ahead = fact(fact_id="ahead", start=3_600_000, end=3_601_000, source="wrong", horizon=80_000)
    assert state.add(ahead) == "dropped"
    assert state.add(fact(fact_id="now", start=20_000, end=21_000, source="wrong")) == "late"
    assert state.add(fact(fact_id="other", start=20_000, end=21_000, source="right")) == "added"
    assert state.clamped == 1
    rows = by_start(state.changed())
    assert rows.keys() == {20_000}
    assert (rows[20_000].watchers, rows[20_000].late) == (1, 1)


def test_wrong_clocks_make_a_bounded_number_of_windows() -> None:
    state = windows(keep=60_000)
    for n in range(3_000):
        at = 10_000_000 + n * 10_000
        state.add(fact(fact_id=f"f{n}", start=at, end=at + 10, horizon=1_000))
    assert (state.outcomes["dropped"], state.clamped) == (3_000, 3_000)
    assert state.changed() == []


def test_windows_before_the_floor_are_not_made_whatever_the_clock_says() -> None:
    state = windows(floor=30_000)
    state.observe("gaze", "cam", 60_000)
    assert state.add(fact(start=12_000, end=13_000)) == "dropped"
    assert state.add(fact(fact_id="g2", start=31_000, end=32_000)) == "late"
    (row,) = state.changed()
    assert (row.window_start_ms, row.late) == (30_000, 1)


def test_a_gaze_that_claims_to_last_for_years_makes_a_bounded_number_of_windows() -> None:
    state = windows(keep=100_000)
    state.add(fact(start=0, end=4_000_000_000_000, told=50_000_000))
    assert len(state.changed()) <= 12


def test_rows_that_could_not_be_told_are_told_again() -> None:
    state = windows()
    state.add(fact())
    rows = state.changed()
    state.mark_changed(rows)
    assert state.changed() == rows
    state.mark_all_changed()
    assert state.changed() == rows


@pytest.mark.parametrize("amount", [0, 1, 7, 999])
def test_the_parts_of_adjoining_windows_add_up_to_the_whole(amount: int) -> None:
    whole = fact(start=123, end=45_678, amount=amount)
    parts = [part_ms(whole, start, start + 10_000) for start in range(0, 50_000, 10_000)]
    assert sum(parts) == amount


@st.composite
def _facts(draw: st.DrawFn) -> list[Fact]:
    made = []
    for number in range(draw(st.integers(1, 12))):
        kind: FactKind = draw(st.sampled_from(["gaze", "dwell", "presence"]))
        start = draw(st.integers(0, 60_000))
        end = start + draw(st.integers(0, 40_000))
        amount = draw(st.integers(0, end - start))
        track = draw(st.sampled_from(["t1", "t2", "t3"]))
        target = draw(st.sampled_from(["tea", "coffee"]))
        known = {"target": target, "track": track, "source": draw(st.sampled_from("ab"))}
        fact_id = f"{kind}{number}"
        if kind == "gaze" and draw(st.booleans()):
            so_far = min(amount, 300)
            made.append(
                fact(kind, fact_id, start, start + so_far, final=False, told=start + 300, **known)
            )
        measured = amount if kind != "dwell" and (kind == "gaze" or amount % 2) else None
        made.append(fact(kind, fact_id, start, end, amount=measured, **known))
    return made


@settings(deadline=None)
@given(facts=_facts(), shuffled=st.randoms(use_true_random=False), twice=st.booleans())
def test_the_order_of_arrival_and_repeats_change_nothing(
    facts: list[Fact], shuffled: random.Random, twice: bool
) -> None:
    def final(arriving: list[Fact], *, tell_between: bool) -> dict[object, AttentionWindow]:
        state = windows(lateness=200_000)
        told: dict[object, AttentionWindow] = {}
        for each in arriving:
            state.add(each)
            if tell_between:
                told |= {(r.target_id, r.window_start_ms): r for r in state.changed()}
        told |= {(r.target_id, r.window_start_ms): r for r in state.changed()}
        return {key: msgspec.structs.replace(row, through_offset=0) for key, row in told.items()}

    arriving = facts * 2 if twice else list(facts)
    shuffled.shuffle(arriving)
    expected = final(facts, tell_between=False)
    assert final(arriving, tell_between=True) == expected


@given(facts=_facts(), cut=st.integers(0, 12))
def test_a_complete_window_has_the_greatest_through_offset(facts: list[Fact], cut: int) -> None:
    """After a crash the topics are read again from different places: what is told on the way may
    be less complete than what was told before, and must then never win.
    """
    numbered = [replace(each, offset=number) for number, each in enumerate(facts)]
    complete = windows(lateness=200_000)
    for each in numbered:
        complete.add(each)
    final = {(r.target_id, r.window_start_ms): r for r in complete.changed()}
    partial = windows(lateness=200_000)
    logs = ["gaze", "dwell", "presence"]
    for each in [f for f in numbered if f.log == logs[cut % 3] or f.offset < cut]:
        partial.add(each)
    for row in partial.changed():
        whole = final[row.target_id, row.window_start_ms]
        assert row.through_offset < whole.through_offset or row == whole


_times = st.integers(0, 40_000)


@settings(max_examples=80, deadline=None)
@given(
    st.lists(
        st.tuples(
            st.sampled_from(["gaze", "dwell", "presence"]),
            st.integers(0, 4),
            _times,
            st.integers(0, 25_000),
            st.one_of(st.none(), st.integers(0, 500)),
        ),
        max_size=20,
    ),
    st.sampled_from([10_000, 5_000, 2_000]),
)
def test_the_running_sums_are_those_of_the_facts(told: list[tuple], hop: int) -> None:  # type: ignore[type-arg]
    """Whatever was replaced meanwhile; for sliding windows too."""
    state = AttentionWindows(window_ms=10_000, lateness_ms=10**7, keep_ms=10**7, hop_ms=hop)
    newest: dict[tuple[str, str], Fact] = {}
    for number, (kind, name, start, length, amount) in enumerate(told):
        if kind != "presence":
            amount = min(length, amount or 0)
        new = fact(
            kind,
            f"{name}",
            start,
            start + length,
            track=f"t{number % 3}",
            amount=amount,
            told=100_000,
            offset=number,
        )
        known = newest.get(new.key)
        if known is None or known.rank < new.rank:
            newest[new.key] = new
        state.add(new)
    for row in state.changed():
        begin, end = row.window_start_ms, row.window_end_ms
        inside = [f for f in newest.values() if overlaps(f, begin, end)]
        present = [f for f in inside if f.kind == "presence"]
        measured = [f for f in present if f.amount_ms is not None]
        assert row.gross_impressions == len({f.track_id for f in present})
        assert row.ots == (len({f.track_id for f in measured if f.amount_ms}) if measured else None)
        assert row.watchers == len({f.track_id for f in inside if f.kind == "gaze"})
        for kind, value in (("gaze", row.attention_ms), ("dwell", row.dwell_ms)):
            assert value == sum(part_ms(f, begin, end) for f in inside if f.kind == kind)


def test_what_no_camera_could_tell_is_not_measured_rather_than_nobody() -> None:
    state = windows()
    state.add(fact("presence", "p", amount=None))
    assert by_start(state.changed())[0].watchers_measured is False
    state.add(fact("presence", "q", track="t2", amount=0))
    row = by_start(state.changed())[0]
    assert (row.watchers_measured, row.watchers, row.gross_impressions) == (True, 0, 2)


def test_of_nobody_nothing_is_missing() -> None:
    state = windows()
    state.add(fact("dwell", "d"))
    assert by_start(state.changed())[0].watchers_measured is True


def test_an_end_that_reaches_other_windows_moves_the_gaze_there() -> None:
    state = windows()
    state.add(fact(start=9_500, end=12_500, amount=3_000, final=False, told=12_500))
    state.changed()
    state.add(fact(start=9_500, end=9_900, amount=400, told=12_900, offset=1))
    rows = by_start(state.changed())
    assert (rows[0].watchers, rows[0].attention_ms) == (1, 400)
    assert (rows[10_000].watchers, rows[10_000].attention_ms) == (0, 0)


def test_an_end_under_another_track_counts_that_track_alone() -> None:
    state = windows()
    state.add(fact(start=1_000, end=1_300, final=False, track="t1"))
    state.add(fact(start=1_000, end=2_000, track="t2", offset=1))
    (row,) = state.changed()
    assert (row.watchers, row.attention_ms) == (1, 1_000)


def test_state_is_bounded_however_long_the_stream_lasts() -> None:
    state = windows(keep=30_000)
    sizes = []
    for second in range(600):
        at = second * 1_000
        state.add(fact(fact_id=f"g{second}", start=at, end=at + 500, track=f"t{second}"))
        state.changed()
        if second in {299, 599}:
            sizes.append(state.sizes())
    assert sizes[0] == sizes[1]
