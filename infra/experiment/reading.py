"""The slots of an experiment out of the database: sums by slot, never a single basket.

Late receipts count: sums are taken anew each time, from aggregates that hold them. A receipt that
closes within the washout of its slot belongs to no arm. A slot counts once it is over, and if
anything was sold in it: else the store was closed, or its till told nothing.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, LiteralString
from zoneinfo import ZoneInfo

import msgspec
import numpy as np
import psycopg

from infra.experiment.errors import ExperimentError
from streams.contracts.experiment import BASKET_OUTCOMES, ExperimentPlan
from streams.contracts.layout import StoreLayout
from streams.uplift.analysis import Slots

DAY_MS = 86_400_000
_MINUTE_MS = 60_000

# From aggregates, where slot and washout are whole minutes.
_BASKETS: LiteralString = """
    SELECT extract(epoch FROM slot_start)::bigint * 1000 / %(slot_ms)s, basket_value, basket_units,
           transactions
    FROM baskets_by_slot(%(store_id)s, %(begin)s, %(end)s, %(slot)s, %(washout)s)
    WHERE currency = %(currency)s AND simulated = %(simulated)s
"""

_LINES: LiteralString = """
    SELECT extract(epoch FROM slot_start)::bigint * 1000 / %(slot_ms)s, sum(net_value), sum(units)
    FROM lines_by_slot(%(store_id)s, %(begin)s, %(end)s, %(slot)s, %(washout)s, %(skus)s,
                       %(categories)s, %(all)s)
    WHERE currency IN (%(currency)s, '') AND simulated = %(simulated)s
    GROUP BY 1
"""

# From the rows, where they are not: the slots of a demo.
_BASKET_ROWS: LiteralString = """
    SELECT at_ms / %(slot_ms)s, sum(basket_value), sum(basket_units), sum(transactions)
    FROM (SELECT *, (extract(epoch FROM closed_at) * 1000)::bigint AS at_ms FROM baskets) AS b
    WHERE store_id = %(store_id)s AND closed_at >= %(begin)s AND closed_at < %(end)s
      AND currency = %(currency)s AND simulated = %(simulated)s
      AND at_ms %% %(slot_ms)s >= %(washout_ms)s
    GROUP BY 1
"""

_LINE_ROWS: LiteralString = """
    SELECT at_ms / %(slot_ms)s, sum(net_value), sum(units)
    FROM (SELECT *, (extract(epoch FROM closed_at) * 1000)::bigint AS at_ms FROM basket_lines) AS b
    WHERE store_id = %(store_id)s AND closed_at >= %(begin)s AND closed_at < %(end)s
      AND currency IN (%(currency)s, '') AND simulated = %(simulated)s
      AND (sku = ANY(%(skus)s) OR category = ANY(%(categories)s) OR %(all)s)
      AND at_ms %% %(slot_ms)s >= %(washout_ms)s
    GROUP BY 1
"""

_CURRENCY: LiteralString = """
    SELECT currency FROM baskets_between(%(begin)s, %(end)s)
    WHERE store_id = %(store_id)s AND simulated = %(simulated)s
    GROUP BY currency ORDER BY sum(receipts) DESC, currency LIMIT 1
"""

# A slot lies within its buckets of an hour and those behind them.
_DECIDED: LiteralString = """
    SELECT DISTINCT screen_id, slot_start, arm FROM v_decisions_by_slot
    WHERE store_id = %(store_id)s AND experiment_id = %(experiment_id)s
      AND slot_start >= %(begin)s AND slot_start < %(end)s
      AND bucket >= %(begin)s - interval '1 hour' AND bucket < %(end)s
