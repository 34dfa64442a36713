"""Basket metrics in tumbling windows of event time, by store, arm and currency. Pure.

A window is the set of the baskets closed in it, so the order of arrival and repeats change nothing;
it is told again when a later basket changes it. It lies in one slot of its store's experiment:
where a slot ends, the window ends too.
"""

from collections import Counter
from dataclasses import dataclass, field
from decimal import Decimal
from math import gcd

from streams.contracts.attention import BasketWindow
from streams.contracts.experiment import Experiment
from streams.contracts.pos import Basket
from streams.contracts.signage import Arm
from streams.core.slots import Slot, Slots
from streams.core.watermark import Watermarks
from streams.core.windows import Outcome

#: A window must lie within one slot of the experiment; shorter ones than this are a mistake.
_SHORTEST_WINDOW_MS = 1_000

#: No receipt holds a line of a trillion; a sum of such would lose its cents.
_MOST_UNITS_OR_VALUE = Decimal(10) ** 12

#: Wrong clocks and strange currencies may not make more windows than these.
_MOST_WINDOWS = 100_000

_Key = tuple[str, int, Arm, str]


@dataclass(slots=True)
class _Window:
    end_ms: int
    slot: Slot
    baskets: dict[str, Basket] = field(default_factory=dict)
    late: set[str] = field(default_factory=set)
    through: int = 0


def fitting_window_ms(window_ms: int, slot_ms: int) -> int:
    """The longest window up to `window_ms` that divides both it and the slot, so that every basket
    of a window was sold in one arm.

    >>> fitting_window_ms(60_000, 20_000), fitting_window_ms(60_000, 3_600_000)
    (20000, 60000)
    """
    fitting = gcd(window_ms, slot_ms)
    if fitting < _SHORTEST_WINDOW_MS:
        raise ValueError(
            f"basket windows of {window_ms} ms and slots of {slot_ms} ms have no common measure of "
            "a second or more: make one a multiple of the other"
        )
    return fitting


