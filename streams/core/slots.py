"""The slot and the arm of a moment of a store: of its newest plan, else of what the settings say.

Pure. A plan whose screens are drawn one by one leaves the store's baskets in no arm of their own:
they count as control, under no experiment.
"""

from typing import NamedTuple

from streams.contracts.experiment import Experiment, ExperimentPlan
from streams.contracts.signage import Arm

#: A store without an experiment counts by the hour.
_SLOT_MS = 3_600_000


class Slot(NamedTuple):
    """`[start_ms, end_ms)` is in `arm`; `experiment_id` names the plan that drew it."""

    start_ms: int
    end_ms: int
    arm: Arm
    experiment_id: str | None = None


class Slots:
    """The slots of all stores. `without` draws until a store has a plan; None: all is control."""

    def __init__(self, without: Experiment | None) -> None:
        self._without = without
        self._plans: dict[str, ExperimentPlan] = {}

    @property
    def slot_ms(self) -> int:
        """The length of a slot of a store that has no plan."""
        return _SLOT_MS if self._without is None else self._without.slot_ms

    def take(self, store_id: str, plan: ExperimentPlan | None) -> None:
        """The newest plan of a store; None: it was deleted."""
        if plan is None:
            self._plans.pop(store_id, None)
        else:
            self._plans[store_id] = plan

    def of(self, store_id: str, at_ms: int) -> Slot:
        """The slot that holds `at_ms`.

        >>> Slots(None).of("s", 3_600_001)
        Slot(start_ms=3600000, end_ms=7200000, arm='control', experiment_id=None)
        """
        plan = self._plans.get(store_id)
        if plan is None:
            start_ms = at_ms - at_ms % self.slot_ms
            arm: Arm = "control" if self._without is None else self._without.arm(store_id, at_ms)
            return Slot(start_ms, start_ms + self.slot_ms, arm)
        start_ms = at_ms - at_ms % plan.slot_ms
        end_ms = start_ms + plan.slot_ms
        if plan.unit != "store-slot" or not plan.running(at_ms):
            return Slot(start_ms, end_ms, "control")
        return Slot(start_ms, end_ms, plan.arm(at_ms)[0], plan.experiment_id)