"""


@dataclass(frozen=True, slots=True)
class Read:
    """What was read for one experiment: its slots, those before it, and what they are of.

    `units` are the stores (or screens) that `Slots.store` counts; `per_day` the slots a day over
    all of them; `mismatched` slots whose decisions had another arm than was drawn.
    """

    during: Slots
    before: Slots
    units: tuple[str, ...]
    days: int
    per_day: float
    mismatched: int
    baskets_before: int
    currency: str | None


@dataclass(slots=True)
class _Rows:
    """Slots as they are gathered."""

    rows: list[tuple[int, int, int, int, bool, float, float, bool, bool]]

    def slots(self) -> Slots:
        columns = list(zip(*self.rows, strict=True)) or [()] * 9

        def of(number: int, kind: type) -> Any:
            return np.array(columns[number], dtype=kind)

        return Slots(
            store=of(0, np.int64),
            day=of(1, np.int64),
            weekday=of(2, np.int64),
            hour=of(3, np.int64),
            adaptive=of(4, np.bool_),
            amount=of(5, np.float64),
            base=of(6, np.float64),
            follows=of(7, np.bool_),
            before=of(8, np.bool_),
        )


def plans_in(connection: psycopg.Connection[Any]) -> list[ExperimentPlan]:
    """All plans that the database knows, the newest first."""
    rows = connection.execute("SELECT plan FROM experiments ORDER BY approved_at DESC").fetchall()
    return [msgspec.convert(plan, ExperimentPlan, strict=False) for (plan,) in rows]


def read_experiment(
    connection: psycopg.Connection[Any],
    plans: Sequence[ExperimentPlan],
    now_ms: int,
    layouts: Mapping[str, StoreLayout] | None = None,
) -> Read:
    """The slots of the plans of one experiment, one plan a store.

    Arguments:
        layouts: by store, for their time zones (else UTC) and, where screens are drawn one by one,
            for what stands before each screen.

    Raises:
        ExperimentError: the screens are drawn one by one, and the store's layout is not given.
    """
    during, before = _Rows([]), _Rows([])
    units: list[str] = []
    mismatched = counted = 0
    begin_ms = min(plan.starts_at_ms for plan in plans)
    currency = None
    open_slots = 0.0
    for plan in plans:
        layout = (layouts or {}).get(plan.store_id)
        read = _Store(connection, plan, layout, begin_ms, now_ms)
        for screen_id, categories in _units(plan, layout):
            unit = len(units)
            units.append(screen_id or plan.store_id)
            baskets, per_day = read.gather(during, before, unit, screen_id, categories)
            counted, open_slots = counted + baskets, open_slots + per_day
        mismatched += read.mismatched()
        currency = currency or read.currency
    end_ms = max(min(plan.closed_at_ms or now_ms, now_ms) for plan in plans)
    days = max(0, -(-(end_ms - begin_ms) // DAY_MS))
    slots = during.slots()
    if slots.size:
        days = max(days, int(slots.day.max()) + 1)
    return Read(
        slots, before.slots(), tuple(units), days, open_slots, mismatched, counted, currency
    )


def _units(
    plan: ExperimentPlan, layout: StoreLayout | None
) -> Iterable[tuple[str | None, tuple[str, ...]]]:
    """What is drawn in a store: the store, or its screens with the categories before each.

    Raises ExperimentError where that takes a layout, and there is none.
    """
    if plan.unit == "store-slot":
        return [(None, plan.categories)]
    if layout is None:
        raise ExperimentError(
            f"the screens of {plan.store_id} are drawn one by one, and which products stand before "
            "them is in the store's layout; name it with --layout or SMARTSTORE_LAYOUT"
        )
    found = []
    for screen in layout.screens:
        near = {zone.category for zone in layout.zones if zone.area_id == screen.area_id}
        wanted = [each for each in plan.categories if each in near] if plan.categories else near
        found.append((screen.screen_id, tuple(sorted(each for each in wanted if each))))
    return found


class _Store:
    """One store's receipts."""

    def __init__(
        self,
        connection: psycopg.Connection[Any],
        plan: ExperimentPlan,
        layout: StoreLayout | None,
        begin_ms: int,
        now_ms: int,
    ) -> None:
        self._connection, self._plan, self._begin_ms = connection, plan, begin_ms
        self._zone = ZoneInfo(layout.time_zone if layout is not None else "UTC")
        self._draw = plan.experiment()
        closed = plan.closed_at_ms
        end_ms = now_ms if closed is None else min(closed, now_ms)
        self._end_ms = end_ms - end_ms % plan.slot_ms
        before_ms = plan.starts_at_ms - plan.pre_ms
        self._before_ms = before_ms + -before_ms % plan.slot_ms
        self._bounds: dict[str, Any] = {
            "store_id": plan.store_id,
            "experiment_id": plan.experiment_id,
            "slot_ms": plan.slot_ms,
            "washout_ms": plan.washout_ms,
            "simulated": plan.simulated,
            "slot": timedelta(milliseconds=plan.slot_ms),
            "washout": timedelta(milliseconds=plan.washout_ms),
            "begin": _moment(self._before_ms),
            "end": _moment(max(self._end_ms, self._before_ms)),
        }
        row = connection.execute(_CURRENCY, self._bounds).fetchone()
        self.currency: str | None = None if row is None else str(row[0])
        self._bounds["currency"] = self.currency or ""

    def gather(
        self,
        during: _Rows,
        before: _Rows,
        unit: int,
        screen_id: str | None,
        categories: tuple[str, ...],
    ) -> tuple[int, float]:
        """Adds the slots of a unit; returns baskets before the start, and open slots a day."""
        plan = self._plan
        baskets = self._sums(_BASKETS if self._whole_minutes else _BASKET_ROWS, {})
        # Before its first receipt the till was not connected.
        hours = {slot: self._local(slot) for slot in self._all(min(baskets, default=0))}
        opened = {hours[slot] for slot in baskets if slot in hours}
        figures = self._figures(baskets, categories)
        previous: bool | None = None
        for slot, when in hours.items():
            start_ms = slot * plan.slot_ms
            past, previous = previous, None
            if start_ms >= plan.starts_at_ms:
                previous = self._draw.arm(plan.store_id, start_ms, screen_id) == "adaptive"
            # Nothing was sold: the store was closed, or its till told nothing.
            if slot not in baskets:
                continue
            amount, base = figures[slot]
            if previous is None:
                day = (start_ms - self._before_ms) // DAY_MS
                before.rows.append((unit, day, *when, False, amount, base, False, False))
                continue
            follows = past is not None and slot - 1 in baskets
            day = (start_ms - self._begin_ms) // DAY_MS
            during.rows.append((unit, day, *when, previous, amount, base, follows, bool(past)))
        first = plan.starts_at_ms // plan.slot_ms
        sold = sum(int(each[2]) for slot, each in baskets.items() if slot < first)
        return sold, self._per_day(hours, opened)

    def _figures(
        self, baskets: Mapping[int, tuple[Any, ...]], categories: tuple[str, ...]
    ) -> dict[int, tuple[float, float]]:
        """Amount and base of each slot in which anything was sold."""
        plan = self._plan
        number = 0 if plan.outcome.endswith("value") else 1
        if plan.outcome in BASKET_OUTCOMES:
            return {slot: (float(each[number]), float(each[2])) for slot, each in baskets.items()}
        wanted = {
            "skus": list(plan.skus),
            "categories": list(categories),
            "all": not (plan.skus or categories),
        }
        lines = self._sums(_LINES if self._whole_minutes else _LINE_ROWS, wanted)
        minutes = (plan.slot_ms - plan.washout_ms) / _MINUTE_MS
        return {slot: (float(lines.get(slot, (0, 0))[number]), minutes) for slot in baskets}

    @property
    def _whole_minutes(self) -> bool:
        """Whether the aggregates by minute can tell its slots apart."""
        return self._plan.slot_ms % _MINUTE_MS == 0 == self._plan.washout_ms % _MINUTE_MS

    def mismatched(self) -> int:
        """Slots in which a screen followed another arm than the one drawn."""
        bounds = {**self._bounds, "begin": _moment(self._plan.starts_at_ms)}
        wrong = set()
        for screen_id, slot_start, arm in self._connection.execute(_DECIDED, bounds):
            start_ms = round(slot_start.timestamp() * 1_000)
            if start_ms >= self._end_ms or not self._plan.running(start_ms):
                continue
            if self._draw.arm(self._plan.store_id, start_ms, screen_id) != arm:
                wrong.add((screen_id, start_ms))
        return len(wrong)

    def _sums(self, query: LiteralString, more: dict[str, Any]) -> dict[int, tuple[Any, ...]]:
        found = self._connection.execute(query, {**self._bounds, **more}).fetchall()
        return {int(slot): tuple(values) for slot, *values in found}

    def _all(self, since: int) -> range:
        slot_ms = self._plan.slot_ms
        first = max(self._before_ms // slot_ms, min(since, self._plan.starts_at_ms // slot_ms))
        return range(first, max(self._end_ms // slot_ms, first))

    def _local(self, slot: int) -> tuple[int, int]:
        """Weekday (Monday 0) and hour at which a slot begins, in the store."""
        when = datetime.fromtimestamp(slot * self._plan.slot_ms / 1_000, self._zone)
        return when.weekday(), when.hour

    def _per_day(self, hours: Mapping[int, tuple[int, int]], opened: set[tuple[int, int]]) -> float:
        """Open slots of a usual day."""
        total = sum(1 for when in hours.values() if when in opened)
        days = len(hours) * self._plan.slot_ms / DAY_MS
        return total / days if days > 0.0 else 0.0


def _moment(at_ms: int) -> datetime:
    return datetime.fromtimestamp(at_ms / 1_000, UTC)
