"""The slots of an experiment from aggregates are those of the rows: of any length, whatever came
late, was brought back or taken back, before and after the aggregates were filled.
"""

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from typing import Any

import numpy as np
import psycopg
import pytest
from msgspec.structs import replace
from psycopg import sql
from pydantic import SecretStr

from infra.bench.queries.filling import STORE, Filling, fill
from infra.db.continuous import is_timescale
from infra.db.migrate import migrate
from infra.experiment.reading import Read, read_experiment
from streams.contracts.experiment import ExperimentPlan

pytestmark = [pytest.mark.stack]

_UNTIL = datetime(2026, 11, 20, 13, 17, 5, tzinfo=UTC)
_NOW_MS = int(_UNTIL.timestamp() * 1_000)
_MINUTE_MS = 60_000
_HOUR_MS = 60 * _MINUTE_MS

PLAN = ExperimentPlan(
    experiment_id="slots",
    store_id=STORE,
    unit="store-slot",
    salt="slots",
    slot_ms=30 * _MINUTE_MS,
    washout_ms=5 * _MINUTE_MS,
    adaptive_share=0.5,
    outcome="basket_value",
    starts_at_ms=_NOW_MS - 20 * _HOUR_MS,
    ends_at_ms=None,
    approved_by="Ada Lovelace",
    approved_at_ms=_NOW_MS - 30 * _HOUR_MS,
    hypothesis="Sums are sums.",
    pre_ms=28 * _HOUR_MS,
    simulated=True,
    true_effect=0.0,
)

#: Slots shorter and longer than an hour, of hours and of parts of them, with and without a washout.
_PLANS = [
    replace(PLAN, **different)
    for different in (
        {},
        {"slot_ms": 2 * _HOUR_MS, "washout_ms": 30 * _MINUTE_MS},
        {"slot_ms": 90 * _MINUTE_MS, "washout_ms": 0, "outcome": "basket_units"},
        {"slot_ms": 6 * _HOUR_MS, "washout_ms": 61 * _MINUTE_MS},
        {"slot_ms": 7 * _MINUTE_MS, "washout_ms": _MINUTE_MS, "outcome": "product_units"},
        {"slot_ms": 45_500, "washout_ms": 1_250},
        {"slot_ms": 3 * _HOUR_MS, "outcome": "product_value", "categories": ("category-1",)},
        {"outcome": "product_value", "skus": ("sku-3", "sku-9", "sku-27")},
        {
            "slot_ms": 4 * _HOUR_MS,
            "outcome": "product_units",
            "skus": ("sku-3", "sku-9"),
            "categories": ("category-2", "category-3"),
        },
    )
]

Connection = psycopg.Connection[Any]


@pytest.fixture
def database(empty_database: SecretStr) -> Iterator[Connection]:
    migrate(empty_database, lambda _: None)
    with psycopg.connect(empty_database.get_secret_value(), autocommit=True) as connection:
        yield connection


def _refresh(connection: Connection, most: int | None = None) -> None:
    """All of it, or on plain PostgreSQL a part."""
    if not is_timescale(connection):
        while True:
            row = connection.execute("SELECT aggregates_refresh(%s)", [most or 1_440]).fetchone()
            if most is not None or row is None or not row[0]:
                return
    for (name,) in connection.execute(
        "SELECT view_name::text FROM timescaledb_information.continuous_aggregates "
        "ORDER BY position(right(view_name::text, 2) IN '1m1h1d')"
    ).fetchall():
        connection.execute(
            sql.SQL("CALL refresh_continuous_aggregate({}, NULL, NULL)").format(sql.Literal(name))
        )


_BASKETS = """
SELECT slot, sum(basket_value), sum(basket_units), sum(transactions) FROM (
    SELECT *, (extract(epoch FROM closed_at) * 1000)::bigint / %(slot_ms)s AS slot,
           (extract(epoch FROM closed_at) * 1000)::bigint %% %(slot_ms)s AS within FROM baskets
) AS b
WHERE store_id = %(store)s AND currency = 'EUR' AND simulated AND within >= %(washout_ms)s
  AND slot >= %(first)s AND slot < %(last)s GROUP BY slot ORDER BY slot
"""

_LINES = """
SELECT slot, sum(net_value), sum(units) FROM (
    SELECT *, (extract(epoch FROM closed_at) * 1000)::bigint / %(slot_ms)s AS slot,
           (extract(epoch FROM closed_at) * 1000)::bigint %% %(slot_ms)s AS within FROM basket_lines
) AS b
WHERE store_id = %(store)s AND currency IN ('EUR', '') AND simulated AND within >= %(washout_ms)s
  AND slot >= %(first)s AND slot < %(last)s
  AND (sku = ANY(%(skus)s) OR category = ANY(%(categories)s)
       OR cardinality(%(skus)s::text[]) + cardinality(%(categories)s::text[]) = 0)
GROUP BY slot ORDER BY slot
"""

