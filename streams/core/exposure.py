"""Exposure: which presences and gazes met which play of a screen, in event time. Pure.

Like a window of attention, an exposure is the set of facts that overlap it, so the order of arrival
and repeats change nothing, and it is told again when a later fact changes it. `through_offset` is
the sum, over the topics that feed it, of the greatest offset (+ 1) that has a part in it, and the
row of a play that has ended is above all that were told while it went on, which may hold facts that
came after its end.
"""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field

from streams.contracts.attention import Exposure
from streams.contracts.signage import Play
from streams.core.facts import Fact, FactKey, overlaps, part_ms
from streams.core.watermark import Watermarks
from streams.core.windows import Outcome

#: A presence and a play are paired from this overlap on (our definition, published beside the
#: number: there is no common one).
PAIRING_MS = 1_000

#: A play whose end nobody told is taken to have lasted as long at the most.
_LONGEST_PLAY_MS = 3_600_000

#: Added to `through_offset` once a play has ended; no log is as long, and JSON numbers are exact.
_ENDED = 1 << 52


@dataclass(slots=True)
class _Played:
    play: Play
    members: set[FactKey] = field(default_factory=set)
    late: set[FactKey] = field(default_factory=set)
    #: Log and next offset of the play itself.
    log: str = ""
    through: int = 0

    @property
    def start_ms(self) -> int:
        return self.play.rendered_at_ms

    def end_ms(self, clock_ms: int) -> int:
        """When it ended; while it goes on, as far as its screen's area has told."""
        if self.play.duration_ms is not None:
            return self.start_ms + self.play.duration_ms
        return max(self.start_ms, min(clock_ms, self.start_ms + _LONGEST_PLAY_MS))

    def reach(self, log: str, offset: int) -> None:
        self.log, self.through = log, max(self.through, offset + 1)


@dataclass(slots=True)
class _Screen:
    clock_ms: int = 0
    facts: dict[FactKey, Fact] = field(default_factory=dict)
    late: dict[FactKey, Fact] = field(default_factory=dict)
    plays: dict[str, _Played] = field(default_factory=dict)


class Exposures:
    """The exposures of one partition's screens.

    `lateness_ms`: a fact told after its source told of a time so much later is late: it is counted
    with the plays that it would have changed. `keep_ms`: how long after its end a play can still
    change. `floor_ms`: plays that began before it were told by an earlier life of the process.
    `watermarks` are those of the same logs' windows: what a camera tells of a shelf or of nobody
    also says how far it has told.
    """

    def __init__(
        self,
        *,
        lateness_ms: int,
        keep_ms: int,
        floor_ms: int = 0,
        watermarks: Watermarks | None = None,
    ) -> None:
        self._lateness_ms = lateness_ms
        self._keep_ms = keep_ms
        self._floor_ms = floor_ms
        self._watermarks = Watermarks() if watermarks is None else watermarks
        self._screens: dict[str, _Screen] = {}
        self._changed: set[tuple[str, str]] = set()
        self._leaving: list[Exposure] = []
        self.outcomes: Counter[Outcome] = Counter()

    def sizes(self) -> dict[str, int]:
        """How much is kept."""
        screens = self._screens.values()
        return {
            "plays": sum(len(screen.plays) for screen in screens),
            "screen_facts": sum(len(screen.facts) + len(screen.late) for screen in screens),
        }

    def add_play(self, play: Play, log: str, offset: int, horizon_ms: int) -> Outcome:
        """Takes the beginning or the end of a play in; a stamp beyond `horizon_ms` is a wrong
        clock's and moves no other further than that.
        """
        outcome = self._add_play(play, log, offset, horizon_ms)
        self.outcomes[outcome] += 1
        return outcome

    def add(self, fact: Fact) -> Outcome:
        """Takes a presence before a screen, or a gaze at it, in."""
        outcome = self._add(fact)
        self.outcomes[outcome] += 1
        return outcome

    def changed(self) -> list[Exposure]:
        """The exposures that changed since the last call."""
        rows = self._leaving
        self._leaving = []
        for screen_id, play_id in sorted(self._changed):
            screen = self._screens[screen_id]
            rows.append(_row(screen, screen.plays[play_id]))
        self._changed.clear()
        return rows

    def mark_all_changed(self) -> None:
        """All exposures that are kept will be told (again)."""
        self._leaving = []
        self._changed = {
            (screen_id, play_id)
            for screen_id, screen in self._screens.items()
            for play_id in screen.plays
        }

    def mark_changed(self, rows: list[Exposure]) -> None:
        """`rows` could not be told: they will be told again."""
        for row in rows:
            screen = self._screens.get(row.screen_id)
            if screen is not None and row.play_id in screen.plays:
                self._changed.add((row.screen_id, row.play_id))
            else:
                self._leaving.append(row)

    def _add_play(self, play: Play, log: str, offset: int, horizon_ms: int) -> Outcome:
        screen = self._screens.setdefault(play.screen_id, _Screen())
        told_ms = play.rendered_at_ms + (play.duration_ms or 0)
        if told_ms > horizon_ms:
            return "dropped"
        self._advance(play.screen_id, screen, told_ms)
        known = screen.plays.get(play.play_id)
        if known is not None:
            if known.play.phase == "ended" or play.phase == "started":
                return "repeated"
            known.play = play
        elif play.rendered_at_ms < self._floor_ms or self._is_over(screen, told_ms):
            return "dropped"
        else:
            known = screen.plays[play.play_id] = _Played(play)
        known.reach(log, offset)
        self._changed.add((play.screen_id, play.play_id))
        end_ms = known.end_ms(screen.clock_ms)
        for key, fact in screen.facts.items():
            _place(known, known.members, key, fact, end_ms)
        for key, fact in screen.late.items():
            _place(known, known.late, key, fact, end_ms)
        return "added"

    def _add(self, fact: Fact) -> Outcome:
        newest_ms = self._watermarks.observe(fact.log, fact.source, fact.clock_ms)
        if fact.clock_ms < fact.told_at_ms:
            return "dropped"
        screen = self._screens.setdefault(fact.target_id, _Screen())
        known = screen.facts.get(fact.key)
        if known is not None and known.rank >= fact.rank:
            return "repeated"
        if newest_ms > fact.told_at_ms + self._lateness_ms:
            return self._count_late(screen, fact)
        self._advance(fact.target_id, screen, fact.clock_ms)
        if self._is_over(screen, max(fact.start_ms, fact.end_ms)):
            return "dropped"
        screen.facts[fact.key] = fact
        for play_id, played in screen.plays.items():
            end_ms = played.end_ms(screen.clock_ms)
            if _place(played, played.members, fact.key, fact, end_ms):
                self._changed.add((fact.target_id, play_id))
        return "added"

    def _count_late(self, screen: _Screen, fact: Fact) -> Outcome:
        """Also kept: its play may be read after it."""
        known = screen.late.get(fact.key)
        if known is not None and known.rank >= fact.rank:
            return "repeated"
        if self._is_over(screen, max(fact.start_ms, fact.end_ms)):
            return "dropped"
        screen.late[fact.key] = fact
        for play_id, played in screen.plays.items():
            end_ms = played.end_ms(screen.clock_ms)
            if _place(played, played.late, fact.key, fact, end_ms):
                self._changed.add((fact.target_id, play_id))
        return "late"

    def _is_over(self, screen: _Screen, end_ms: int) -> bool:
        return end_ms + self._keep_ms <= screen.clock_ms

    def _advance(self, screen_id: str, screen: _Screen, clock_ms: int) -> None:
        """Moves the screen's clock and lets go of what is over for good."""
        if clock_ms <= screen.clock_ms:
            return
        screen.clock_ms = clock_ms
        for play_id, played in list(screen.plays.items()):
            if not self._is_over(screen, played.end_ms(clock_ms)):
                break  # plays are kept in the order in which they were told
            if (screen_id, play_id) in self._changed:
                self._leaving.append(_row(screen, played))
                self._changed.discard((screen_id, play_id))
            del screen.plays[play_id]
        plays = screen.plays.values()
        self._forget(screen, screen.facts, lambda key: any(key in each.members for each in plays))
        self._forget(screen, screen.late, lambda key: any(key in each.late for each in plays))

    def _forget(
        self, screen: _Screen, facts: dict[FactKey, Fact], needed: Callable[[FactKey], bool]
    ) -> None:
        gone = []
        for key, fact in facts.items():  # no copy: it runs for every fact, and there are many
            if not self._is_over(screen, fact.end_ms):
                break
            if not needed(key):
                gone.append(key)
        for key in gone:
            del facts[key]


