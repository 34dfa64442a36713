"""The tables that the sink fills: columns with their PostgreSQL types, keys, and the statement.

A test compares them with the migrations.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from operator import itemgetter
from typing import Any

from psycopg import sql


@dataclass(frozen=True, slots=True)
class Table:
    """A table. `columns` are (name, PostgreSQL type) in the order of a row's values.

    `newest` names the column whose greatest value wins where a row is told again; without it the
    first row of a key stays. `key_of` reads the key off a row's values.
    """

    name: str
    columns: tuple[tuple[str, str], ...]
    key: tuple[str, ...]
    newest: str | None = None
    key_of: Callable[[tuple[Any, ...]], Any] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        reader = itemgetter(*(self.position(column) for column in self.key))
        object.__setattr__(self, "key_of", reader)

    def position(self, column: str) -> int:
        """Where a column's value stands in a row."""
        return [name for name, _ in self.columns].index(column)

    @property
    def copies(self) -> bool:
        """Whether rows may be copied straight in: a repeat changes nothing, and no column is JSON
        (which a binary copy would encode again).
        """
        return self.newest is None and all(kind != "jsonb" for _, kind in self.columns)

    def copy(self) -> sql.Composed:
        """COPY of whole rows."""
        return sql.SQL("COPY {} ({}) FROM STDIN (FORMAT BINARY)").format(
            sql.Identifier(self.name), self._names(name for name, _ in self.columns)
        )

    def known(self) -> sql.Composed:
        """Which of some keys, one array a column of the key, are in the table already."""
        kinds = dict(self.columns)
        # In binary: the text form of an array is escaped item by item.
        arrays = [sql.SQL("%b::{}[]").format(sql.SQL(kinds[name])) for name in self.key]
        return sql.SQL("SELECT {} FROM unnest({}) AS asked ({}) JOIN {} USING ({})").format(
            self._names(self.key),
            sql.SQL(", ").join(arrays),
            self._names(self.key),
            sql.Identifier(self.name),
            self._names(self.key),
        )

    def _names(self, names: Iterable[str]) -> sql.Composable:
        return sql.SQL(", ").join(map(sql.Identifier, names))

    def insert(self) -> sql.Composed:
        """INSERT of whole columns, one array a column, that leaves what is already there."""
        names = [sql.Identifier(name) for name, _ in self.columns]
        arrays = [sql.SQL("%s::{}[]").format(sql.SQL(kind)) for _, kind in self.columns]
        return sql.SQL("INSERT INTO {} ({}) SELECT * FROM unnest({}) ON CONFLICT ({}) {}").format(
            sql.Identifier(self.name),
            sql.SQL(", ").join(names),
            sql.SQL(", ").join(arrays),
            sql.SQL(", ").join(map(sql.Identifier, self.key)),
            self._on_conflict(),
        )

    def _on_conflict(self) -> sql.Composable:
        if self.newest is None:
            return sql.SQL("DO NOTHING")
        changed = [name for name, _ in self.columns if name not in self.key]
        return sql.SQL("DO UPDATE SET {} WHERE {}.{} < excluded.{}").format(
            sql.SQL(", ").join(
                sql.SQL("{0} = excluded.{0}").format(sql.Identifier(name)) for name in changed
            ),
            sql.Identifier(self.name),
            sql.Identifier(self.newest),
            sql.Identifier(self.newest),
        )


def _columns(text: str) -> tuple[tuple[str, str], ...]:
    """`name type` pairs, one a line."""
    pairs = (line.split(maxsplit=1) for line in text.strip().splitlines())
    return tuple((name, kind.strip()) for name, kind in pairs)


_TRACE = """
    cause_id text
    captured_at timestamptz
    inferred_at timestamptz
    sent_at timestamptz
"""

