"""Starts a program so that it cannot outlive the process that owns it, as another user if asked.

Run as a file by `infra.stack.process`, never imported, and before anything else: so it uses the
standard library alone and starts in milliseconds (`python -I -S launch.py`).

    launch.py OWNER_PID DEATH_SIGNAL UID GID PROGRAM [ARGUMENT...]

The death signal is asked for after the change of user, since that change clears it, and it holds
over `exec`. Reference: prctl(2), PR_SET_PDEATHSIG.
"""

import ctypes
import os
import resource
import signal
import sys

_PR_SET_PDEATHSIG = 1

#: What a shell answers for a program that cannot be started.
_CANNOT_START = 127


def main(argv: list[str]) -> int:
    """Becomes the program. Returns only when that failed."""
    owner, death_signal, uid, gid = (int(word) for word in argv[1:5])
    program = argv[5:]
    # Logs, data and shared memory (which may hold frames) are for this user alone.
    os.umask(0o077)
    # Nor on a disk, should it crash: see `infra.dumps`, which says why it is one byte.
    _, hard = resource.getrlimit(resource.RLIMIT_CORE)
    least = 1 if hard == resource.RLIM_INFINITY else min(1, hard)
    resource.setrlimit(resource.RLIMIT_CORE, (least, least))
    if uid >= 0:
        os.setgroups([])
        os.setgid(gid)
        os.setuid(uid)
    if ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, death_signal, 0, 0, 0) != 0:
        sys.stderr.write(f"launch: prctl failed: {os.strerror(ctypes.get_errno())}\n")
        return _CANNOT_START
    # The owner may have died before the request was in force: then nobody would tell us.
    if os.getppid() != owner:
        return _CANNOT_START
    # Python ignores these two, and what is ignored stays ignored over exec.
    signal.signal(signal.SIGPIPE, signal.SIG_DFL)
    signal.signal(signal.SIGXFSZ, signal.SIG_DFL)
    try:
        os.execvp(program[0], program)  # noqa: S606 - no shell is the point
    except OSError as error:
        sys.stderr.write(f"launch: cannot start {program[0]}: {error.strerror}\n")
    return _CANNOT_START


if __name__ == "__main__":
    sys.exit(main(sys.argv))
