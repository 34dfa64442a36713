"""The command line `smartstore`. A user's mistake is one sentence and exit code 2.

The commands are imported when they are run, so that Ctrl-C is answered from the beginning.
"""

import os
import re
import sys
from collections.abc import Iterator

from infra.db.errors import SchemaError
from infra.dumps import forbid_core_dumps
from infra.errors import Interrupted, UserError, os_sentence, sentence
from infra.exports.errors import ExportError
from infra.receipts.errors import ReceiptsError
from infra.simulator.errors import SimulatorError
from infra.stack.errors import StackError
from infra.triton.errors import DetectorModelError
from infra.web.errors import WebError
from signage.errors import SignageError
from streams.contracts.errors import ContractError
from streams.errors import StreamsError
from streams.sink.errors import SinkError
from vision.errors import VisionError

#: The roots of every package's errors: their texts are written for people.
_SENTENCES = (
    UserError,
    StackError,
    DetectorModelError,
    SchemaError,
    ReceiptsError,
    SignageError,
    SimulatorError,
    ContractError,
    StreamsError,
    SinkError,
    VisionError,
    WebError,
    ExportError,
)

_MISTAKE = 2
#: As shells have it: 128 and the number of SIGINT.
_INTERRUPTED = 130

_STOPPED = "interrupted; nothing was left running, start it again when you like"


def main() -> None:
    """Runs the command line; the entry point of `smartstore`."""
    forbid_core_dumps()
    try:
        code = _run()
    except SystemExit:
        raise
    except KeyboardInterrupt:
        code = _refuse(_STOPPED, _INTERRUPTED)
    except BaseException as error:
        told = _told(error)
        if told is None:
            raise
        code = _refuse(told, _INTERRUPTED if isinstance(error, Interrupted) else _MISTAKE)
    sys.exit(code)


def _run() -> int:
    # Here and not above: these imports take most of a second on a small machine.
    from infra.commands.logs import stay_quiet
    from infra.commands.tree import UsageMistake, command_line

    stay_quiet()
    try:
        code = command_line().main(prog_name="smartstore", standalone_mode=False)
    except UsageMistake as mistake:
        return _misused(mistake)
    if code == _INTERRUPTED:
        raise KeyboardInterrupt
    _flush()
    return code if isinstance(code, int) else 0


def _misused(mistake: object) -> int:
    """What Typer has to say about the words of a command line."""
    context = getattr(mistake, "ctx", None)
    command = context.command_path if context is not None else "smartstore"
    said = str(getattr(mistake, "format_message", mistake.__str__)())
    if type(mistake).__name__ == "NoArgsIsHelpError":
        # Typer has shown what there is to whoever names nothing.
        sys.stderr.write(said and said + "\n")
        return _MISTAKE
    said = re.sub(r"\. Did you mean (.+)\?$", r" (did you mean \1?)", said).rstrip(".")
    return _refuse(f"{said}; see `{command} --help`", _MISTAKE)


def _told(error: BaseException) -> str | None:
    """The sentence of an error that a user can mend; None for what is a fault of ours."""
    causes = list(_leaves(error))
    for cause in causes:
        if isinstance(cause, _SENTENCES):
            return str(cause)
    cause = causes[0]
    if isinstance(cause, OSError) and cause.errno is not None:
        return os_sentence(cause)
    return _server_away(cause)


def _leaves(error: BaseException) -> Iterator[BaseException]:
    """The errors of a group of tasks, or the one that there is."""
    if isinstance(error, BaseExceptionGroup):
        for each in error.exceptions:
            yield from _leaves(each)
    else:
        yield error


def _server_away(error: BaseException) -> str | None:
    """A server that went away where nobody waits for it. Its library is not imported for this."""
    said = (str(error).strip() or type(error).__name__).splitlines()[0]
    kafka, psycopg = sys.modules.get("aiokafka.errors"), sys.modules.get("psycopg")
    if kafka is not None and isinstance(error, kafka.KafkaError) and error.retriable:
        return f"the broker went away ({said}); see that it runs and start again"
    if psycopg is not None and isinstance(error, psycopg.OperationalError):
        return f"the database went away ({said}); see that it runs and start again"
    return None


def _flush() -> None:
    """Says so when what was printed did not get through. Raises UserError."""
    try:
        sys.stdout.flush()
    except OSError as error:
        # Python would try again at its end, and fail aloud.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        if isinstance(error, BrokenPipeError):
            return
        raise UserError(os_sentence(error, "what is printed")) from error


def _refuse(text: str, code: int) -> int:
    sys.stderr.write(f"smartstore: {sentence(text)}\n")
    return code
