"""What `bench kill` reports: one JSON object with fixed fields, read by other programs."""

from msgspec import Struct


class Kill(Struct, frozen=True, kw_only=True):
    """One kill -9 and what came after it; times in seconds since the kill.

    `glance_begun_s`: when the first glance began that went the whole way; `recovered_s`: when it
    had gone. None where none did within the patience of the bench. `load`: of the machine then, as
    the mean number of processes that ran or waited for a core within a minute.
    """

    part: str
    at_s: float
    load: float
    glance_begun_s: float | None
    rendered_s: float | None
    recovered_s: float | None
    whole_after_15_s: bool


class PartKills(Struct, frozen=True, kw_only=True):
    """The kills of one part. `lost_by_broker`: records that the broker had acknowledged before one
    of them, and that its log did not hold any more after it, counted by offset.
    """

    part: str
    kills: int
    recovered_s: list[float | None]
    glance_begun_s: list[float | None]
    whole_after_15_s: bool
    restarts: int
    lost_by_broker: int


class TableAccount(Struct, frozen=True, kw_only=True):
    """Rows of one table against the events of the log, by id.

    `missing`: in the log and not in the table. `extra`: in the table and not in the log; of these
    `extra_forgotten` were in records that the broker forgot after the sink had stored them.
    """

    table: str
    events: int
    rows: int
    missing: int
    extra: int
    extra_forgotten: int


class KillReport(Struct, frozen=True, kw_only=True):
    """The whole bench. `rows_equal_events`: no row is missing, and each row that is too many is one
    that the broker forgot.

    `dark_seconds`: over all screens and from before the first kill, how long a screen's page had
    nothing on it. A page keeps its last picture while its player is away, so that is until it has
    painted its first one. `still_longest_s`: the longest that a page showed the same picture.
    `gazes_left_open`: begun in the log, and with an end neither there nor in the database.
    """

    parts: list[PartKills]
    rows_equal_events: bool
    dark_seconds: float
    whole_after_15_s: bool
    missing_rows: int
    extra_rows: int
    lost_by_broker: int
    still_longest_s: float
    seconds: float
    seed: int
    kills: list[Kill]
    accounts: list[TableAccount]
    restarts: dict[str, int]
    dead_letters: int
    gazes_left_open: int
    versions: dict[str, str]
    errors: list[str]
