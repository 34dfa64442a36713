"""Runs a Faust application in this process until it is told to stop."""

import asyncio
import logging
import os
import signal
import sys
import threading

import faust

from streams.faust_app import StreamsApp

log = logging.getLogger(__name__)

#: A client whose broker is away says so ten times a second, for each of its partitions.
_REPEAT_AFTER_S = 10.0

#: Exit codes: a graceful stop, a crash, a stop that took too long.
_OK, _CRASHED, _CUT_SHORT = 0, 1, 1


def run_worker(app: StreamsApp, *, loglevel: str = "WARNING") -> int:
    """Blocks until SIGTERM or SIGINT, then stops gracefully: reads no more, tells what is left,
    stores its offsets. Returns the exit code. Must be called in the main thread.
    """
    _log_to_stderr(loglevel)
    app.conf.datadir.mkdir(parents=True, exist_ok=True)
    loop = asyncio.new_event_loop()
    asyncio.set_event_loop(loop)
    worker = _Worker(app, loop, loglevel)
    try:
        worker.execute_from_commandline()
    except SystemExit as ended:
        return _OK if ended.code in (None, 0) else _CRASHED
    except Exception:
        log.exception("%s crashed", app.conf.id)
        return _CRASHED
    finally:
        asyncio.set_event_loop(None)


class _Worker(faust.Worker):
    """Faust's worker, without a spinner, a renamed process or signals besides the two."""

    def __init__(self, app: StreamsApp, loop: asyncio.AbstractEventLoop, loglevel: str) -> None:
        super().__init__(
            app,
            loop=loop,
            loglevel=loglevel,
            quiet=True,
            redirect_stdouts=False,
            override_logging=False,
        )
        self.spinner = None
        self._streams_app = app

    def _setproctitle(self, info: str, *, ident: str = "") -> None:
        """Keeps the name that the process was started with."""

    def _install_signal_handlers_unix(self) -> None:
        self.loop.add_signal_handler(signal.SIGINT, self._on_sigterm)
        self.loop.add_signal_handler(signal.SIGTERM, self._on_sigterm)

    def _on_sigterm(self) -> None:
        self._end_anyway()
        super()._on_sigterm()

    def _end_anyway(self) -> None:
        """A broker that is away must not keep the process from ending."""
        timer = threading.Timer(self._streams_app.stop_deadline_s, _cut_short)
        timer.daemon = True
        timer.start()


def _cut_short() -> None:
    log.error("the stop took too long and was cut short: what was not stored is read again")
    logging.shutdown()
    os._exit(_CUT_SHORT)


class Seldom(logging.Filter):
    """Lets the Kafka client's loggers speak once in a while each; all others as they like."""

    def __init__(self, repeat_after_s: float = _REPEAT_AFTER_S) -> None:
        super().__init__()
        self._repeat_after_s = repeat_after_s
        self._spoke_at_s: dict[str, float] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        """See `logging.Filter`."""
        if not record.name.startswith("aiokafka"):
            return True
        last_s = self._spoke_at_s.get(record.name)
        if last_s is not None and record.created - last_s < self._repeat_after_s:
            return False
        self._spoke_at_s[record.name] = record.created
        return True


def _log_to_stderr(loglevel: str) -> None:
    """One handler, unless the command line has set up its own."""
    if not logging.root.handlers:
        logging.basicConfig(
            level=loglevel,
            stream=sys.stderr,
            format="%(asctime)s %(levelname)s %(name)s: %(message)s",
        )
    for handler in logging.root.handlers:
        handler.addFilter(Seldom())
