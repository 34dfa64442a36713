"""A signed playlist on the player's disk: complete or not shown, and there after a restart."""

import asyncio
import hashlib
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import msgspec
import pytest

from signage.errors import MediumError
from signage.player.repertoire import Repertoire
from signage.player.supply import Supply
from signage.signing import Signer, Trust, new_key
from streams.contracts.playlist import Playlist, PlaylistEntry, Turn
from streams.contracts.signage import MediaFile

PAGES = {"coffee/1/index.html": b"<p>coffee</p>", "tea/1/index.html": b"<p>tea</p>"}


class Source:
    """What the store has; `spoiled` gives other bytes under the same name."""

    def __init__(self) -> None:
        self.files = dict(PAGES)
        self.asked: list[str] = []

    async def fetch(self, file: MediaFile) -> bytes:
        self.asked.append(file.path)
        if file.path not in self.files:
            raise MediumError("it is not here")
        return self.files[file.path]


class Setting:
    """Keys, a folder and a source; `supply` makes a player's supply on them, as a restart does."""

    def __init__(self, folder: Path) -> None:
        new_key(folder / "k", folder / "t")
        self.signer = Signer.load(folder / "k")
        self.folder = folder / "player"
        self.trust = Trust.load(folder / "t")
        self.source = Source()

    def supply(self) -> Supply:
        return Supply(self.folder, "screen-1", self.trust, [self.source])

    def message(self, version: int = 1, *names: str, **fields: Any) -> bytes:
        paths = [f"{name}/1/index.html" for name in names or ("coffee", "tea")]
        base = Playlist(
            store_id="store",
            screen_id="screen-1",
            version=version,
            made_at_ms=version,
            valid_from_ms=0,
            valid_until_ms=10_000,
            slot_ms=1_000,
            entries=tuple(
                PlaylistEntry(
                    creative_id=path.split("/")[0],
                    creative_version=1,
                    title="",
                    alt_text="",
                    language="en",
                    owner="o",
                    kind="page",
                    media=path,
                    sha256=hashlib.sha256(PAGES[path]).hexdigest(),
                    turns=(Turn(from_ms=0, until_ms=10_000),),
                )
                for path in paths
            ),
            files=tuple(
                MediaFile(path=p, sha256=hashlib.sha256(PAGES[p]).hexdigest(), bytes=len(PAGES[p]))
                for p in paths
            ),
        )
        return msgspec.json.encode(self.signer.sign(msgspec.structs.replace(base, **fields)))

    def blob(self, path: str) -> Path:
        return self.folder / "media" / hashlib.sha256(PAGES[path]).hexdigest()


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("signage.player.supply._RETRY_S", 0.01)


@pytest.fixture
def setting(tmp_path: Path) -> Setting:
    return Setting(tmp_path)


@asynccontextmanager
async def working(supply: Supply) -> AsyncIterator[list[set[str]]]:
    """Runs it; what it told that the screen may show, one after the other."""
    told: list[set[str]] = []
    supply.tell = lambda repertoire: told.append(names(repertoire))
    task = asyncio.create_task(supply.run())
    try:
        yield told
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


def names(repertoire: Repertoire | None) -> set[str]:
    return set() if repertoire is None else {name for name, _ in repertoire.known}


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(20):
        while not condition():  # noqa: ASYNC110 - it becomes true in the task
            await asyncio.sleep(0.005)


async def test_what_is_complete_is_shown_and_there_after_a_restart(setting: Setting) -> None:
    supply = setting.supply()
    async with working(supply) as told:
        supply.take(setting.message())
        await until(lambda: told[-1:] == [{"coffee", "tea"}])
        await until((setting.folder / "playlist.json").exists)
    setting.source.files.clear()  # no network
    again = setting.supply()
    assert names(again.load()) == {"coffee", "tea"}
    assert await again.medium("tea/1/index.html") == b"<p>tea</p>"
    assert await again.medium("tea/2/index.html") is None


