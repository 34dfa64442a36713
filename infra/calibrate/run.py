"""Serves the calibration's pages beside the camera that they show."""

import asyncio
from collections.abc import Callable

from fastapi import FastAPI

from infra.calibrate.app import create_calibration, create_walk, new_key
from infra.calibrate.session import Session, WalkSession
from infra.web.serve import PageServer, listen
from vision.errors import CaptureError
from vision.ports import Detector, FrameSource

_LOOPBACK = ("127.0.0.1", "localhost", "::1")

#: How often the prompts are looked at for the terminal.
_TICK_S = 0.1

Say = Callable[[str], None]


async def run_page(
    session: Session, host: str, port: int, *, stop: asyncio.Event, opened: Say
) -> None:
    """Serve the page for points until `stop` is set; `opened` is given its address.

    Raises:
        CaptureError: the camera gave no picture.
        PortTakenError: the address cannot be listened on.
    """
    key = "" if host in _LOOPBACK else new_key()
    async with asyncio.TaskGroup() as tasks:
        follow = tasks.create_task(session.pictures.run())
        first = asyncio.ensure_future(session.pictures.first())
        stopping = asyncio.ensure_future(stop.wait())
        done, _ = await asyncio.wait((follow, first, stopping), return_when=asyncio.FIRST_COMPLETED)
        if first not in done and not stop.is_set():
            first.cancel()
            stopping.cancel()
            follow.result()
            raise CaptureError("the camera gave no picture; see that it is switched on")
        await _serve(create_calibration(session, key), host, port, key, stop, opened)
        for task in (follow, first, stopping):
            task.cancel()


async def run_walk_page(
    session: WalkSession,
    detector: Detector,
    source: FrameSource,
    host: str,
    port: int,
    *,
    stop: asyncio.Event,
    opened: Say,
    say: Say,
) -> None:
    """A walk test with a person: prompts on the page and in the terminal; ends with its verdict,
    or with `stop`.

    Raises:
        CaptureError, DetectorError, PortTakenError: it cannot be done.
    """
    key = "" if host in _LOOPBACK else new_key()
    finish = asyncio.Event()
    async with asyncio.TaskGroup() as tasks:
        camera = tasks.create_task(session.test.run(detector, source, stop=finish))
        page = tasks.create_task(_serve(create_walk(session, key), host, port, key, finish, opened))
        prompts = tasks.create_task(_prompt(session, say))
        stopping = tasks.create_task(stop.wait())
        await asyncio.wait((prompts, stopping, camera), return_when=asyncio.FIRST_COMPLETED)
        ended = camera.done() and not prompts.done() and not stop.is_set()
        if prompts.done():
            # The page fetches its verdict.
            await asyncio.sleep(1.0)
        finish.set()
        prompts.cancel()
        stopping.cancel()
        await asyncio.wait((camera, page))
    if ended:
        raise CaptureError(
            "the camera's pictures ended before the walk test did; name a live camera"
        )


async def _prompt(session: WalkSession, say: Say) -> None:
    """Tells the prompts as they come; returns once the verdict is there."""
    last: object = None
    stood = ""
    while not session.over.is_set():
        state = session.state()
        prompt = (state["phase"] == "ready", state.get("number"))
        if state["phase"] in ("ready", "turn", "hold") and prompt != last:
            last = prompt
            if state["stand"] != stood:
                stood = state["stand"]
                say(stood)
            if state["face"]:
                say(f"  {state['number']:>2}/{state['prompts']}  Face {state['face']}.")
        await asyncio.sleep(_TICK_S)


async def _serve(
    app: FastAPI, host: str, port: int, key: str, stop: asyncio.Event, opened: Say
) -> None:
    listening = listen(host, port, "--port")
    shown = f"[{host}]" if ":" in host else host
    address = f"http://{shown}:{listening.getsockname()[1]}/"
    server = PageServer(app, lambda: opened(address + (f"#{key}" if key else "")))
    try:
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(server.serve(sockets=[listening]))
            await stop.wait()
            server.should_exit = True
    finally:
        listening.close()
