"""The rules of one screen: what is shown, what is proven, what is refused."""

import itertools
from collections.abc import Callable

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from signage.catalogue import load_catalogue
from signage.player.programme import Ask, Now, Output, Place, Refusal, State
from signage.player.stage import MAX_AHEAD_MS, Stage
from streams.contracts.signage import Content, Play

T0 = 1_700_000_000_000
CREATIVES = load_catalogue().creatives
PLACE = Place("store", "main", "screen-1", "player-1")
MakeContent = Callable[..., Content]


def at(ms: int) -> Now:
    """The instant `ms` after the start, on clocks of different origin."""
    return Now(T0 + ms, 5_000 + ms)


def new_stage(creatives: tuple = CREATIVES) -> Stage:  # type: ignore[type-arg]
    numbers = itertools.count(1)
    return Stage(PLACE, creatives, 10_000, lambda: f"p-{next(numbers)}")


def asks(outputs: tuple[Output, ...]) -> list[tuple[str, str]]:
    return [(o.play_id, o.programme.creative.creative_id) for o in outputs if isinstance(o, Ask)]


def plays(outputs: tuple[Output, ...]) -> list[tuple[str, str, int | None, str | None]]:
    return [
        (o.play_id, o.phase, o.duration_ms, o.stop_reason) for o in outputs if isinstance(o, Play)
    ]


@pytest.fixture
def shown(make_content: MakeContent) -> tuple[Stage, State]:
    """A stage on which coffee (p-2) has been painted at 100 ms."""
    stage = new_stage()
    state, _ = stage.page_came(State(), at(0))
    state, _ = stage.content(state, make_content(), at(0))
    state, _ = stage.rendered(state, "p-2", at(100))
    return stage, state


def test_a_page_is_shown_the_rotation_until_a_content_comes(make_content: MakeContent) -> None:
    stage = new_stage()
    state, outputs = stage.page_came(State(), at(0))
    [ask] = outputs
    assert isinstance(ask, Ask)
    assert ask.programme.decision_id.startswith("fallback-")
    assert (ask.programme.reason, ask.programme.arm) == ("fallback", None)
    state, outputs = stage.content(state, make_content(), at(500))
    assert asks(outputs) == [("p-2", "coffee")]


def test_a_play_starts_when_it_is_painted_and_carries_its_decision(
    make_content: MakeContent,
) -> None:
    stage = new_stage()
    state, _ = stage.page_came(State(), at(0))
    state, _ = stage.content(state, make_content(), at(10))
    state, outputs = stage.rendered(state, "p-2", at(130))
    [play] = outputs
    assert isinstance(play, Play)
    assert (play.phase, play.decision_id, play.creative_id) == ("started", "d-1", "coffee")
    assert (play.scheduled_at_ms, play.rendered_at_ms) == (T0, T0 + 130)
    assert play.trace == make_content().trace
    assert play.player_id == "player-1"


def test_the_old_play_lasts_until_the_new_one_is_painted(
    shown: tuple[Stage, State], make_content: MakeContent
) -> None:
    stage, state = shown
    newer = make_content(decision_id="d-2", creative_id="tea", not_before_ms=T0 + 4_000)
    state, outputs = stage.content(state, newer, at(4_000))
    assert plays(outputs) == []
    state, outputs = stage.rendered(state, "p-3", at(4_200))
    assert plays(outputs) == [("p-2", "ended", 4_100, "pre-empted"), ("p-3", "started", None, None)]


def test_durations_come_from_the_monotonic_clock(
    shown: tuple[Stage, State], make_content: MakeContent
) -> None:
    stage, state = shown
    set_back = Now(T0 - 3_600_000, at(2_100).mono_ms)
    _, outputs = stage.shut_down(state, set_back)
    assert plays(outputs) == [("p-2", "ended", 2_000, "shutdown")]


def test_an_expired_content_gives_way_to_the_rotation(shown: tuple[Stage, State]) -> None:
    stage, state = shown
    state, outputs = stage.tick(state, at(29_999))
    assert outputs == ()
    state, outputs = stage.tick(state, at(30_000))
    [(play_id, _)] = asks(outputs)
    _, outputs = stage.rendered(state, play_id, at(30_150))
    assert plays(outputs)[0] == ("p-2", "ended", 30_050, "finished")


def test_the_rotation_moves_on_by_itself() -> None:
    stage = new_stage()
    state, outputs = stage.page_came(State(), at(0))
    turns = [asks(outputs)[0][1]]
    for slot in range(1, len(CREATIVES)):
        state, outputs = stage.tick(state, at(slot * 10_000))
        turns.append(asks(outputs)[0][1])
    assert sorted(turns) == [c.creative_id for c in CREATIVES]


@pytest.mark.parametrize(
    ("fields", "why"),
    [
        ({"screen_id": "screen-2"}, "another screen"),
        ({"creative_id": "soap"}, "unknown creative"),
        ({"creative_version": 2}, "unknown creative"),
        ({"expires_at_ms": T0 + 1_000}, "expired"),
        ({"expires_at_ms": T0 - 1}, "expired"),
        (
            {
                "not_before_ms": T0 + MAX_AHEAD_MS + 2_000,
                "expires_at_ms": T0 + MAX_AHEAD_MS + 9_000,
            },
            "too far ahead",
        ),
    ],
)
def test_what_cannot_be_shown_is_refused_and_changes_nothing(
    shown: tuple[Stage, State], make_content: MakeContent, fields: dict[str, object], why: str
) -> None:
    stage, state = shown
    after, outputs = stage.content(state, make_content(decision_id="d-2", **fields), at(1_000))
    assert outputs == (Refusal("d-2", why),)  # type: ignore[arg-type]
    assert after.content == state.content


