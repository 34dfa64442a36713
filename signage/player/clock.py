"""The time that a player's proofs carry, on a machine whose clock may be wrong.

The machine's clock is believed at the start and followed while it runs evenly. Where it jumps, time
goes on by the clock that counts since the boot, and every proof says so, until the log tells which
of the two is right. Durations never come from here: they are monotonic.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from msgspec import Struct

from signage.player.programme import Now

#: A slewed clock (NTP: 0.5 ms a second at the most) never changes so much between two looks.
JUMP_MS = 1_000
#: What a record's stamp and its arrival may differ by on a busy machine.
LOG_TOLERANCE_MS = 10_000
#: A look that was interrupted for longer than this would read the clocks at different times.
_LOOK_MS = 20
_LOOKS = 5
#: A clock that starts this far behind the last time that was known has lost its battery.
_BEHIND_MS = 60_000
#: The log must say so often, this far apart, that our clock is ahead: one record may just be late.
_WITNESSES = 3
_WITNESS_EVERY_MS = 1_000
_WITNESSES_AGREE_MS = 2_000

_BOOT_ID = Path("/proc/sys/kernel/random/boot_id")


@dataclass(frozen=True, slots=True)
class Reading:
    """One look at the machine's clocks: UTC epoch, monotonic, and since the boot (which also counts
    while the machine sleeps)."""

    wall_ms: int
    mono_ms: int
    boot_ms: int


class Anchor(Struct, frozen=True, kw_only=True):
    """What outlives a player: UTC is `boot_ms + offset_ms` within the boot `boot_id`; it was
    `last_ms` when this was kept."""

    boot_id: str
    offset_ms: int
    last_ms: int


def system_reading() -> Reading:
    """This machine's clocks, at one moment: a busy machine may take the processor away between."""
    boot = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)
    reading = Reading(0, 0, 0)
    for _ in range(_LOOKS):
        began_ms = time.monotonic_ns() // 1_000_000
        reading = Reading(
            wall_ms=time.time_ns() // 1_000_000,
            boot_ms=time.clock_gettime_ns(boot) // 1_000_000,
            mono_ms=time.monotonic_ns() // 1_000_000,
        )
        if reading.mono_ms - began_ms <= _LOOK_MS:
            break
    return reading


def system_boot_id() -> str:
    """Tells one boot of this machine from another; empty where the system does not say."""
    try:
        return _BOOT_ID.read_text().strip()
    except OSError:
        return ""


class SteadyClock:
    """The player's clock: call it for `Now`. `note` says what is wrong with the machine's."""

    def __init__(
        self, read: Callable[[], Reading] = system_reading, boot_id: str | None = None
    ) -> None:
        self._read = read
        self._boot_id = system_boot_id() if boot_id is None else boot_id
        first = read()
        self._seen_ms = self._offset_ms = first.wall_ms - first.boot_ms
        self._witnesses: list[tuple[int, int]] = []
        self.note: str | None = None
        self.jumps = 0

    def __call__(self) -> Now:
        reading = self._look()
        return Now(reading.boot_ms + self._offset_ms, reading.mono_ms)

    def _look(self) -> Reading:
        reading = self._read()
        machine_ms = reading.wall_ms - reading.boot_ms
        change_ms, self._seen_ms = machine_ms - self._seen_ms, machine_ms
        if abs(change_ms) < JUMP_MS:
            self._offset_ms += change_ms
            return reading
        self.jumps += 1
        self._witnesses.clear()
        if abs(machine_ms - self._offset_ms) < JUMP_MS:
            self._offset_ms, self.note = machine_ms, None
        else:
            self.note = _jumped(machine_ms - self._offset_ms)
        return reading

    def anchor(self) -> Anchor:
        """What to keep for a player that comes after this one."""
        now = self()
        return Anchor(boot_id=self._boot_id, offset_ms=self._offset_ms, last_ms=now.wall_ms)

    def resume(self, anchor: Anchor) -> None:
        """Go on from what an earlier player kept."""
        reading = self._look()
        if self._boot_id and anchor.boot_id == self._boot_id:
            ahead_ms = self._seen_ms - anchor.offset_ms
            # Slewing since it was kept is no jump: 0.5 ms a second make 1.8 s an hour.
            if abs(ahead_ms) > _BEHIND_MS:
                self._offset_ms, self.note = anchor.offset_ms, _jumped(ahead_ms)
        elif reading.wall_ms < anchor.last_ms - _BEHIND_MS:
            behind_s = (anchor.last_ms - reading.wall_ms) / 1_000
            self._offset_ms = anchor.last_ms - reading.boot_ms
            self.note = (
                f"the machine started with a clock {behind_s:.0f} s behind the last time known; "
                "times go on from that one and may be early"
            )

    def logged(self, at_ms: int) -> None:
        """A record that has just arrived was stamped `at_ms` by whoever wrote it."""
        reading = self._look()
        ahead_ms = reading.boot_ms + self._offset_ms - at_ms
        if ahead_ms < -LOG_TOLERANCE_MS:
            self._follow_log(reading, at_ms)  # it was written before it arrived: we are behind
        elif ahead_ms <= LOG_TOLERANCE_MS:
            self._witnesses.clear()
            if self.note is not None and not self._machine_agrees(reading, at_ms):
                self.note = (
                    f"the machine's clock is {(reading.wall_ms - at_ms) / 1_000:+.0f} s off; times "
                    "are those of the log"
                )
            elif self.note is not None:
                self._offset_ms, self.note = self._seen_ms, None
        else:
            self._witness(reading, ahead_ms, at_ms)

    def _witness(self, reading: Reading, ahead_ms: int, at_ms: int) -> None:
        """We seem to be ahead, or the record was late: three that agree, a second apart, decide."""
        seen = self._witnesses
        if seen and abs(seen[-1][1] - ahead_ms) > _WITNESSES_AGREE_MS:
            seen.clear()
        if not seen or reading.boot_ms - seen[-1][0] >= _WITNESS_EVERY_MS:
            seen.append((reading.boot_ms, ahead_ms))
        if len(seen) >= _WITNESSES:
            self._follow_log(reading, at_ms)

    def _follow_log(self, reading: Reading, at_ms: int) -> None:
        self._witnesses.clear()
        if self._machine_agrees(reading, at_ms):
            self._offset_ms, self.note = self._seen_ms, None  # the jump had set it right
            return
        self._offset_ms = at_ms - reading.boot_ms
        self.note = (
            f"the machine's clock is {(reading.wall_ms - at_ms) / 1_000:+.0f} s off; times are "
            "those of the log"
        )

    def _machine_agrees(self, reading: Reading, at_ms: int) -> bool:
        return abs(reading.wall_ms - at_ms) <= LOG_TOLERANCE_MS


def _jumped(by_ms: int) -> str:
    return (
        f"the machine's clock jumped by {by_ms / 1_000:+.0f} s; times go on by the clock that "
        "counts since the boot"
    )