async def test_a_creative_whose_files_are_missing_waits(setting: Setting) -> None:
    del setting.source.files["tea/1/index.html"]
    supply = setting.supply()
    async with working(supply) as told:
        supply.take(setting.message())
        await until(lambda: told[-1:] == [{"coffee"}])
        setting.source.files |= PAGES
        await until(lambda: told[-1:] == [{"coffee", "tea"}])


async def test_other_bytes_under_a_signed_name_are_not_kept(setting: Setting) -> None:
    setting.source.files["tea/1/index.html"] = b"<p>tee</p>"
    supply = setting.supply()
    async with working(supply) as told:
        supply.take(setting.message())
        await until(lambda: told[-1:] == [{"coffee"}])
        await until(lambda: setting.source.asked.count("tea/1/index.html") >= 1)
        await until(lambda: "not the signed" in (supply.last_refusal or ""))
    assert not setting.blob("tea/1/index.html").exists()


@pytest.mark.parametrize("place", [0, 5, -1])
async def test_a_changed_byte_of_a_medium_is_refused_and_mended(
    setting: Setting, place: int
) -> None:
    supply = setting.supply()
    async with working(supply) as told:
        supply.take(setting.message())
        await until(lambda: told[-1:] == [{"coffee", "tea"}])
        blob = setting.blob("tea/1/index.html")
        data = bytearray(blob.read_bytes())
        data[place] ^= 1
        blob.write_bytes(data)
        with pytest.raises(MediumError, match="not the signed"):
            await supply.medium("tea/1/index.html")
        assert told[-1] == {"coffee"}
        assert supply.refused == {"medium": 1}
        await until(lambda: told[-1:] == [{"coffee", "tea"}])  # fetched again
        assert await supply.medium("tea/1/index.html") == b"<p>tea</p>"


async def test_a_changed_byte_on_disk_is_not_shown_after_a_restart(setting: Setting) -> None:
    supply = setting.supply()
    async with working(supply) as told:
        supply.take(setting.message())
        await until(lambda: told[-1:] == [{"coffee", "tea"}])
        await until((setting.folder / "playlist.json").exists)
    setting.blob("coffee/1/index.html").write_bytes(b"<p>toffee</p>")
    assert names(setting.supply().load()) == {"tea"}
    kept = setting.folder / "playlist.json"
    kept.write_bytes(kept.read_bytes().replace(b'"slot_ms":1000', b'"slot_ms":1001'))
    again = setting.supply()
    assert again.load() is None
    assert again.refused == {"wrong signature": 1}


async def test_an_older_playlist_never_returns(setting: Setting) -> None:
    supply = setting.supply()
    async with working(supply) as told:
        supply.take(setting.message(2, "tea"))
        await until(lambda: told[-1:] == [{"tea"}])
        supply.take(setting.message(1))
        supply.take(setting.message(2, "tea"))
        assert supply.refused == {"older": 1}
        supply.take(setting.message(3, "coffee"))
        await until(lambda: told[-1:] == [{"coffee"}])


async def test_what_a_page_may_still_ask_for_is_kept_for_one_playlist(setting: Setting) -> None:
    supply = setting.supply()
    async with working(supply) as told:
        for version, name in ((1, "tea"), (2, "coffee"), (3, "coffee")):
            supply.take(setting.message(version, name))
            await until(lambda name=name: told[-1:] == [{name}])  # type: ignore[misc]
            await until(lambda: supply.playlist is not None)
            assert (await supply.medium("tea/1/index.html") is not None) == (version < 3)


async def test_a_disk_that_refuses_changes_nothing_on_the_screen(setting: Setting) -> None:
    supply = setting.supply()
    async with working(supply) as told:
        supply.take(setting.message())
        await until(lambda: told[-1:] == [{"coffee", "tea"}])
        await until((setting.folder / "playlist.json").exists)
        (setting.folder / "playlist.new").mkdir()  # nothing can be written there
        supply.take(setting.message(2, valid_until_ms=99_000))
        await until(lambda: supply.playlist is not None and supply.playlist.version == 2)
        assert told[-1] == {"coffee", "tea"}
