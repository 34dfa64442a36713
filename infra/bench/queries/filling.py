"""Fills a database with invented rows of all kinds, made by the database itself: quick, and the
same for the same seed. For benchmarks and tests of the aggregates alone; it says `simulated`.
"""

from dataclasses import dataclass
from typing import Any, LiteralString

import psycopg

STORE = "bench-store"

#: Of each table its share of all rows, about as a store with 8 zones, 4 screens and 400 baskets a
#: day has them.
_SHARES: dict[str, float] = {
    "presence": 0.24,
    "gaze": 0.24,
    "dwell": 0.10,
    "attention": 0.08,
    "crossings": 0.04,
    "exposures": 0.05,
    "plays": 0.05,
    "decisions": 0.05,
    "baskets": 0.02,
    "basket_lines": 0.12,
    "basket_metrics": 0.01,
}


@dataclass(frozen=True, slots=True)
class Filling:
    """How much: `rows` in all, over `days` that end `until` (a timestamptz in text).

    `name` parts the ids of one filling from those of another.
    """

    rows: int
    days: float
    until: str
    seed: float = 0.5
    name: str = "fill"
    store: str = STORE

    def rows_of(self, table: str) -> int:
        """How many rows a table gets."""
        return max(1, round(self.rows * _SHARES[table]))


