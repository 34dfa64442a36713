"""Which glance went the whole way, and when: from a shopper's look to the screen and to the rows.

Pure: all that was seen is an argument.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from infra.bench.rows import GazeRow, WindowRow


@dataclass(frozen=True, slots=True)
class Whole:
    """A glance that went the whole way; times in UTC epoch ms.

    `whole_at_ms`: when a screen had rendered what it caused, its own row and its decision's were
    stored, and the attention window of its beginning had been stored with it in it.
    """

    begun_at_ms: int
    rendered_at_ms: int
    whole_at_ms: int


def whole_glances(
    after_ms: int,
    gazes: Mapping[str, GazeRow],
    decided: Mapping[str, Mapping[str, int]],
    windows: Iterable[WindowRow],
    rendered: Mapping[str, int],
) -> list[Whole]:
    """The glances that began after `after_ms` and went the whole way, in order of their beginning.

    `rendered` maps a decision to when a page had rendered it. A window counts from the moment it
    was seen changed after the glance began.
    """
    told = [window for window in windows if window.watchers > 0]
    found = []
    for gaze in gazes.values():
        if gaze.started_at_ms <= after_ms:
            continue
        shown = [
            (rendered[decision], max(rendered[decision], stored))
            for decision, stored in decided.get(gaze.gaze_id, {}).items()
            if decision in rendered
        ]
        measured = [
            window.stored_at_ms
            for window in told
            if window.target_id == gaze.target_id
            and window.start_ms <= gaze.started_at_ms < window.end_ms
            and window.stored_at_ms > gaze.started_at_ms
        ]
        if shown and measured:
            rendered_ms, decided_ms = min(shown)
            whole_ms = max(decided_ms, gaze.stored_at_ms, min(measured))
            found.append(Whole(gaze.started_at_ms, rendered_ms, whole_ms))
    return sorted(found, key=lambda whole: whole.begun_at_ms)


def recovered(glances: Iterable[Whole]) -> Whole | None:
    """The one that went the whole way first."""
    return min(glances, key=lambda whole: whole.whole_at_ms, default=None)


def begun_between(glances: Iterable[Whole], from_ms: int, to_ms: int) -> bool:
    """Whether one of them began in the half-open interval."""
    return any(from_ms <= whole.begun_at_ms < to_ms for whole in glances)
