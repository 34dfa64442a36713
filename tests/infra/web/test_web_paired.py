"""Served to other machines the pages are closed: TLS, a one-time code, a token that is theirs."""

import asyncio
import ssl
from datetime import UTC, datetime
from pathlib import Path

import httpx
import pytest
from pydantic import SecretStr

from infra.web.app import create_web
from infra.web.hub import Hub
from infra.web.serve import PageServer, listen
from infra.web.settings import WebSettings
from signage.player.certificate import own_certificate
from signage.player.pairing import Pairing
from streams.contracts.layout import Area, StoreLayout

_LAYOUT = StoreLayout(store_id="s", name="Shop", areas=(Area(area_id="a"),))


def _settings(folder: Path, host: str = "127.0.0.1") -> WebSettings:
    return WebSettings(
        kafka="127.0.0.1:1",
        database=SecretStr("postgresql://127.0.0.1:1/none"),
        state=folder,
        web_host=host,
        web_pairing="on" if host == "127.0.0.1" else "auto",
    )


@pytest.mark.parametrize(
    ("host", "paired"), [("127.0.0.1", False), ("::", True), ("192.168.1.9", True)]
)
def test_beyond_this_machine_pairing_is_on_by_itself(
    tmp_path: Path, host: str, paired: bool
) -> None:
    settings = _settings(tmp_path, host).model_copy(update={"web_pairing": "auto"})
    assert settings.paired is paired


async def test_only_a_browser_that_knew_the_code_sees_anything(tmp_path: Path) -> None:
    settings = _settings(tmp_path)
    pairing = Pairing(settings.folder)
    tls = own_certificate(settings.folder, settings.web_host, datetime.now(UTC))
    assert tls.key.stat().st_mode & 0o077 == 0
    listening = listen("127.0.0.1", 0, "SMARTSTORE_WEB_PORT")
    up = asyncio.Event()
    app = create_web(settings, _LAYOUT, Hub(settings, _LAYOUT), pairing)
    server = PageServer(app, up.set, tls)
    serving = asyncio.create_task(server.serve(sockets=[listening]))
    await asyncio.wait_for(up.wait(), 10)
    trusted = ssl.create_default_context(cafile=str(tls.certificate))
    url = f"https://127.0.0.1:{listening.getsockname()[1]}"
    try:
        async with httpx.AsyncClient(verify=trusted, base_url=url) as phone:
            for path in ("/today", "/api/live", "/today.csv", "/api/events", "/static/page.js"):
                assert (await phone.get(path)).status_code == 401
            assert (await phone.get("/")).headers["location"] == "/pair"
            assert (await phone.get("/pair")).status_code == 200
            assert (await phone.post("/pair", json={"code": "00000000"})).status_code == 403
            code = pairing.offer(_now_ms())
            assert (await phone.post("/pair", json={"code": code})).status_code == 200
            assert (await phone.get("/api/live")).status_code == 200
            assert (await phone.post("/pair", json={"code": code})).status_code == 403
        async with httpx.AsyncClient(verify=trusted, base_url=url) as other:
            assert (await other.get("/api/live")).status_code == 401
        assert pairing.forget() == 1
    finally:
        server.should_exit = True
        await serving
        listening.close()


def _now_ms() -> int:
    return int(datetime.now(UTC).timestamp() * 1000)