def test_a_repeat_changes_nothing(shown: tuple[Stage, State], make_content: MakeContent) -> None:
    stage, state = shown
    state, _ = stage.content(state, make_content(decision_id="d-2", creative_id="tea"), at(200))
    after, outputs = stage.content(state, make_content(), at(300))
    assert (after, outputs) == (state, ())


def test_a_content_waits_for_its_time(
    shown: tuple[Stage, State], make_content: MakeContent
) -> None:
    stage, state = shown
    later = make_content(decision_id="d-2", creative_id="tea", not_before_ms=T0 + 2_000)
    state, outputs = stage.content(state, later, at(200))
    assert outputs == ()
    state, outputs = stage.tick(state, at(2_000))
    assert asks(outputs) == [("p-3", "tea")]


def test_a_withdrawn_content_gives_way_to_the_rotation(shown: tuple[Stage, State]) -> None:
    stage, state = shown
    state, outputs = stage.withdrawn(state, at(500))
    assert state.content is None
    assert len(asks(outputs)) == 1


def test_a_new_decision_for_the_same_creative_is_a_new_play(
    shown: tuple[Stage, State], make_content: MakeContent
) -> None:
    stage, state = shown
    _, outputs = stage.content(state, make_content(decision_id="d-2"), at(9_000))
    assert asks(outputs) == [("p-3", "coffee")]


def test_a_newer_page_takes_the_screen(shown: tuple[Stage, State]) -> None:
    stage, state = shown
    state, outputs = stage.page_came(state, at(1_100))
    assert plays(outputs) == [("p-2", "ended", 1_000, "pre-empted")]
    assert asks(outputs) == [("p-3", "coffee")]


def test_a_page_that_goes_ends_its_play(shown: tuple[Stage, State]) -> None:
    stage, state = shown
    state, outputs = stage.page_went(state, at(600), "the page went away")
    [play] = outputs
    assert isinstance(play, Play)
    assert (play.duration_ms, play.stop_reason, play.success) == (500, "error", False)
    assert play.error == "the page went away"
    assert stage.tick(state, at(700))[1] == ()


def test_a_creative_that_fails_is_told_and_left_out(make_content: MakeContent) -> None:
    stage = new_stage()
    state, _ = stage.page_came(State(), at(0))
    state, _ = stage.content(state, make_content(), at(0))
    state, outputs = stage.failed(state, "p-2", "no such file" * 100, at(100))
    told, ask = outputs
    assert isinstance(told, Play)
    assert isinstance(ask, Ask)
    assert (told.phase, told.duration_ms, told.stop_reason) == ("ended", 0, "error")
    assert told.error is not None
    assert len(told.error) == 500
    assert ask.programme.creative.creative_id != "coffee"


def test_with_nothing_left_that_can_be_shown_the_stage_waits(make_content: MakeContent) -> None:
    stage = new_stage(CREATIVES[:1])
    state, outputs = stage.page_came(State(), at(0))
    state, outputs = stage.failed(state, asks(outputs)[0][0], "broken", at(100))
    assert asks(outputs) == []
    state, outputs = stage.tick(state, at(60_200))
    assert len(asks(outputs)) == 1


def test_acknowledgements_of_unknown_plays_change_nothing(shown: tuple[Stage, State]) -> None:
    stage, state = shown
    assert stage.rendered(state, "p-99", at(500)) == (state, ())
    assert stage.failed(state, "p-2", "painted already", at(500)) == (state, ())


EVENTS = st.lists(
    st.tuples(
        st.integers(0, 12_000),
        st.sampled_from(["content", "tick", "came", "went", "rendered", "failed", "withdrawn"]),
        st.integers(0, 5),
    ),
    max_size=60,
)


@given(EVENTS)
def test_every_play_starts_once_ends_once_and_never_overlaps(
    events: list[tuple[int, str, int]],
) -> None:
    """Whatever happens in whatever order, and at the end a shutdown: the rows are consistent."""
    base = Content(
        decision_id="d",
        store_id="store",
        area_id="main",
        screen_id="screen-1",
        creative_id="coffee",
        creative_version=1,
        not_before_ms=T0,
        expires_at_ms=T0 + 30_000,
        arm="adaptive",
        reason="attention",
        sentence="",
    )
    stage, state, ms = new_stage(), State(), 0
    told: list[Play] = []
    for number, (later_ms, what, which) in enumerate(events):
        ms += later_ms
        play_id = state.asked[which % len(state.asked)].play_id if state.asked else "none"
        content = msgspec.structs.replace(
            base,
            decision_id=f"d-{number - which}",
            creative_id=CREATIVES[which].creative_id,
            not_before_ms=at(ms).wall_ms,
            expires_at_ms=at(ms + 7_000).wall_ms,
        )
        now = at(ms)
        match what:
            case "content":
                state, outputs = stage.content(state, content, now)
            case "tick":
                state, outputs = stage.tick(state, now)
            case "came":
                state, outputs = stage.page_came(state, now)
            case "went":
                state, outputs = stage.page_went(state, now, "gone")
            case "rendered":
                state, outputs = stage.rendered(state, play_id, now)
            case "failed":
                state, outputs = stage.failed(state, play_id, "broken", now)
            case _:
                state, outputs = stage.withdrawn(state, now)
        told += [o for o in outputs if isinstance(o, Play)]
    told += [o for o in stage.shut_down(state, at(ms))[1] if isinstance(o, Play)]
    on_glass: str | None = None
    seen: set[str] = set()
    for play in told:
        if play.phase == "started":
            assert on_glass is None
            assert play.play_id not in seen
            on_glass = play.play_id
        elif play.duration_ms == 0 and play.error == "broken":
            assert play.play_id != on_glass
        else:
            assert play.play_id == on_glass
            on_glass = None
        seen.add(play.play_id)
    assert on_glass is None
