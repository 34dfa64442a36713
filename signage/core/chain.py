"""Proofs of play as a hash chain: linking new ones, and checking those that a log holds. Pure.

Each proof holds the hash of the one before, so none can be altered, taken out or put in later
without breaking the chain. What a chain alone cannot show is that its newest proofs are missing.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

import msgspec
from msgspec import Struct

from streams.contracts.canonical import canonical_sha256, plain
from streams.contracts.signage import Play

_HASH = "sha256"


@dataclass(frozen=True, slots=True)
class Head:
    """The newest proof of a chain; `seq` 0 and no hash before the first."""

    seq: int = 0
    sha256: str | None = None


def link(play: Play, head: Head) -> tuple[Play, Head]:
    """The proof as the next one after `head`, and the new head.

    A proof that is linked already keeps its place: a repeat is the same proof again.
    """
    if play.sha256 is not None:
        return play, head
    placed = msgspec.structs.replace(play, seq=head.seq + 1, previous_sha256=head.sha256)
    sha256 = canonical_sha256(plain(placed), _HASH)
    return msgspec.structs.replace(placed, sha256=sha256), Head(head.seq + 1, sha256)


class PlayerChain(Struct, frozen=True, kw_only=True):
    """What the proofs of one player in a log amount to.

    `proofs` are distinct ones from `first_seq` to `last_seq`; `repeats` the same proof again, which
    is harmless. `lost`: places in the chain without a proof. `doubled`: a play whose beginning or
    end is proven twice, or two proofs in one place. `altered`: the hash is not that of the proof.
    `begun_anew`: chains after the first, of a player that lost its disk. `unchained`: proofs of a
    player without a chain. `intact`: nothing lost, doubled, altered or unchained.
    """

    player_id: str
    proofs: int
    repeats: int
    lost: int
    doubled: int
    altered: int
    begun_anew: int
    unchained: int
    first_seq: int | None
    last_seq: int | None
    intact: bool
    found: list[str]


#: Sentences about one player; more would say nothing new.
_MAX_FOUND = 20


@dataclass(slots=True)
class _Walk:
    """The proofs of one player in the order of the log."""

    player_id: str
    seen: set[str] = field(default_factory=set)
    told: dict[tuple[str, str], str] = field(default_factory=dict)
    taken: dict[str, int] = field(default_factory=dict)
    followed: set[str | None] = field(default_factory=set)
    repeats: int = 0
    lost: int = 0
    doubled: int = 0
    altered: int = 0
    chains: int = 0
    unchained: int = 0
    first: int | None = None
    last: int = 0
    found: list[str] = field(default_factory=list)

    def add(self, values: dict[str, Any], play: Play) -> None:
        if play.seq is None or play.sha256 is None:
            self.unchained += 1
            self.say(f"the play {play.play_id} has no place in a chain")
            return
        true = canonical_sha256(values, _HASH)
        if true != play.sha256:
            self.altered += 1
            self.say(f"proof {play.seq} was altered: its hash is {true[:12]}, not what it says")
        if play.sha256 in self.seen:
            self.repeats += 1
            return
        self.seen.add(play.sha256)
        self._told_twice(play)
        self._place(play)

    def _told_twice(self, play: Play) -> None:
        before = self.told.setdefault((play.play_id, play.phase), play.sha256 or "")
        if before != play.sha256:
            self.doubled += 1
            self.say(f"proof {play.seq} says again that {play.play_id} {play.phase}")

    def _place(self, play: Play) -> None:
        seq, previous = play.seq or 0, play.previous_sha256
        first = self.first is None
        self.first = seq if self.first is None else self.first
        if previous is None:
            self.chains += 1
            if not first:
                self.say(f"a new chain begins after proof {self.last}")
        elif previous in self.followed:
            self.doubled += 1
            self.say(f"two proofs follow the same one at {seq}")
        elif self.taken.get(previous) != seq - 1 and not first:
            missing = max(1, seq - self.last - 1)
            self.lost += missing
            self.say(f"{missing} proof(s) are missing before {seq}")
        elif first:
            self.chains += 1
        if previous is not None:
            self.followed.add(previous)
        self.taken[play.sha256 or ""] = seq
        self.last = seq

    def say(self, what: str) -> None:
        if len(self.found) < _MAX_FOUND:
            self.found.append(what)

    def result(self) -> PlayerChain:
        return PlayerChain(
            player_id=self.player_id,
            proofs=len(self.seen),
            repeats=self.repeats,
            lost=self.lost,
            doubled=self.doubled,
            altered=self.altered,
            begun_anew=max(0, self.chains - 1),
            unchained=self.unchained,
            first_seq=self.first,
            last_seq=self.last if self.seen else None,
            intact=not (self.lost or self.doubled or self.altered or self.unchained),
            found=self.found,
        )


def verify(messages: Iterable[bytes]) -> list[PlayerChain]:
    """Checks the proofs of a log, in its order, player by player. What is no proof is left out.

    The log's beginning may have been cut off by its retention: a chain may begin anywhere.
    """
    walks: dict[str, _Walk] = {}
    for message in messages:
        try:
            values = plain(message)
            play = msgspec.convert(values, Play)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            continue
        walks.setdefault(play.player_id, _Walk(play.player_id)).add(values, play)
    return [walks[name].result() for name in sorted(walks)]


#: A play that ended well has two proofs, one that failed has one.
_PROOFS_OF_A_PLAY = 2


def verify_ended(rows: Iterable[tuple[str, int | None, str | None]]) -> list[PlayerChain]:
    """Checks what a table of ended plays can show: `(player_id, seq, sha256)` in order of time.

    The beginnings are not in it, so hashes cannot be followed; but each play takes one or two
    places, so a greater step means that ended plays are missing, and no place is taken twice.
    """
    walks: dict[str, _Walk] = {}
    for player_id, seq, sha256 in rows:
        walk = walks.setdefault(player_id, _Walk(player_id))
        if seq is None or sha256 is None:
            walk.unchained += 1
            continue
        if sha256 in walk.seen or seq == walk.last:
            walk.doubled += 1
            walk.say(f"the place {seq} is taken twice")
        elif walk.first is None:
            walk.first, walk.chains = seq, 1
        elif seq < walk.last:
            walk.chains += 1
            walk.say(f"a new chain begins after proof {walk.last}")
        elif seq - walk.last > _PROOFS_OF_A_PLAY:
            missing = (seq - walk.last - 1) // _PROOFS_OF_A_PLAY
            walk.lost += missing
            walk.say(f"{missing} ended play(s) are missing before {seq}")
        walk.seen.add(sha256)
        walk.last = seq
    return [walks[name].result() for name in sorted(walks)]
