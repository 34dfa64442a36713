"""The log of a long-running process: standard error, as lines for people or as JSON, and the same
complaint only now and then."""

import json
import logging
import sys
from datetime import UTC, datetime
from typing import Literal

#: How a line of the log looks.
LogFormat = Literal["text", "json"]

#: What a line about a record tells beside its text, where it was logged with it as `extra`.
_OF_A_RECORD = ("topic", "partition", "offset")

#: A server that is away is complained of by every client and at every attempt.
_REPEAT_AFTER_S = 60.0
#: Different complaints that are remembered.
_REMEMBERED = 200


class Repeats(logging.Filter):
    """Lets a logger say the same again only after a while."""

    def __init__(self, repeat_after_s: float = _REPEAT_AFTER_S) -> None:
        super().__init__()
        self._repeat_after_s = repeat_after_s
        self._said_at_s: dict[tuple[str, str], float] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        """See `logging.Filter`."""
        said = (record.name, record.getMessage())
        last_s = self._said_at_s.get(said)
        if last_s is not None and record.created - last_s < self._repeat_after_s:
            return False
        if len(self._said_at_s) >= _REMEMBERED:
            self._said_at_s.clear()
        self._said_at_s[said] = record.created
        return True


class JsonLines(logging.Formatter):
    """One JSON object a line: time (UTC), level, logger, message, where it is about a record its
    topic, partition and offset, and the traceback of an exception.
    """

    def format(self, record: logging.LogRecord) -> str:
        """See `logging.Formatter`."""
        at = datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds")
        told: dict[str, object] = {
            "time": at,
            "level": record.levelname,
            "logger": record.name,
            "message": record.getMessage(),
        }
        told |= {name: getattr(record, name) for name in _OF_A_RECORD if hasattr(record, name)}
        if record.exc_info:
            told["exception"] = self.formatException(record.exc_info)
        return json.dumps(told, ensure_ascii=False, default=str)


_TEXT = logging.Formatter("%(asctime)s %(levelname)s %(name)s: %(message)s")


def log_to_stderr(form: LogFormat = "text") -> None:
    """For a process that runs long. A command that does one thing says all in its one sentence."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonLines() if form == "json" else _TEXT)
    handler.addFilter(Repeats())
    logging.basicConfig(level=logging.WARNING, handlers=[handler], force=True)
    # Each of our processes says in its own words that a broker is away.
    logging.getLogger("aiokafka").addFilter(_no_connect_line)


def _no_connect_line(record: logging.LogRecord) -> bool:
    return not str(record.msg).startswith("Unable connect to")


def stay_quiet() -> None:
    """Nothing but the command's own words, unless somebody has set up a log already."""
    if not logging.root.handlers:
        logging.root.addHandler(logging.NullHandler())
