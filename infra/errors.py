"""What the command line tells a user who made a mistake, and how every such sentence looks.

UserError        one sentence: what, why, how to mend; exit code 2 and no traceback
└── Interrupted  stopped by the user before it was done; exit code 130, as shells have it

Standard library alone.
"""

import errno
import re

#: A plain word at the beginning, as opposed to a path, an option or a variable's name.
_WORD_FIRST = re.compile(r"[a-z]+(?=[ ,;:'])")

_FULL = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})


class UserError(Exception):
    """A mistake that the user can mend; its text is the sentence they read."""


class Interrupted(UserError):
    """The user stopped it before it was done."""


def sentence(text: str) -> str:
    """`text` as one line that begins with a capital and ends with a full stop.

    Names of files and texts of servers come in as they are, so what cannot be printed is replaced.

    >>> sentence("the file a\\nb is no video;  name another")
    'The file a b is no video; name another.'
    >>> sentence("SMARTSTORE_KAFKA is not set; set it.")
    'SMARTSTORE_KAFKA is not set; set it.'
    """
    line = " ".join(text.split()).rstrip(".") + "."
    line = "".join(c if c.isprintable() else "?" for c in line)
    return line[0].upper() + line[1:] if _WORD_FIRST.match(line) else line


def os_sentence(error: OSError, what: str | None = None) -> str:
    """What the operating system refused, why and how to mend it; `what` names it if it did not.

    >>> os_sentence(OSError(errno.ENOSPC, "No space left on device", "/data/log"))
    'There is no room for /data/log (No space left on device); free some or name another place.'
    """
    name = what or (str(error.filename) if error.filename is not None else "what was to be written")
    reason = error.strerror or type(error).__name__
    if isinstance(error, ConnectionError | TimeoutError):
        text = f"a server did not answer ({reason}); look with `smartstore doctor` which one"
    elif error.errno in _FULL:
        text = f"there is no room for {name} ({reason}); free some or name another place"
    elif isinstance(error, PermissionError):
        text = f"{name} may not be used by this user ({reason}); mend its permissions"
    else:
        text = f"{name} cannot be used ({reason}); name another place"
    return sentence(text)
