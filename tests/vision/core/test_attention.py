"""The state machine of gazes."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vision.core.attention import (
    Aim,
    Attention,
    AttentionRules,
    GazeBegan,
    GazeEvent,
    GazeOver,
    Glance,
    TargetRules,
    attention_so_far,
    close,
    step,
)

RULES = AttentionRules(
    name_probability=0.5,
    keep_probability=0.35,
    bridge_ms=600,
    targets={"tea": TargetRules(300, 700), "coffee": TargetRules(300, 700)},
)


def glance(at_ms: int, **odds: float) -> Glance:
    aims = {name: Aim(p, 2.0) for name, p in odds.items()}
    return Glance(at_ms, {"tea": Aim(0.0, 2.0), "coffee": Aim(0.0, 2.0)} | aims)


def unseen(at_ms: int) -> Glance:
    return Glance(at_ms, None)


def watch(glances: list[Glance]) -> list[GazeEvent]:
    state = Attention()
    told: list[GazeEvent] = []
    for one in glances:
        state, events = step(state, one, RULES)
        told.extend(events)
    return [*told, *close(state, censored=True)[1]]


def short(event: GazeEvent) -> tuple[str, str, int, int, int]:
    look = event.look
    kind = "began" if isinstance(event, GazeBegan) else "over"
    return kind, look.target_id, look.started_at_ms, look.faced_at_ms, look.attention_ms


@pytest.mark.parametrize(
    ("glances", "told"),
    [
        ([glance(0, tea=0.9)], []),
        ([glance(0, tea=0.9), glance(200, tea=0.9)], []),  # short of the fixation time
        (
            [glance(0, tea=0.9), glance(200, tea=0.9), glance(400, tea=0.9)],
            [("began", "tea", 0, 400, 400), ("over", "tea", 0, 400, 400)],
        ),
        (  # a picture without a face in between is bridged
            [glance(0, tea=0.9), unseen(200), glance(400, tea=0.9)],
            [("began", "tea", 0, 400, 400), ("over", "tea", 0, 400, 400)],
        ),
        (  # a glance at nothing in between is not attention
            [glance(0, tea=0.9), glance(200), glance(400, tea=0.9), glance(600, tea=0.9)],
            [],
        ),
        (  # never sure enough
            [glance(at, tea=0.45) for at in range(0, 2000, 200)],
            [],
        ),
        (  # hysteresis: less certain, but kept
            [glance(0, tea=0.6), glance(300, tea=0.6)]
            + [glance(at, tea=0.4) for at in range(600, 1501, 300)],
            [("began", "tea", 0, 300, 300), ("over", "tea", 0, 1500, 1500)],
        ),
        (  # over 700 ms after the last facing, with the end at that
            [glance(0, tea=0.6), glance(300, tea=0.6), glance(600), glance(1000), glance(1001)],
            [("began", "tea", 0, 300, 300), ("over", "tea", 0, 300, 300)],
        ),
        (  # away and back: one gaze, with the time away left out
            [
                *(glance(0, tea=0.6), glance(300, tea=0.6), glance(500)),
                *(glance(800, tea=0.6), glance(1000, tea=0.6)),
            ],
            [("began", "tea", 0, 300, 300), ("over", "tea", 0, 1000, 500)],
        ),
        (  # another target takes over when it is fixated, and ends the first where it ended
            [
                *(glance(0, tea=0.9), glance(300, tea=0.9)),
                *(glance(500, coffee=0.9), glance(800, coffee=0.9)),
            ],
            [
                ("began", "tea", 0, 300, 300),
                ("over", "tea", 0, 300, 300),
                ("began", "coffee", 500, 800, 300),
                ("over", "coffee", 500, 800, 300),
            ],
        ),
    ],
)
def test_gazes(glances: list[Glance], told: list[tuple[str, str, int, int, int]]) -> None:
    assert [short(event) for event in watch(glances)] == told


def test_a_passing_glance_at_another_target_changes_nothing() -> None:
    told = watch(
        [glance(0, tea=0.9), glance(300, tea=0.9), glance(500, coffee=0.9), glance(600, tea=0.9)]
    )
    assert [short(event)[:2] for event in told] == [("began", "tea"), ("over", "tea")]


def test_attention_so_far_is_of_the_open_gaze() -> None:
    state = Attention()
    for at in (0, 200, 400, 600):
        state, _ = step(state, glance(at, tea=0.9), RULES)
    assert attention_so_far(state, "tea") == 600
    assert attention_so_far(state, "coffee") == 0


def test_a_target_without_rules_is_ignored() -> None:
    told = watch([Glance(at, {"wall": Aim(1.0, 2.0)}) for at in range(0, 2000, 100)])
    assert told == []


odds = st.sampled_from([0.0, 0.3, 0.4, 0.6, 0.9])
steps = st.tuples(st.integers(0, 900), st.booleans(), odds, odds)


@given(st.lists(steps, max_size=80), st.randoms(use_true_random=False), st.booleans())
def test_whatever_comes_the_gazes_are_sound(
    raw: list[tuple[int, bool, float, float]], random: object, shuffled: bool
) -> None:
    """Gaps, repeats, misses and late pictures: at most one gaze is open, gazes of a person never
    overlap, each begins before it is over, and attention never exceeds the gaze."""
    at_ms, glances = 0, []
    for wait_ms, seen, tea, coffee in raw:
        at_ms += wait_ms
        glances.append(glance(at_ms, tea=tea, coffee=coffee) if seen else unseen(at_ms))
    if shuffled:
        random.shuffle(glances)  # type: ignore[attr-defined]
    opened: GazeEvent | None = None
    until = -1
    for event in watch(glances):
        look = event.look
        assert 0 <= look.attention_ms <= look.faced_at_ms - look.started_at_ms
        assert look.attention_ms >= RULES.targets[look.target_id].fixation_ms
        assert 0.35 <= look.probability <= 1.0
        if isinstance(event, GazeBegan):
            assert opened is None
            assert look.started_at_ms > until
            opened = event
        else:
            assert isinstance(event, GazeOver)
            assert opened is not None
            assert opened.look.started_at_ms == look.started_at_ms
            assert opened.look.target_id == look.target_id
            opened, until = None, look.faced_at_ms
    assert opened is None