class BasketWindows:
    """The basket windows of one partition's stores; the same terms as `AttentionWindows`."""

    def __init__(
        self,
        experiment: Experiment | Slots,
        *,
        window_ms: int,
        lateness_ms: int,
        keep_ms: int,
        floor_ms: int = 0,
    ) -> None:
        self._slots = experiment if isinstance(experiment, Slots) else Slots(experiment)
        self._window_ms = fitting_window_ms(window_ms, self._slots.slot_ms)
        self._lateness_ms = lateness_ms
        self._keep_ms = keep_ms
        self._floor_ms = floor_ms
        self._watermarks = Watermarks()
        self._clocks_ms: dict[str, int] = {}
        self._windows: dict[_Key, _Window] = {}
        self._changed: set[_Key] = set()
        self._leaving: list[BasketWindow] = []
        self.outcomes: Counter[Outcome] = Counter()
        #: Baskets with a stamp from the future: they moved the clocks less far than they say, and
        #: are in no window.
        self.clamped = 0

    def add(self, basket: Basket, log: str, offset: int, horizon_ms: int) -> Outcome:
        """Takes a basket in; the store is the source whose watermark tells what is late. A stamp
        beyond `horizon_ms` is a wrong clock's and moves no clock further than that.

        Raises ValueError for a line whose numbers no till prints.
        """
        for line in basket.lines:
            if max(abs(line.units), abs(line.net_value)) >= _MOST_UNITS_OR_VALUE:
                raise ValueError(
                    f"basket {basket.basket_id!r} has {line.units} units for {line.net_value} of "
                    f"{line.sku!r}: no till prints such numbers, so mend the producer"
                )
        outcome = self._add(basket, log, offset, horizon_ms)
        self.outcomes[outcome] += 1
        return outcome

    def _add(self, basket: Basket, log: str, offset: int, horizon_ms: int) -> Outcome:
        store_id, at_ms = basket.store_id, basket.closed_at_ms
        self._watermarks.observe(log, store_id, min(at_ms, horizon_ms))
        self._advance(store_id, min(at_ms, horizon_ms))
        if at_ms > horizon_ms:
            self.clamped += 1
            return "dropped"
        slot = self._slots.of(store_id, at_ms)
        tumbling = at_ms - at_ms % self._window_ms
        start = max(tumbling, slot.start_ms)
        if not self._is_kept(store_id, start):
            return "dropped"
        key = (store_id, start, slot.arm, basket.currency)
        if key not in self._windows and len(self._windows) >= _MOST_WINDOWS:
            return "dropped"
        end_ms = min(tumbling + self._window_ms, slot.end_ms)
        window = self._windows.setdefault(key, _Window(end_ms, slot))
        if basket.basket_id in window.baskets or basket.basket_id in window.late:
            return "repeated"
        late = self._watermarks.is_late(
            log,
            store_id,
            window_end_ms=window.end_ms,
            lateness_ms=self._lateness_ms,
        )
        if late:
            window.late.add(basket.basket_id)
        else:
            window.baskets[basket.basket_id] = basket
        window.through = max(window.through, offset + 1)
        self._changed.add(key)
        return "late" if late else "added"

    @property
    def watermarks(self) -> Watermarks:
        """How far each till's store has told."""
        return self._watermarks

    def sizes(self) -> dict[str, int]:
        """How much is kept."""
        baskets = sum(len(each.baskets) + len(each.late) for each in self._windows.values())
        return {"basket_windows": len(self._windows), "baskets": baskets}

    def changed(self) -> list[BasketWindow]:
        """The windows that changed since the last call."""
        rows = self._leaving
        self._leaving = []
        rows.extend(self._row(key) for key in sorted(self._changed))
        self._changed.clear()
        return rows

    def mark_all_changed(self) -> None:
        """All windows that are kept will be told (again)."""
        self._leaving = []
        self._changed = set(self._windows)

    def mark_changed(self, rows: list[BasketWindow]) -> None:
        """`rows` could not be told: they will be told again."""
        for row in rows:
            key = (row.store_id, row.window_start_ms, row.arm, row.currency)
            if key in self._windows:
                self._changed.add(key)
            else:
                self._leaving.append(row)

    def _is_kept(self, store_id: str, start: int) -> bool:
        expired = start + self._window_ms + self._keep_ms <= self._clocks_ms.get(store_id, 0)
        return not expired and start >= self._floor_ms

    def _advance(self, store_id: str, at_ms: int) -> None:
        """Moves the store's clock and lets go of the windows that are over for good."""
        clock_ms = self._clocks_ms.get(store_id, 0)
        if at_ms <= clock_ms:
            return
        self._clocks_ms[store_id] = at_ms
        if at_ms // self._window_ms == clock_ms // self._window_ms:
            return
        for key in [k for k in self._windows if k[0] == store_id]:
            if not self._is_kept(store_id, key[1]):
                if key in self._changed:
                    self._leaving.append(self._row(key))
                    self._changed.discard(key)
                del self._windows[key]

    def _row(self, key: _Key) -> BasketWindow:
        store_id, start, arm, currency = key
        window = self._windows[key]
        kinds = Counter(basket.kind for basket in window.baskets.values())
        lines = [line for basket in window.baskets.values() for line in basket.lines]
        categories: dict[str, Decimal] = {}
        for line in sorted(lines, key=lambda each: each.category):
            categories[line.category] = categories.get(line.category, Decimal(0)) + line.units
        return BasketWindow(
            store_id=store_id,
            window_start_ms=start,
            window_end_ms=window.end_ms,
            slot_start_ms=window.slot.start_ms,
            arm=arm,
            currency=currency,
            transactions=max(0, kinds["sale"] - kinds["void"]),
            basket_units=sum((line.units for line in lines), Decimal(0)),
            basket_value=sum((line.net_value for line in lines), Decimal(0)),
            category_units=categories,
            late=len(window.late),
            simulated=any(basket.simulated for basket in window.baskets.values()),
            through_offset=window.through,
            returns=kinds["return"],
            voids=kinds["void"],
            experiment_id=window.slot.experiment_id,
        )
