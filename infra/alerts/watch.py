"""Which alerts are up, judged from what the log says and what the clock says. Pure."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Literal

Kind = Literal["camera-dark", "screen-dark", "attention-drop"]

#: A camera tells five times a second to once a second, also when nobody is there.
CAMERA_DARK_MS = 60_000

#: A screen's player tells of every turn of its rotation, which is seconds long.
SCREEN_DARK_MS = 120_000

#: A drop below this share of what the same hour of the week held in the weeks before is one.
DROP_SHARE = 0.4

#: Fewer watchers than this, usually, make no drop worth a call.
LEAST_WATCHERS = 20

#: So many weeks have to be known.
LEAST_WEEKS = 3


@dataclass(frozen=True, slots=True)
class Alert:
    """Something to look at. `subject` names the camera, the screen or the zone."""

    kind: Kind
    subject: str
    title: str
    sentence: str


@dataclass(frozen=True, slots=True)
class HourOfAttention:
    """Attention to one zone in the last whole hour, and in the same hour of the weeks before."""

    zone_id: str
    name: str
    attention_ms: int
    watchers: int
    before_ms: tuple[int, ...]
    before_watchers: tuple[int, ...]


def dark_cameras(
    names: Iterable[str], last_told_ms: Mapping[str, int], since_ms: int, now_ms: int
) -> list[Alert]:
    """The cameras of the layout that have told nothing for a minute. `since_ms` is when we began to
    listen: before that a silence says nothing."""
    found = []
    for name in names:
        silent_ms = now_ms - max(last_told_ms.get(name, since_ms), since_ms)
        if silent_ms > CAMERA_DARK_MS:
            found.append(
                Alert(
                    "camera-dark",
                    name,
                    f"Camera {name} is dark.",
                    f"It has told nothing for {_span(silent_ms)}: look at its power, its cable and "
                    "the gateway; nobody at its shelves is counted meanwhile.",
                )
            )
    return found


def dark_screens(
    names: Mapping[str, str], last_play_ms: Mapping[str, int], since_ms: int, now_ms: int
) -> list[Alert]:
    """The screens that have proved no play for two minutes; `names` maps their ids to names."""
    found = []
    for screen_id, name in names.items():
        silent_ms = now_ms - max(last_play_ms.get(screen_id, since_ms), since_ms)
        if silent_ms > SCREEN_DARK_MS:
            found.append(
                Alert(
                    "screen-dark",
                    screen_id,
                    f"Screen {name} may be dark.",
                    f"Its player has proved no play for {_span(silent_ms)}: look whether it shows "
                    "something; without a network its proofs come later.",
                )
            )
    return found


def attention_drops(hours: Iterable[HourOfAttention]) -> list[Alert]:
    """The zones that got far less attention in the last hour than usual at that hour."""
    found = []
    for hour in hours:
        if len(hour.before_ms) < LEAST_WEEKS:
            continue
        usual_ms, watchers = _median(hour.before_ms), _median(hour.before_watchers)
        if watchers < LEAST_WATCHERS or hour.attention_ms >= DROP_SHARE * usual_ms:
            continue
        found.append(
            Alert(
                "attention-drop",
                hour.zone_id,
                f"{hour.name} got little attention.",
                f"{_span(hour.attention_ms)} in the last hour, usually {_span(int(usual_ms))} at "
                "this hour: look whether the shelf is filled and the camera sees it.",
            )
        )
    return found


@dataclass(frozen=True, slots=True)
class Change:
    """An alert that came up or went away."""

    alert: Alert
    up: bool


def changes(before: Iterable[Alert], now: Iterable[Alert]) -> list[Change]:
    """What has to be told: new alerts and those that are over, each once.

    >>> a = Alert("camera-dark", "c", "t", "for 61 s"); b = Alert("camera-dark", "c", "t", "62 s")
    >>> changes([a], [b])
    []
    """
    old = {(a.kind, a.subject): a for a in before}
    new = {(a.kind, a.subject): a for a in now}
    return [
        *(Change(alert, True) for key, alert in new.items() if key not in old),
        *(Change(alert, False) for key, alert in old.items() if key not in new),
    ]


def _median(values: tuple[int, ...]) -> float:
    ordered = sorted(values)
    middle = len(ordered) // 2
    if len(ordered) % 2:
        return float(ordered[middle])
    return (ordered[middle - 1] + ordered[middle]) / 2


def _span(ms: int) -> str:
    seconds = ms // 1000
    if seconds < 120:
        return f"{seconds} s"
    return f"{seconds // 60} min" if seconds < 7200 else f"{seconds // 3600} h"