GAZE = Table(
    "gaze",
    _columns(
        """
    gaze_id text
    store_id text
    area_id text
    gateway_id text
    track_id text
    camera_id text
    target_id text
    target_kind text
    probability double precision
    started_at timestamptz
    ended_at timestamptz
    attention_ms bigint
    distance_m double precision
    censored boolean
    calibration_version text"""
        + _TRACE
    ),
    key=("gaze_id", "started_at"),
)
DWELL = Table(
    "dwell",
    _columns(
        """
    dwell_id text
    store_id text
    area_id text
    gateway_id text
    track_id text
    camera_id text
    zone_id text
    entered_at timestamptz
    left_at timestamptz
    censored boolean
    calibration_version text"""
        + _TRACE
    ),
    key=("dwell_id", "entered_at"),
)
PRESENCE = Table(
    "presence",
    _columns(
        """
    presence_id text
    store_id text
    area_id text
    gateway_id text
    camera_id text
    track_id text
    target_id text
    target_kind text
    entered_at timestamptz
    left_at timestamptz
    opportunity_ms bigint"""
    ),
    key=("presence_id", "entered_at"),
)
ATTENTION = Table(
    "attention",
    _columns(
        """
    store_id text
    area_id text
    target_id text
    target_kind text
    window_start timestamptz
    window_end timestamptz
    gross_impressions bigint
    ots bigint
    watchers bigint
    attention_ms bigint
    dwell_ms bigint
    late bigint
    through_offset bigint
    watchers_measured boolean"""
    ),
    key=("store_id", "target_id", "window_start", "window_end"),
    newest="through_offset",
)
EXPOSURES = Table(
    "exposures",
    _columns(
        """
    play_id text
    store_id text
    area_id text
    screen_id text
    decision_id text
    creative_id text
    creative_version integer
    started_at timestamptz
    ended_at timestamptz
    ended boolean
    gross_impressions bigint
    ots bigint
    verified_impressions bigint
    exposed_ms bigint
    watchers bigint
    attention_ms bigint
    late bigint
    through_offset bigint"""
    ),
    key=("play_id", "started_at"),
    newest="through_offset",
)
CROSSINGS = Table(
    "crossings",
    _columns(
        """
    crossing_id text
    store_id text
    area_id text
    camera_id text
    line_id text
    direction text
    crossed_at timestamptz
    calibration_version text"""
    ),
    key=("crossing_id", "crossed_at"),
)
BASKETS = Table(
    "baskets",
    _columns(
        """
    store_id text
    area_id text
    basket_id text
    closed_at timestamptz
    currency text
    basket_units numeric
    basket_value numeric
    simulated boolean"""
    ),
    key=("store_id", "basket_id", "closed_at"),
)
BASKET_LINES = Table(
    "basket_lines",
    _columns(
        """
    store_id text
    basket_id text
    closed_at timestamptz
    line_no integer
    sku text
    category text
    units numeric
    net_value numeric"""
    ),
    key=("store_id", "basket_id", "closed_at", "line_no"),
)
BASKET_METRICS = Table(
    "basket_metrics",
    _columns(
        """
    store_id text
    window_start timestamptz
    window_end timestamptz
    slot_start timestamptz
    arm text
    currency text
    transactions bigint
    basket_units numeric
    basket_value numeric
    category_units jsonb
    late bigint
    simulated boolean
    through_offset bigint"""
    ),
    key=("store_id", "window_start", "arm", "currency"),
    newest="through_offset",
)
DECISIONS = Table(
    "decisions",
    _columns(
        """
    decision_id text
    store_id text
    area_id text
    screen_id text
    decided_at timestamptz
    slot_start timestamptz
    arm text
    arm_probability double precision
    policy_version text
    context jsonb
    showing text
    candidates jsonb
    creative_id text
    creative_version integer
    reason text
    sentence text"""
        + _TRACE
    ),
    key=("decision_id", "decided_at"),
)
PLAYS = Table(
    "plays",
    _columns(
        """
    play_id text
    player_id text
    store_id text
    area_id text
    screen_id text
    decision_id text
    creative_id text
    creative_version integer
    scheduled_at timestamptz
    rendered_at timestamptz
    duration_ms bigint
    stop_reason text
    success boolean
    error text"""
        + _TRACE
    ),
    key=("play_id", "rendered_at"),
)

#: In the order in which a transaction fills them: the same for every writer, so that no two of
#: them wait for each other.
TABLES = (
    GAZE,
    DWELL,
    PRESENCE,
    CROSSINGS,
    ATTENTION,
    EXPOSURES,
    BASKETS,
    BASKET_LINES,
    BASKET_METRICS,
    DECISIONS,
    PLAYS,
)
