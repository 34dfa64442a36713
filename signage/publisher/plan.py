"""The playlist of one screen for the next hours: from the creatives, their schedules and the
store's clock. Pure.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, tzinfo

from signage.core.eligibility import Given, eligible
from signage.core.schedule import local_time
from streams.contracts.layout import Screen, Zone
from streams.contracts.playlist import Playlist, PlaylistEntry, Turn
from streams.contracts.signage import Creative, MediaFile

#: Hours are told in minutes.
_STEP_MS = 60_000
#: A player whose clock is behind finds a playlist all the same.
_BEFORE_MS = 2 * 3_600_000


@dataclass(frozen=True, slots=True)
class Planned:
    """What playlists are made of: a store's creatives on `screen`, in its `zones`.

    `horizon_ms` is how long a screen without a network plays on, `slot_ms` a turn of its rotation.
    """

    store_id: str
    screen: Screen
    zones: Sequence[Zone]
    horizon_ms: int
    slot_ms: int
    time_zone: tzinfo = UTC


def make_playlist(planned: Planned, creatives: Iterable[Creative], now_ms: int) -> Playlist:
    """The unsigned playlist from now on. Its version is the time at which it was made.

    A creative without files is left out: a player would have nothing to hold its bytes against.
    """
    from_ms, until_ms = now_ms - _BEFORE_MS, now_ms + planned.horizon_ms
    entries: list[PlaylistEntry] = []
    files: dict[str, MediaFile] = {}
    for creative in sorted(creatives, key=lambda c: c.creative_id):
        turns = _turns(planned, creative, from_ms, until_ms) if creative.files else ()
        if turns:
            entries.append(_entry(creative, turns))
            files |= {file.path: file for file in creative.files}
    return Playlist(
        store_id=planned.store_id,
        screen_id=planned.screen.screen_id,
        version=max(1, now_ms),
        made_at_ms=now_ms,
        valid_from_ms=from_ms,
        valid_until_ms=until_ms,
        slot_ms=planned.slot_ms,
        entries=tuple(entries),
        files=tuple(files[path] for path in sorted(files)),
    )


def _turns(planned: Planned, creative: Creative, from_ms: int, until_ms: int) -> tuple[Turn, ...]:
    """When a creative may be shown, in stretches."""
    if not creative.hours:
        begin = max(from_ms, creative.valid_from_ms or 0)
        end = min(until_ms, creative.valid_until_ms or until_ms)
        if begin >= end or not _allowed(planned, creative, begin):
            return ()
        return (Turn(from_ms=begin, until_ms=end),)
    turns: list[Turn] = []
    at_ms = from_ms
    while at_ms < until_ms:
        next_ms = min(until_ms, at_ms - at_ms % _STEP_MS + _STEP_MS)
        if _allowed(planned, creative, at_ms):
            if turns and turns[-1].until_ms == at_ms:
                at_ms = turns.pop().from_ms
            turns.append(Turn(from_ms=at_ms, until_ms=next_ms))
        at_ms = next_ms
    return tuple(turns)


def _allowed(planned: Planned, creative: Creative, at_ms: int) -> bool:
    """Whether a creative may be shown there and then, as far as is known hours before: stock, caps
    and budgets are left to whoever decides, and prices to the player.
    """
    given = Given(
        now_ms=at_ms,
        local=local_time(at_ms, planned.time_zone),
        languages=planned.screen.languages,
        prices=creative.prices,
    )
    return bool(eligible([creative], planned.screen.screen_id, planned.zones, given).allowed)


def _entry(creative: Creative, turns: tuple[Turn, ...]) -> PlaylistEntry:
    return PlaylistEntry(
        creative_id=creative.creative_id,
        creative_version=creative.version,
        title=creative.title,
        alt_text=creative.alt_text,
        language=creative.language,
        owner=creative.owner,
        kind=creative.kind,
        media=creative.media,
        sha256=creative.sha256,
        prices=creative.prices,
        fields=creative.fields,
        turns=turns,
    )
