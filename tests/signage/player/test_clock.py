"""The player's clock on a machine whose own jumps, stands wrong, or is set right."""

from dataclasses import dataclass

import pytest

from signage.player.clock import Reading, SteadyClock

T0 = 1_700_000_000_000
HOUR_MS = 3_600_000


@dataclass
class Machine:
    """True time passes; the machine's clock is `off` by something."""

    true_ms: int = T0
    off_ms: int = 0
    boot_ms: int = 0

    def read(self) -> Reading:
        return Reading(self.true_ms + self.off_ms, self.boot_ms, self.boot_ms)

    def after(self, ms: int) -> "Machine":
        self.true_ms += ms
        self.boot_ms += ms
        return self


@pytest.mark.parametrize("jump_ms", [HOUR_MS, -HOUR_MS, 5_000, -86_400_000])
def test_a_jump_moves_no_time_and_is_told(jump_ms: int) -> None:
    machine = Machine()
    clock = SteadyClock(machine.read, "boot")
    machine.after(10_000).off_ms = jump_ms
    assert clock().wall_ms == T0 + 10_000
    machine.after(50_000)
    assert clock().wall_ms == T0 + 60_000
    assert clock.note is not None
    assert f"{jump_ms / 1000:+.0f} s" in clock.note


def test_a_clock_that_jumps_back_is_believed_again() -> None:
    machine = Machine()
    clock = SteadyClock(machine.read, "boot")
    for off_ms in (HOUR_MS, 0):
        machine.after(1_000).off_ms = off_ms
        clock()
    assert clock.note is None
    assert clock().wall_ms == machine.true_ms


def test_a_clock_that_is_slewed_is_followed() -> None:
    machine = Machine()
    clock = SteadyClock(machine.read, "boot")
    for _ in range(100):
        machine.after(10_000).off_ms += 5
        clock()
    assert clock().wall_ms == machine.true_ms + 500
    assert clock.note is None


def test_the_log_says_that_the_jump_was_a_correction() -> None:
    machine = Machine(off_ms=-HOUR_MS)
    clock = SteadyClock(machine.read, "boot")
    machine.after(1_000).off_ms = 0
    assert clock().wall_ms == machine.true_ms - HOUR_MS
    clock.logged(machine.true_ms - 20)
    assert clock().wall_ms == machine.true_ms
    assert clock.note is None


def test_a_clock_that_is_behind_follows_the_log_at_once() -> None:
    """A record cannot arrive before it was written."""
    machine = Machine(off_ms=-600_000)
    clock = SteadyClock(machine.read, "boot")
    clock.logged(machine.true_ms)
    assert clock().wall_ms == machine.true_ms
    assert clock.note is not None
    assert "-600 s off" in clock.note


def test_a_clock_that_is_ahead_wants_three_witnesses() -> None:
    """One record may just have been late, and so may all that waited with it."""
    machine = Machine(off_ms=600_000)
    clock = SteadyClock(machine.read, "boot")
    for _ in range(5):
        clock.logged(machine.true_ms)  # within the same moment: one witness
    assert clock().wall_ms == machine.true_ms + 600_000
    for _ in range(2):
        machine.after(2_000)
        clock.logged(machine.true_ms)
    assert clock().wall_ms == machine.true_ms
    assert clock.note is not None


def test_late_records_move_nothing() -> None:
    machine = Machine()
    clock = SteadyClock(machine.read, "boot")
    for late_ms in (600_000, 400_000, 200_000, 90_000, 15_000):
        machine.after(2_000)
        clock.logged(machine.true_ms - late_ms)
    assert clock().wall_ms == machine.true_ms
    assert clock.note is None


def test_a_restart_with_a_wrong_clock_goes_on_from_what_was_known() -> None:
    machine = Machine()
    kept = SteadyClock(machine.read, "boot").anchor()
    machine.after(120_000).off_ms = HOUR_MS
    clock = SteadyClock(machine.read, "boot")
    clock.resume(kept)
    assert clock().wall_ms == machine.true_ms
    assert clock.note is not None


def test_a_machine_without_a_battery_is_never_before_what_was_known() -> None:
    machine = Machine()
    kept = SteadyClock(machine.read, "one boot").anchor()
    machine.after(60_000)
    machine.boot_ms, machine.off_ms = 5_000, -T0
    clock = SteadyClock(machine.read, "another boot")
    clock.resume(kept)
    assert T0 <= clock().wall_ms <= machine.true_ms
    assert clock.note is not None
    clock.logged(machine.true_ms)
    assert clock().wall_ms == machine.true_ms


def test_a_machine_that_starts_anew_with_a_right_clock_is_believed() -> None:
    machine = Machine()
    kept = SteadyClock(machine.read, "one boot").anchor()
    machine.after(8 * HOUR_MS).boot_ms = 0
    clock = SteadyClock(machine.read, "another boot")
    clock.resume(kept)
    assert clock().wall_ms == machine.true_ms
    assert clock.note is None