# In each, n runs over the rows and `at` is a random moment of the days. An opening time would give
# days a shape; for the cost of a query it changes nothing.
_ROWS: dict[str, LiteralString] = {
    "presence": """
        INSERT INTO presence (presence_id, store_id, area_id, gateway_id, camera_id, track_id,
                              target_id, target_kind, entered_at, left_at, opportunity_ms, watched)
        SELECT %(name)s || n, %(store)s, 'aisle', 'gw', 'cam-' || n %% 4, 'track-' || n,
               'target-' || n %% 12, CASE WHEN n %% 12 < 8 THEN 'zone' ELSE 'screen' END, at,
               at + (1000 + random() * 40000)::int * interval '1 millisecond',
               CASE WHEN n %% 10 < 8 THEN greatest(0, random() * 6000 - 2000)::int END,
               CASE WHEN n %% 10 < 9 THEN random() < 0.3 END""",
    "gaze": """
        INSERT INTO gaze (gaze_id, store_id, area_id, gateway_id, track_id, camera_id, target_id,
                          target_kind, probability, started_at, ended_at, attention_ms, distance_m,
                          censored, calibration_version, cause_id, captured_at, inferred_at,
                          sent_at)
        SELECT %(name)s || n, %(store)s, 'aisle', 'gw', 'track-' || n, 'cam-' || n %% 4,
               'target-' || n %% 12, CASE WHEN n %% 12 < 8 THEN 'zone' ELSE 'screen' END,
               random(), at, at + interval '3 seconds', (random() * 3000)::int, 1.5, false, 'c',
               %(name)s || n, at, at, at""",
    "dwell": """
        INSERT INTO dwell (dwell_id, store_id, area_id, gateway_id, track_id, camera_id, zone_id,
                           entered_at, left_at, censored, calibration_version, cause_id,
                           captured_at, inferred_at, sent_at)
        SELECT %(name)s || n, %(store)s, 'aisle', 'gw', 'track-' || n, 'cam-' || n %% 4,
               'target-' || n %% 8, at,
               at + (3000 - 20000 * ln(1 - random()))::int * interval '1 millisecond',
               n %% 50 = 0, 'c', %(name)s || n, at, at, at""",
    "attention": """
        INSERT INTO attention (store_id, area_id, target_id, target_kind, window_start, window_end,
                               gross_impressions, ots, watchers, attention_ms, dwell_ms, late,
                               through_offset)
        SELECT %(store)s, 'aisle', 'target-' || n %% 12, 'zone', at, at + interval '10 seconds',
               (random() * 5)::int, (random() * 4)::int, (random() * 2)::int,
               (random() * 3000)::int, (random() * 9000)::int, 0, n""",
    "crossings": """
        INSERT INTO crossings (crossing_id, store_id, area_id, camera_id, line_id, direction,
                               crossed_at, calibration_version)
        SELECT %(name)s || n, %(store)s, 'door', 'cam-door', 'door',
               CASE WHEN n %% 2 = 0 THEN 'in' ELSE 'out' END, at, 'c'""",
    "exposures": """
        INSERT INTO exposures (play_id, store_id, area_id, screen_id, decision_id, creative_id,
                               creative_version, started_at, ended_at, ended, gross_impressions,
                               ots, verified_impressions, exposed_ms, watchers, attention_ms, late,
                               through_offset)
        SELECT %(name)s || n, %(store)s, 'aisle', 'target-' || 8 + n %% 4, %(name)s || n,
               'creative-' || n %% 20, 1 + n %% 2, at, at + interval '12 seconds', true,
               (random() * 4)::int, CASE WHEN n %% 5 > 0 THEN (random() * 3)::int END,
               (random() * 3)::int, (random() * 9000)::int,
               CASE WHEN n %% 7 > 0 THEN (random() * 2)::int END, (random() * 2000)::int, 0, n""",
    "plays": """
        INSERT INTO plays (play_id, player_id, store_id, area_id, screen_id, decision_id,
                           creative_id, creative_version, scheduled_at, rendered_at, duration_ms,
                           stop_reason, success, captured_at)
        SELECT %(name)s || n, 'player-' || n %% 4, %(store)s, 'aisle', 'target-' || 8 + n %% 4,
               %(name)s || n, 'creative-' || n %% 20, 1 + n %% 2, at, at, (random() * 15000)::int,
               CASE WHEN n %% 3 = 0 THEN 'pre-empted' ELSE 'finished' END, n %% 500 > 0,
               CASE WHEN n %% 3 = 0 THEN at END""",
    "decisions": """
        INSERT INTO decisions (decision_id, store_id, area_id, screen_id, decided_at, slot_start,
                               arm, arm_probability, policy_version, context, showing, candidates,
                               creative_id, creative_version, reason, sentence)
        SELECT %(name)s || n, %(store)s, 'aisle', 'target-' || 8 + n %% 4, at,
               date_bin('30 minutes', at, '2000-01-01 00:00+00'),
               CASE WHEN extract(epoch FROM at)::bigint / 1800 %% 2 = 0 THEN 'adaptive'
                    ELSE 'control' END, 0.5, 'rule/1', '[]', NULL, '[]', 'creative-' || n %% 20,
               1 + n %% 2, CASE WHEN n %% 3 = 0 THEN 'attention' ELSE 'rotation' END,
               'Two people look at the tea.'""",
    "baskets": """
        INSERT INTO baskets (store_id, area_id, basket_id, closed_at, currency, basket_units,
                             basket_value, simulated, kind, transactions, voids)
        SELECT %(store)s, 'till', %(name)s || n, at,
               CASE WHEN n %% 20 = 0 THEN 'CHF' ELSE 'EUR' END,
               sign * (1 + (random() * 25)::int), sign * (1 + random() * 60)::numeric(18, 2), true,
               CASE WHEN n %% 100 = 0 THEN 'void' WHEN n %% 50 = 1 THEN 'return' ELSE 'sale' END,
               CASE WHEN n %% 100 = 0 THEN -1 WHEN n %% 50 = 1 THEN 0 ELSE 1 END,
               CASE WHEN n %% 100 = 0 THEN %(name)s || n - 2 END""",
    "basket_lines": """
        INSERT INTO basket_lines (store_id, basket_id, closed_at, line_no, sku, category, units,
                                  net_value, currency, simulated)
        SELECT %(store)s, %(name)s || n / 6, at, n %% 6, 'sku-' || (random() * 200)::int,
               'category-' || (random() * 8)::int, sign * (1 + (random() * 5)::int),
               sign * (random() * 9)::numeric(18, 2), 'EUR', true""",
    "basket_metrics": """
        INSERT INTO basket_metrics (store_id, window_start, window_end, slot_start, arm, currency,
                                    transactions, basket_units, basket_value, category_units, late,
                                    simulated, through_offset)
        SELECT %(store)s, at, at + interval '1 minute',
               date_bin('30 minutes', at, '2000-01-01 00:00+00'),
               CASE WHEN extract(epoch FROM at)::bigint / 1800 %% 2 = 0 THEN 'adaptive'
                    ELSE 'control' END, 'EUR', (random() * 4)::int, (random() * 40)::int,
               (random() * 90)::numeric(18, 2), '{"category-1": "2"}', 0, true, n""",
}

_FROM: LiteralString = """
        FROM (SELECT n, CASE WHEN n %% 50 < 2 THEN -1 ELSE 1 END AS sign,
                     date_trunc('milliseconds', %(until)s::timestamptz
                     - random() * %(days)s * interval '1 day') AS at
              FROM generate_series(1, %(rows)s) AS n OFFSET 0) AS made
        ORDER BY at ON CONFLICT DO NOTHING"""


def fill(connection: psycopg.Connection[Any], filling: Filling) -> int:
    """Inserts the rows, each table in a transaction of its own; returns how many there are now."""
    made = 0
    for table, statement in _ROWS.items():
        rows = filling.rows_of(table)
        with connection.transaction():
            connection.execute("SELECT setseed(%s)", [filling.seed])
            cursor = connection.execute(
                statement + _FROM,
                {
                    "rows": rows,
                    "until": filling.until,
                    "days": filling.days,
                    "name": f"{filling.name}-{table}-",
                    "store": filling.store,
                },
            )
            made += cursor.rowcount
    return made