_DECIDED = """
SELECT DISTINCT screen_id, (extract(epoch FROM slot_start) * 1000)::bigint, arm FROM decisions
WHERE store_id = %(store)s AND experiment_id = 'slots'
"""


def _of_rows(connection: Connection, plan: ExperimentPlan) -> tuple[Sequence[Any], set[Any]]:
    """By slot what is told of it, and the screens' slots with another arm than was drawn."""
    before_ms = plan.starts_at_ms - plan.pre_ms
    given = {
        "store": plan.store_id,
        "slot_ms": plan.slot_ms,
        "washout_ms": plan.washout_ms,
        "first": -(-before_ms // plan.slot_ms),
        "last": _NOW_MS // plan.slot_ms,
        "skus": list(plan.skus),
        "categories": list(plan.categories),
    }
    baskets = connection.execute(sql.SQL(_BASKETS), given).fetchall()
    number = 1 if plan.outcome.endswith("value") else 2
    if plan.outcome.startswith("basket"):
        told = [(row[0], float(row[number]), float(row[3])) for row in baskets]
    else:
        lines = {row[0]: row for row in connection.execute(sql.SQL(_LINES), given).fetchall()}
        minutes = (plan.slot_ms - plan.washout_ms) / _MINUTE_MS
        told = [
            (row[0], float(lines[row[0]][number]) if row[0] in lines else 0.0, minutes)
            for row in baskets
        ]
    wrong = {
        (screen, start_ms)
        for screen, start_ms, arm in connection.execute(sql.SQL(_DECIDED), given)
        if plan.running(start_ms)
        and start_ms < given["last"] * plan.slot_ms
        and plan.experiment().arm(plan.store_id, start_ms, screen) != arm
    }
    return told, wrong


def _assert_equal(connection: Connection) -> None:
    for plan in _PLANS:
        read: Read = read_experiment(connection, [plan], _NOW_MS)
        told, wrong = _of_rows(connection, plan)
        assert read.currency == "EUR"
        assert len(told) > 5
        first = -(-plan.starts_at_ms // plan.slot_ms)
        for slots, expected in (
            (read.before, [row for row in told if row[0] < first]),
            (read.during, [row for row in told if row[0] >= first]),
        ):
            assert np.array_equal(slots.amount, np.array([row[1] for row in expected])), plan
            assert np.array_equal(slots.base, np.array([row[2] for row in expected])), plan
        assert read.mismatched == len(wrong) > 0, plan


def test_slots_from_aggregates_are_those_of_the_rows(database: Connection) -> None:
    until = _UNTIL.isoformat()
    fill(database, Filling(rows=20_000, days=2, until=until))
    database.execute("UPDATE decisions SET experiment_id = 'slots' WHERE decision_id LIKE '%%3'")
    kinds = database.execute("SELECT DISTINCT kind FROM baskets").fetchall()
    assert {kind for (kind,) in kinds} == {"sale", "return", "void"}
    plain = not is_timescale(database)
    if plain:
        _assert_equal(database)  # nothing is rolled up
        _refresh(database, 300)
        _assert_equal(database)  # a part is
    _refresh(database)
    _assert_equal(database)
    # What comes late, and a receipt that is taken back after its slot was told.
    fill(database, Filling(rows=5_000, days=1.5, until=until, seed=0.2, name="late"))
    for statement in _TAKE_BACK:
        assert database.execute(statement).rowcount > 0
    if not plain:
        _refresh(database)
    _assert_equal(database)
    _refresh(database)
    _assert_equal(database)
    if plain:
        assert database.execute("SELECT count(*) FROM aggregate_dirty").fetchone() == (0,)


_TAKE_BACK = (
    "INSERT INTO baskets (store_id, area_id, basket_id, closed_at, currency, basket_units, "
    "basket_value, simulated, kind, transactions, voids) "
    "SELECT store_id, area_id, 'void-' || basket_id, closed_at, currency, -basket_units, "
    "-basket_value, simulated, 'void', -1, basket_id FROM baskets "
    "WHERE kind = 'sale' AND basket_id LIKE '%7'",
    "INSERT INTO basket_lines (store_id, basket_id, closed_at, line_no, sku, category, units, "
    "net_value, currency, simulated) SELECT store_id, 'void-' || basket_id, closed_at, line_no, "
    "sku, category, -units, -net_value, currency, simulated FROM basket_lines "
    "WHERE basket_id LIKE '%7'",
)