def _place(played: _Played, among: set[FactKey], key: FactKey, fact: Fact, end_ms: int) -> bool:
    """Puts a fact among those of a play or takes it away; whether the play concerns it."""
    if overlaps(fact, played.start_ms, end_ms):
        among.add(key)
    elif key in among:
        among.discard(key)
    else:
        return False
    return True


def _through(screen: _Screen, played: _Played) -> int:
    """Hangs on what has been read alone and not on the order of topics: a row that knows more has a
    greater one, in every life of the process.
    """
    through = {played.log: played.through}
    for facts, keys in ((screen.facts, played.members), (screen.late, played.late)):
        for key in keys:
            fact = facts[key]
            through[fact.log] = max(through.get(fact.log, 0), fact.offset + 1)
    return sum(through.values()) + (_ENDED if played.play.phase == "ended" else 0)


def _row(screen: _Screen, played: _Played) -> Exposure:
    play, start = played.play, played.start_ms
    end = played.end_ms(screen.clock_ms)
    facts = [screen.facts[key] for key in played.members]
    present = [f for f in facts if f.kind == "presence"]
    paired = [f for f in present if _shared_ms(f, start, end) >= PAIRING_MS]
    measured = [f for f in paired if f.amount_ms is not None]
    gazes = [f for f in facts if f.kind == "gaze"]
    return Exposure(
        play_id=play.play_id,
        store_id=play.store_id,
        area_id=play.area_id,
        screen_id=play.screen_id,
        decision_id=play.decision_id,
        creative_id=play.creative_id,
        creative_version=play.creative_version,
        started_at_ms=start,
        ended_at_ms=end,
        ended=play.phase == "ended",
        gross_impressions=len({f.track_id for f in present}),
        ots=len({f.track_id for f in measured if f.amount_ms}) if measured else None,
        verified_impressions=len({f.track_id for f in paired}),
        exposed_ms=sum(_shared_ms(f, start, end) for f in paired),
        # Where nobody could tell who looked, there is no gaze and no opportunity either.
        watchers=len({f.track_id for f in gazes}) if gazes or measured or not present else None,
        attention_ms=sum(part_ms(f, start, end) for f in gazes),
        late=len(played.late),
        through_offset=_through(screen, played),
    )


def _shared_ms(fact: Fact, start_ms: int, end_ms: int) -> int:
    return max(0, min(fact.end_ms, end_ms) - max(fact.start_ms, start_ms))
