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
    aims = {"tea": Aim(0.0, 2.0), "coffee": Aim(0.0, 2.0)} | aims
    return Glance(at_ms, aims, tuple(aims))


def faceless(at_ms: int) -> Glance:
    """A body in both zones, without a face."""
    return Glance(at_ms, None, ("tea", "coffee"))


def unseen(at_ms: int) -> Glance:
    return Glance(at_ms, None)


def watch(glances: list[Glance]) -> list[GazeEvent]:
    state = Attention()
    told: list[GazeEvent] = []
    for one in glances:
        state, events = step(state, one, RULES)
        told.extend(events)
    return [*told, *close(state, RULES, censored=True)[1]]


def short(event: GazeEvent) -> tuple[str, str, int, int, int]:
    look = event.look
    if isinstance(event, GazeBegan):
        return "began", look.target_id, look.started_at_ms, look.faced_at_ms, look.attention_ms
    assert look.ended_at_ms is not None
    return "over", look.target_id, look.started_at_ms, look.ended_at_ms, look.attention_ms


@pytest.mark.parametrize(
    ("glances", "told"),
    [
        ([glance(0, tea=0.9)], []),
        ([glance(0, tea=0.9), glance(200, tea=0.9)], []),  # short of the fixation time
        (  # one picture alone is no fixation
            [glance(0), glance(600, tea=0.9), glance(1200)],
            [],
        ),
        (
            [glance(0, tea=0.9), glance(200, tea=0.9), glance(400, tea=0.9)],
            [("began", "tea", 0, 400, 400), ("over", "tea", 0, 400, 400)],
        ),
        (  # half-way from the last picture that did not face it, half-way to the first after it
            [glance(0), *(glance(t, tea=0.9) for t in (200, 400)), glance(600), glance(1400)],
            [("began", "tea", 100, 400, 300), ("over", "tea", 100, 500, 400)],
        ),
        (  # so it is where the head turns away from the camera
            [faceless(0), *(glance(t, tea=0.9) for t in (200, 400)), faceless(600), unseen(1400)],
            [("began", "tea", 100, 400, 300), ("over", "tea", 100, 500, 400)],
        ),
        (  # but not where the person comes or goes: no attention without presence
            [unseen(0), *(glance(t, tea=0.9) for t in (200, 400, 600)), unseen(800), unseen(1600)],
            [("began", "tea", 200, 600, 400), ("over", "tea", 200, 600, 400)],
        ),
        (  # a picture without a face in between is bridged
            [glance(0, tea=0.9), unseen(200), glance(400, tea=0.9)],
            [("began", "tea", 0, 400, 400), ("over", "tea", 0, 400, 400)],
        ),
        (  # as many as the bridge is long, and no more
            [
                *(glance(t, tea=0.9) for t in (0, 200, 400)),
                *(faceless(t) for t in (600, 800)),
                glance(1000, tea=0.9),
            ],
            [("began", "tea", 0, 400, 400), ("over", "tea", 0, 1000, 1000)],
        ),
        (  # a longer one is a glance away
            [
                *(glance(t, tea=0.9) for t in (0, 200, 400)),
                *(faceless(t) for t in (600, 800, 1000)),
                glance(1050, tea=0.9),
            ],
            [("began", "tea", 0, 400, 400), ("over", "tea", 0, 1050, 525)],
        ),
        (  # what lies elsewhere in between is left out: here all but the two halves
            [glance(0, tea=0.9), glance(300), glance(500), glance(700, tea=0.9)],
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
        (  # over 700 ms after the last facing; its end lies half-way to the next picture
            [glance(0, tea=0.6), glance(300, tea=0.6), glance(600), glance(1000), glance(1001)],
            [("began", "tea", 0, 300, 300), ("over", "tea", 0, 450, 450)],
        ),
        (  # away and back: one gaze, with the time away left out
            [
                *(glance(0, tea=0.6), glance(300, tea=0.6), glance(500), glance(600)),
                *(glance(800, tea=0.6), glance(1000, tea=0.6)),
            ],
            [("began", "tea", 0, 300, 300), ("over", "tea", 0, 1000, 700)],
        ),
        (  # another target takes over when it is fixated, and ends the first where it ended
            [
                *(glance(0, tea=0.9), glance(300, tea=0.9)),
                *(glance(500, coffee=0.9), glance(700, coffee=0.9)),
            ],
            [
                ("began", "tea", 0, 300, 300),
                ("over", "tea", 0, 400, 400),
                ("began", "coffee", 400, 700, 300),
                ("over", "coffee", 400, 700, 300),
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


@pytest.mark.parametrize("period_ms", [100, 200, 333])
def test_attention_is_right_on_average_at_any_rate(period_ms: int) -> None:
    """Looks of 0.9 to 2.9 s that begin anywhere between two pictures: the mean error is a few
    milliseconds, where counting from facing picture to facing picture would lose a period."""
    errors = []
    for number in range(120):
        begin_ms = 1_000 + number * 37
        length_ms = 900 + number * 17
        glances = [
            glance(at, tea=0.9 if begin_ms <= at < begin_ms + length_ms else 0.0)
            for at in range(0, 12_000, period_ms)
        ]
        over = watch(glances)[-1].look
        errors.append(over.attention_ms - length_ms)
    assert abs(sum(errors) / len(errors)) < 0.1 * period_ms
    assert max(abs(error) for error in errors) <= period_ms + 1


odds = st.sampled_from([0.0, 0.3, 0.4, 0.6, 0.9])
steps = st.tuples(st.integers(0, 900), st.sampled_from(["seen", "faceless", "unseen"]), odds, odds)


@given(st.lists(steps, max_size=80), st.randoms(use_true_random=False), st.booleans())
def test_whatever_comes_the_gazes_are_sound(
    raw: list[tuple[int, str, float, float]], random: object, shuffled: bool
) -> None:
    """Gaps, repeats, misses and late pictures: at most one gaze is open, gazes of a person never
    overlap, each begins before it is over, and attention never exceeds the gaze."""
    at_ms, glances = 0, []
    for wait_ms, seen, tea, coffee in raw:
        at_ms += wait_ms
        blind = faceless if seen == "faceless" else unseen
        glances.append(glance(at_ms, tea=tea, coffee=coffee) if seen == "seen" else blind(at_ms))
    if shuffled:
        random.shuffle(glances)  # type: ignore[attr-defined]
    opened: GazeEvent | None = None
    until = -1
    for event in watch(glances):
        look = event.look
        end_ms = look.faced_at_ms if look.ended_at_ms is None else look.ended_at_ms
        assert 0 <= look.attention_ms <= end_ms - look.started_at_ms
        assert look.attention_ms >= RULES.targets[look.target_id].fixation_ms
        assert 0.35 <= look.probability <= 1.0
        if isinstance(event, GazeBegan):
            assert opened is None
            assert look.started_at_ms >= until
            opened = event
        else:
            assert isinstance(event, GazeOver)
            assert opened is not None
            assert opened.look.started_at_ms == look.started_at_ms
            assert opened.look.target_id == look.target_id
            opened, until = None, end_ms
    assert opened is None
