"""Proofs of play survive: order, bound, a dead player, a broken file."""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest

from signage.core.chain import verify
from signage.errors import SpoolError
from signage.player.spool import DIED, Spool
from streams.contracts.signage import Play

MakePlay = Callable[..., Play]

#: A player that keeps a started play and a heartbeat, and is then killed where it stands.
_DIES = """
import os, signal, sys
from pathlib import Path
import msgspec
from signage.player.spool import Spool
from streams.contracts.signage import Play
spool = Spool(Path(sys.argv[1]), 100)
spool.add([msgspec.json.decode(sys.argv[2], type=Play)])
spool.heartbeat("p-1", 4200)
os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "players" / "screen-1.sqlite"


def ended(make_play: MakePlay, **fields: object) -> Play:
    return make_play(phase="ended", duration_ms=900, stop_reason="finished", **fields)


def unlinked(play: Play) -> Play:
    """A proof without its place in the chain."""
    return msgspec.structs.replace(play, seq=None, previous_sha256=None, sha256=None)


def test_what_is_kept_comes_out_in_order_until_it_is_sent(path: Path, make_play: MakePlay) -> None:
    told = [make_play(), ended(make_play), make_play(play_id="p-2")]
    with Spool(path, 100) as spool:
        spool.add(told[:2])
        spool.add(told[2:])
    with Spool(path, 100) as spool:
        rows = spool.oldest(10)
        assert [unlinked(play) for _, play in rows] == told
        spool.sent(rows[1][0])
        assert [unlinked(play) for _, play in spool.oldest(10)] == told[2:]
        assert spool.waiting() == 1


def test_a_play_that_a_killed_player_left_open_is_ended(path: Path, make_play: MakePlay) -> None:
    started = make_play()
    killed = subprocess.run([sys.executable, "-c", _DIES, path, msgspec.json.encode(started)])
    assert killed.returncode == -9
    with Spool(path, 100) as spool:
        assert spool.recover() == 1
        first, last = (play for _, play in spool.oldest(10))
        assert unlinked(first) == started
        assert (last.play_id, last.phase, last.stop_reason) == ("p-1", "ended", "error")
        assert (last.duration_ms, last.success, last.error) == (4_200, False, DIED)
        assert spool.recover() == 0


def test_a_play_that_ended_is_not_ended_again(path: Path, make_play: MakePlay) -> None:
    with Spool(path, 100) as spool:
        spool.add([make_play(), ended(make_play)])
        assert spool.recover() == 0


def test_the_oldest_go_when_too_many_wait(path: Path, make_play: MakePlay) -> None:
    with Spool(path, 3) as spool:
        spool.add([make_play(play_id=f"p-{n}") for n in range(5)])
        assert [play.play_id for _, play in spool.oldest(10)] == ["p-2", "p-3", "p-4"]
        assert spool.dropped == 2


def test_a_second_player_on_the_same_file_is_refused(path: Path) -> None:
    with Spool(path, 100), pytest.raises(SpoolError, match="state folder of its own"):
        Spool(path, 100)


def test_a_file_that_is_no_database_is_set_aside(path: Path, make_play: MakePlay) -> None:
    path.parent.mkdir()
    path.write_bytes(b"no database, but long enough to be looked at" * 100)
    with Spool(path, 100) as spool:
        assert spool.set_aside is not None
        assert spool.set_aside.exists()
        spool.add([make_play()])
        assert spool.waiting() == 1


def test_a_place_that_cannot_be_written_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "players").write_text("a file where a folder should be")
    with pytest.raises(SpoolError) as caught:
        Spool(tmp_path / "players" / "screen-1.sqlite", 100)
    assert "\n" not in str(caught.value)


def test_a_full_disk_is_told_and_loses_nothing_older(path: Path, make_play: MakePlay) -> None:
    with Spool(path, 100_000) as spool:
        spool.add([make_play()])
        pages = spool._db.execute("PRAGMA page_count").fetchone()[0]  # noqa: SLF001
        spool._db.execute(f"PRAGMA max_page_count = {pages}")  # noqa: SLF001
        with pytest.raises(SpoolError, match="make room"):
            spool.add([make_play(play_id=f"p-{n}") for n in range(500)])
        assert spool.waiting() == 1
    with Spool(path, 100_000) as spool:
        assert spool.waiting() == 1


def test_what_was_given_up_leaves_a_gap_in_the_chain(path: Path, make_play: MakePlay) -> None:
    """Dropped on disk because too many waited, or in memory because the disk was full."""
    delivered: list[bytes] = []

    def deliver(spool: Spool) -> None:
        rows = spool.oldest(100)
        delivered.extend(msgspec.json.encode(play) for _, play in rows)
        spool.sent(rows[-1][0])

    with Spool(path, 3) as spool:
        spool.add([make_play(play_id="p-0")])
        deliver(spool)
        spool.add([make_play(play_id=f"p-{n}") for n in range(1, 6)])
        deliver(spool)
        spool.add([make_play(play_id="p-9")], 4)
        deliver(spool)
        assert spool.dropped == 2
    [chain] = verify(delivered)
    assert (chain.proofs, chain.lost, chain.last_seq) == (5, 2 + 4, 11)
    assert not chain.intact


def test_the_chain_goes_on_after_a_restart(path: Path, make_play: MakePlay) -> None:
    told: list[bytes] = []
    for number in range(3):
        with Spool(path, 100) as spool:
            spool.recover()
            spool.add([make_play(play_id=f"p-{number}")])
            told = [msgspec.json.encode(play) for _, play in spool.oldest(100)]
    [chain] = verify(told)
    assert chain.intact
    assert (chain.proofs, chain.begun_anew) == (5, 0)
