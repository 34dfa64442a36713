"""The gateway's wall clock, for whoever is not given another."""

import time


def wall_ms() -> int:
    """Now, in UTC epoch milliseconds."""
    return time.time_ns() // 1_000_000
