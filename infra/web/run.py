"""The page's process."""

import asyncio
from collections.abc import Callable

from infra.web.app import create_web
from infra.web.hub import Hub
from infra.web.serve import PageServer, listen
from infra.web.settings import WebSettings
from streams.contracts.layout import StoreLayout


async def run_web(
    settings: WebSettings, layout: StoreLayout, *, stop: asyncio.Event, ready: Callable[[], None]
) -> None:
    """Serve the page until `stop` is set. `ready` is called when it can be opened.

    Raises:
        PortTakenError: the address cannot be listened on.
    """
    listening = listen(settings.web_host, settings.web_port, "SMARTSTORE_WEB_PORT")
    hub = Hub(settings, layout)
    server = PageServer(create_web(settings, layout, hub), ready)
    try:
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(hub.run(stop))
            tasks.create_task(server.serve(sockets=[listening]))
            await stop.wait()
            server.should_exit = True
    finally:
        listening.close()
