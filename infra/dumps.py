"""No core dumps: the memory of a process may hold a frame, and a dump would put it on a disk.

Uses the standard library alone, since every command calls it first.
"""

import resource


def forbid_core_dumps() -> None:
    """For this process and all that it starts.

    A limit of 0 keeps the kernel from writing a file, but not from handing the memory to a program
    that keeps dumps (a core_pattern that begins with a bar); a limit of one byte forbids both.

    Reference: core(5), and `do_coredump` in the kernel's fs/coredump.c.
    """
    _, hard = resource.getrlimit(resource.RLIMIT_CORE)
    least = 1 if hard == resource.RLIM_INFINITY else min(1, hard)
    resource.setrlimit(resource.RLIMIT_CORE, (least, least))
