"""From reactions to the figures of the report. Pure."""

from collections import Counter
from collections.abc import Callable, Sequence

from infra.bench.latency.reactions import Reaction
from infra.bench.latency.report import Free, Goal, Held, Screens, Steps
from infra.report import Percentiles, percentiles

#: From the true beginning of a reaction's glance to its floor, None where it is not known.
Floor = Callable[[Reaction], float | None]


def steps(found: Sequence[Reaction]) -> Steps:
    """Each step of the reactions."""
    return Steps(
        capture_to_infer=percentiles(e.inferred_ms - e.captured_ms for e in found),
        infer_to_event=percentiles(e.sent_ms - e.inferred_ms for e in found),
        event_to_decision=percentiles(e.decided_ms - e.sent_ms for e in found),
        decision_to_render=_light(found),
    )


def glance_to_render(found: Sequence[Reaction]) -> Percentiles:
    """Everything, from the eyes' rest on; of those whose glance is known."""
    return percentiles(e.rendered_ms - e.looked_ms for e in found if e.looked_ms is not None)


def capture_to_render(found: Sequence[Reaction]) -> Percentiles:
    """From the picture that completed the fixation on."""
    return percentiles(e.rendered_ms - e.captured_ms for e in found)


def beside_model(found: Sequence[Reaction], compute_ms: float) -> Percentiles:
    """The same without the model."""
    return percentiles(max(0.0, e.rendered_ms - e.captured_ms - compute_ms) for e in found)


def before_gaze_end(found: Sequence[Reaction]) -> float | None:
    """The share that was on the glass before the glance ended."""
    whole = [e.rendered_ms < e.looked_away_ms for e in found if e.looked_away_ms is not None]
    return round(sum(whole) / len(whole), 3) if whole else None


def by_screen(found: Sequence[Reaction], glass: str) -> Screens:
    """From decision to render by what reads the page; `glass` is the browser's screen."""
    return Screens(
        chromium=_light([e for e in found if e.screen_id == glass]),
        programs=_light([e for e in found if e.screen_id != glass]),
    )


def floors(found: Sequence[Reaction], floor: Floor) -> Percentiles:
    """What no program could do better."""
    return percentiles(at for at in map(floor, found) if at is not None)


def free(found: Sequence[Reaction], glass: str, compute_ms: float, floor: Floor) -> Free:
    """The figures of those that were not held back."""
    let_go = [each for each in found if each.held is None]
    above = [
        each.rendered_ms - each.looked_ms - least
        for each in let_go
        if each.looked_ms is not None and (least := floor(each)) is not None
    ]
    return Free(
        reactions=len(let_go),
        steps_ms=steps(let_go),
        glance_to_render_ms=glance_to_render(let_go),
        above_floor_ms=percentiles(above),
        capture_to_render_ms=capture_to_render(let_go),
        beside_model_ms=beside_model(let_go, compute_ms),
        decision_to_render_ms=by_screen(let_go, glass),
        rendered_before_gaze_end_share=before_gaze_end(let_go),
    )


def held(found: Sequence[Reaction], never: Counter[str]) -> Held:
    """What the policy held back."""
    kept = [each for each in found if each.held is not None]
    return Held(
        reactions=dict(Counter(str(each.held) for each in kept)),
        waited_ms=percentiles(each.decided_ms - each.sent_ms for each in kept),
        never=dict(never),
    )


def goals(found: Sequence[Reaction], compute_ms: float) -> list[Goal]:
    """What was wanted, of all reactions and of the free ones."""
    let_go = [each for each in found if each.held is None]
    told = []
    for name, these in (("", found), (", free to switch", let_go)):
        glance, share = glance_to_render(these).p95, before_gaze_end(these)
        beside = beside_model(these, compute_ms).p99
        told += [
            _goal(f"glance to render p95{name}", "<= 700 ms", glance, (glance or 0) <= 700),
            _goal(f"rendered before the gaze ends{name}", ">= 0.6", share, (share or 0) >= 0.6),
            _goal(f"beside the model p99{name}", "<= 100 ms", beside, (beside or 0) <= 100),
        ]
    return told


def _goal(figure: str, wanted: str, found: float | None, met: bool) -> Goal:
    return Goal(figure=figure, wanted=wanted, found=found, met=None if found is None else met)


def _light(found: Sequence[Reaction]) -> Percentiles:
    return percentiles(each.rendered_ms - each.decided_ms for each in found)
