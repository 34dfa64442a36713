"""Pages from other machines: over TLS, with a one-time code, and their own screen alone."""

import asyncio
import datetime as dt
import hashlib
import json
import ssl
import stat
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
import websockets
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from signage.catalogue import load_catalogue
from signage.player.certificate import own_certificate
from signage.player.gate import COOKIE
from signage.player.pairing import OFFER_MS, Pairing
from signage.player.ports import Listener
from signage.player.service import Player, create_player
from signage.settings import PlayerSettings

HOST = "127.0.0.1"
NOW_MS = 1_700_000_000_000


class Quiet:
    """A broker that says nothing and takes everything."""

    connected = True

    async def run(self, listener: Listener) -> None:
        await asyncio.Event().wait()

    async def send(self, plays: Any) -> None:
        pass

    async def close(self) -> None:
        pass


def settings_for(state: Path, screen: str = "screen-1") -> PlayerSettings:
    return PlayerSettings(
        kafka="127.0.0.1:1",
        state=state,
        store_id="store",
        area_id="main",
        screen_id=screen,
        player_port=0,
        player_pairing="on",
        spool_reserve_mb=0,
    )


@asynccontextmanager
async def running(settings: PlayerSettings) -> AsyncIterator[Player]:
    player = create_player(settings, load_catalogue(), feed=Quiet(), proofs=Quiet())
    stop, ready = asyncio.Event(), asyncio.Event()
    life = asyncio.create_task(player.run(stop, ready.set))
    try:
        await asyncio.wait_for(ready.wait(), 20)
        yield player
    finally:
        stop.set()
        await asyncio.wait_for(life, 20)


def trusting(player: Player) -> ssl.SSLContext:
    """Trusts this player's own certificate and no other."""
    assert player.certificate is not None
    return ssl.create_default_context(cafile=str(player.certificate.certificate))


def client_of(player: Player, **headers: str) -> httpx.AsyncClient:
    return httpx.AsyncClient(
        base_url=f"https://{HOST}:{player.port}", verify=trusting(player), headers=headers
    )


def offer(settings: PlayerSettings) -> str:
    return Pairing(settings.folder).offer(time.time_ns() // 1_000_000)


def test_a_code_pairs_one_page_once(tmp_path: Path) -> None:
    pairing = Pairing(tmp_path)
    code = pairing.offer(NOW_MS)
    assert len(code) == 8
    token = pairing.redeem(code, NOW_MS + 1)
    assert token is not None
    assert pairing.knows(token)
    assert not pairing.knows(token[:-1])
    assert pairing.redeem(code, NOW_MS + 2) is None
    assert Pairing(tmp_path).knows(token)  # after a restart
    assert pairing.forget() == 1
    assert not pairing.knows(token)


def test_a_code_is_too_old_after_ten_minutes(tmp_path: Path) -> None:
    pairing = Pairing(tmp_path)
    code = pairing.offer(NOW_MS)
    assert pairing.redeem(code, NOW_MS + OFFER_MS) is None


def test_five_wrong_codes_spend_the_right_one(tmp_path: Path) -> None:
    pairing = Pairing(tmp_path)
    code = pairing.offer(NOW_MS)
    for wrong in range(5):
        assert pairing.redeem(f"{wrong:08d}x", NOW_MS) is None
    assert pairing.redeem(code, NOW_MS) is None
    again = pairing.offer(NOW_MS)
    assert again != code
    assert pairing.redeem(again, NOW_MS) is not None


def test_only_hashes_are_kept_and_only_for_the_owner(tmp_path: Path) -> None:
    pairing = Pairing(tmp_path)
    code = pairing.offer(NOW_MS)
    assert code not in (tmp_path / "pairing.json").read_text()
    token = pairing.redeem(code, NOW_MS)
    assert token is not None
    kept = tmp_path / "paired.json"
    assert token not in kept.read_text()
    assert stat.S_IMODE(kept.stat().st_mode) == 0o600


def test_a_broken_file_lets_nobody_in(tmp_path: Path) -> None:
    (tmp_path / "paired.json").write_text("[{]")
    (tmp_path / "pairing.json").write_text("null")
    assert not Pairing(tmp_path).knows("")
    assert Pairing(tmp_path).redeem("", NOW_MS) is None


def test_the_certificate_is_kept_and_made_anew_when_it_has_expired(tmp_path: Path) -> None:
    now = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)
    first = own_certificate(tmp_path, "0.0.0.0", now)  # noqa: S104 - nothing is bound
    assert own_certificate(tmp_path, "0.0.0.0", now) == first  # noqa: S104
    held = x509.load_pem_x509_certificate(first.certificate.read_bytes())
    assert hashlib.sha256(held.public_bytes(Encoding.DER)).hexdigest().upper() == (
        first.fingerprint.replace(":", "")
    )
    assert stat.S_IMODE(first.key.stat().st_mode) == 0o600
    later = own_certificate(tmp_path, HOST, now + dt.timedelta(days=6 * 365))
    assert later.fingerprint != first.fingerprint


