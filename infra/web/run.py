"""The page's process."""

import asyncio
import logging
from collections.abc import Callable
from datetime import UTC, datetime

from infra.web.app import create_web
from infra.web.hub import Hub
from infra.web.serve import PageServer, listen
from infra.web.settings import WebSettings
from signage.player.certificate import own_certificate
from signage.player.pairing import Pairing
from streams.contracts.layout import StoreLayout

_LOG = logging.getLogger(__name__)


async def run_web(
    settings: WebSettings, layout: StoreLayout, *, stop: asyncio.Event, ready: Callable[[], None]
) -> None:
    """Serve the page until `stop` is set. `ready` is called when it can be opened.

    Raises:
        PortTakenError: the address cannot be listened on.
        PairingError: the certificate cannot be made or read.
    """
    tls = pairing = None
    if settings.paired:
        tls = own_certificate(settings.folder, settings.web_host, datetime.now(UTC))
        pairing = Pairing(settings.folder)
        _LOG.warning(
            "the pages are open to paired browsers alone, over TLS; `smartstore pages pair` prints "
            "a code, and the certificate's fingerprint is %s",
            tls.fingerprint,
        )
    listening = listen(settings.web_host, settings.web_port, "SMARTSTORE_WEB_PORT")
    hub = Hub(settings, layout)
    server = PageServer(create_web(settings, layout, hub, pairing), ready, tls)
    try:
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(hub.run(stop))
            tasks.create_task(server.serve(sockets=[listening]))
            await stop.wait()
            server.should_exit = True
    finally:
        listening.close()
