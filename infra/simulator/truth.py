"""The truth of the simulated store as typed lines, and the file that holds them: one JSON line for
each visit, stay, gaze and crossing that is over.

Every line says that it is simulated. No picture and nothing of a real person is in it.
"""

from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import IO, Literal, Self

import msgspec
from msgspec import Struct

from infra.simulator.errors import TruthFileError
from infra.simulator.people import Kind
from infra.simulator.scenario import Scenario
from infra.simulator.visit import Visit
from streams.contracts.layout import Place
from streams.contracts.vision import TargetKind


class _Line(Struct, frozen=True, kw_only=True, tag_field="kind"):
    """A line of the file; times are UTC epoch ms."""

    simulated: Literal[True] = True


class TrueRun(_Line, frozen=True, kw_only=True, tag="run"):
    """What was simulated. `signage_effect` is the true effect of signage on baskets, as a share."""

    store_id: str
    area_id: str
    seed: int
    start_ms: int
    signage_effect: float


class TrueVisit(_Line, frozen=True, kw_only=True, tag="visit"):
    """A shopper came into the aisle and left it. `censored`: the simulation ended before.

    What groups figures are told by: `who` it is, by `height_m`, `hat`, `mask`, `staff`, in a party
    of how many, `passing` without a stop, in a crowd of which `density`. `staff_area`: was in one.
    """

    person_id: str
    entered_at_ms: int
    left_at_ms: int
    censored: bool = False
    who: Kind = "adult"
    height_m: float | None = None
    hat: bool = False
    mask: bool = False
    staff: bool = False
    staff_area: bool = False
    party_id: str | None = None
    party_size: int = 1
    passing: bool = False
    density: str | None = None


class TrueStay(_Line, frozen=True, kw_only=True, tag="stay"):
    """A stretch of a visit within the floor of a zone or screen, however short. `opportunity_ms`:
    the part of it in which place and heading let the shopper see it.
    """

    person_id: str
    target_id: str
    target_kind: TargetKind
    entered_at_ms: int
    left_at_ms: int
    opportunity_ms: int | None = None
    censored: bool = False


class TrueGaze(_Line, frozen=True, kw_only=True, tag="gaze"):
    """A stretch of a visit in which the eyes rest on a target. `aim`: on which place of it first,
    in metres in the area; `distance_m`: from the eyes to there.
    """

    person_id: str
    target_id: str
    target_kind: TargetKind
    started_at_ms: int
    ended_at_ms: int
    censored: bool = False
    aim: Place | None = None
    distance_m: float | None = None


class TrueCrossing(_Line, frozen=True, kw_only=True, tag="crossing"):
    """A shopper crossed a line at a door."""

    person_id: str
    line_id: str
    direction: Literal["in", "out"]
    crossed_at_ms: int


Truth = TrueRun | TrueVisit | TrueStay | TrueGaze | TrueCrossing

_ENCODER = msgspec.json.Encoder()
_DECODER = msgspec.json.Decoder(Truth)


def truth_of(scenario: Scenario, visit: Visit, until_ms: int) -> Iterator[Truth]:
    """The lines of one visit; what goes on at `until_ms` ends there and is marked as censored."""
    screens = {screen.target_id for screen in scenario.stage.screens}
    if visit.enter_ms >= until_ms:
        return
    yield TrueVisit(
        person_id=visit.person_id,
        entered_at_ms=visit.enter_ms,
        left_at_ms=min(visit.leave_ms, until_ms),
        censored=visit.leave_ms > until_ms,
    )
    for stay in scenario.stays(visit):
        if stay.from_ms < until_ms:
            yield TrueStay(
                person_id=visit.person_id,
                target_id=stay.target_id,
                target_kind="zone",
                entered_at_ms=stay.from_ms,
                left_at_ms=min(stay.to_ms, until_ms),
                censored=stay.to_ms > until_ms,
            )
    for gaze in visit.gazes:
        if gaze.from_ms < until_ms and gaze.target_id is not None:
            yield TrueGaze(
                person_id=visit.person_id,
                target_id=gaze.target_id,
                target_kind="screen" if gaze.target_id in screens else "zone",
                started_at_ms=gaze.from_ms,
                ended_at_ms=min(gaze.to_ms, until_ms),
                censored=gaze.to_ms > until_ms,
            )


def read_truth(path: Path) -> list[Truth]:
    """The lines of a truth file. Raises TruthFileError."""
    try:
        return [_DECODER.decode(line) for line in path.read_bytes().splitlines()]
    except (OSError, msgspec.DecodeError) as error:
        raise TruthFileError(
            f"The truth file {path} cannot be read ({error}); name one that the simulated store "
            "has written."
        ) from error


class TruthWriter:
    """Appends what is over to a truth file. A context manager; raises TruthFileError.

    Visits that were over before `from_ms` are left out: a restarted simulator goes on where the
    one before it was.
    """

    def __init__(
        self, path: Path, scenario: Scenario, from_ms: int, signage_effect: float = 0.0
    ) -> None:
        self._path, self._scenario, self._signage_effect = path, scenario, signage_effect
        self._next = max(0, (from_ms - scenario.start_ms) // scenario.every_ms - 1)
        self._from_ms = from_ms
        self._file: IO[bytes] | None = None

    def __enter__(self) -> Self:
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            self._file = self._path.open("ab")
        except OSError as error:
            raise self._failed(error) from error
        stage = self._scenario.stage
        self._write(
            TrueRun(
                store_id=stage.store_id,
                area_id=stage.area_id,
                seed=self._scenario.seed,
                start_ms=self._scenario.start_ms,
                signage_effect=self._signage_effect,
            )
        )
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self._file is not None:
            self._file.close()
            self._file = None

    def write_until(self, at_ms: int) -> None:
        """Write the visits that are over at a time, in their order."""
        while (visit := self._scenario.visit(self._next)) is not None and visit.leave_ms <= at_ms:
            self._next += 1
            if visit.leave_ms > self._from_ms:
                self._write(*truth_of(self._scenario, visit, at_ms))

    def finish(self, at_ms: int) -> None:
        """Write what is over, and cut short what is not."""
        self.write_until(at_ms)
        number = self._next
        while (visit := self._scenario.visit(number)) is not None and visit.enter_ms < at_ms:
            self._write(*truth_of(self._scenario, visit, at_ms))
            number += 1
        self._next = number

    def _write(self, *lines: Truth) -> None:
        if self._file is None:
            raise RuntimeError("the truth file is written within its `with` block")
        try:
            self._file.write(b"".join(_ENCODER.encode(line) + b"\n" for line in lines))
            self._file.flush()
        except OSError as error:
            raise self._failed(error) from error

    def _failed(self, error: OSError) -> TruthFileError:
        return TruthFileError(
            f"The truth file {self._path} cannot be written ({error.strerror}); name another place "
            "with SMARTSTORE_TRUTH_FILE, or leave it away."
        )