async def test_nothing_of_the_screen_is_told_to_who_is_not_paired(tmp_path: Path) -> None:
    settings = settings_for(tmp_path)
    async with running(settings) as player, client_of(player) as client:
        for path in ("/state", "/media/coffee/1/index.html", "/static/player.js", "/qr.svg"):
            assert (await client.get(path)).status_code == 401, path
        first = await client.get("/")
        assert (first.status_code, first.headers["location"]) == (303, "/pair")
        for path in ("/pair", "/static/pair.js", "/static/pair.css", "/about", "/healthz"):
            assert (await client.get(path)).status_code == 200, path
        with pytest.raises(websockets.InvalidStatus):
            await websockets.connect(f"wss://{HOST}:{player.port}/ws", ssl=trusting(player))


async def test_a_page_is_paired_and_receives_its_screen_s_content_alone(tmp_path: Path) -> None:
    one, two = settings_for(tmp_path, "screen-1"), settings_for(tmp_path, "screen-2")
    async with running(one) as first, running(two) as second, client_of(first) as client:
        wrong = await client.post("/pair", json={"code": "00000000x"})
        assert wrong.status_code == 403
        right = await client.post("/pair", json={"code": offer(one)})
        assert right.status_code == 200
        cookie = right.headers["set-cookie"].lower()
        assert all(word in cookie for word in ("httponly", "secure", "samesite=strict"))
        assert (await client.get("/state")).json()["screen_id"] == "screen-1"
        token = right.json()["token"]
        bearer = {"Authorization": f"Bearer {token}"}
        for headers in (bearer, {"Cookie": f"{COOKIE}={token}"}):
            async with websockets.connect(
                f"wss://{HOST}:{first.port}/ws", ssl=trusting(first), additional_headers=headers
            ) as page:
                assert json.loads(await page.recv())["type"] == "preload"
        # Another screen's player knows nothing of it.
        async with client_of(second, **bearer) as stranger:
            assert (await stranger.get("/state")).status_code == 401
        with pytest.raises(websockets.InvalidStatus):
            await websockets.connect(
                f"wss://{HOST}:{second.port}/ws", ssl=trusting(second), additional_headers=bearer
            )


@pytest.mark.parametrize(
    "body", [b"", b"[]", b'{"code": 1}', b'{"code":"' + b"1" * 5_000 + b'"}', b"\xff"]
)
async def test_nonsense_spends_no_attempt(tmp_path: Path, body: bytes) -> None:
    settings = settings_for(tmp_path)
    code = offer(settings)
    async with running(settings) as player, client_of(player) as client:
        for _ in range(6):
            assert (await client.post("/pair", content=body)).status_code in (400, 413)
        assert (await client.post("/pair", json={"code": code})).status_code == 200


async def test_plain_http_is_not_answered(tmp_path: Path) -> None:
    async with running(settings_for(tmp_path)) as player, httpx.AsyncClient() as client:
        with pytest.raises(httpx.HTTPError):
            await client.get(f"http://{HOST}:{player.port}/healthz")


@pytest.mark.parametrize(
    ("host", "pairing", "paired"),
    [
        ("127.0.0.1", "auto", False),
        ("localhost", "auto", False),
        ("0.0.0.0", "auto", True),  # noqa: S104 - nothing is bound
        ("192.168.1.7", "auto", True),
        ("shop.example", "auto", True),
        ("0.0.0.0", "off", False),  # noqa: S104
        ("127.0.0.1", "on", True),
    ],
)
def test_pages_of_other_machines_are_paired_unless_told_otherwise(
    tmp_path: Path, host: str, pairing: str, paired: bool
) -> None:
    update = {"player_host": host, "player_pairing": pairing}
    assert settings_for(tmp_path).model_copy(update=update).paired is paired
