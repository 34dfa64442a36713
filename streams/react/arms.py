"""Which arm a screen is in now: of the store's newest plan, or of what the settings say. Pure."""

from dataclasses import dataclass
from typing import Protocol

from streams.contracts.experiment import Experiment, ExperimentPlan
from streams.contracts.signage import Arm

#: A slot of a store without an experiment: decisions are counted by the hour.
_SLOT_MS = 3_600_000


@dataclass(frozen=True, slots=True)
class Drawn:
    """The arm of a unit, with what probability it was drawn, and by which experiment."""

    arm: Arm
    probability: float
    slot_start_ms: int
    experiment_id: str | None = None


class Arms(Protocol):
    """Draws arms."""

    def drawn(self, store_id: str, screen_id: str, at_ms: int) -> Drawn:
        """The arm of a screen at `at_ms`."""
        ...


class FixedArms:
    """One experiment for good."""

    def __init__(self, experiment: Experiment) -> None:
        self._experiment = experiment

    def drawn(self, store_id: str, screen_id: str, at_ms: int) -> Drawn:
        """See `Arms`."""
        arm = self._experiment.arm(store_id, at_ms, screen_id)
        return Drawn(arm, self._experiment.probability(arm), self._experiment.slot_start_ms(at_ms))


class FollowedArms:
    """The newest plan that was told of the store; outside its time control, for certain.

    Until one is told, `without` draws; None: control, for certain.
    """

    def __init__(self, store_id: str, without: Experiment | None) -> None:
        self._store_id = store_id
        self._without = None if without is None else FixedArms(without)
        self._plan: ExperimentPlan | None = None

    @property
    def plan(self) -> ExperimentPlan | None:
        """The plan that is followed."""
        return self._plan

    def take(self, store_id: str, plan: ExperimentPlan | None) -> None:
        """The newest plan of a store; None: it was deleted. One of another store is not ours."""
        if store_id == self._store_id:
            self._plan = plan

    def drawn(self, store_id: str, screen_id: str, at_ms: int) -> Drawn:
        """See `Arms`."""
        if self._plan is None:
            if self._without is not None:
                return self._without.drawn(store_id, screen_id, at_ms)
            return Drawn("control", 1.0, at_ms - at_ms % _SLOT_MS)
        arm, probability = self._plan.arm(at_ms, screen_id)
        slot_start_ms = at_ms - at_ms % self._plan.slot_ms
        return Drawn(arm, probability, slot_start_ms, self._plan.experiment_id)
