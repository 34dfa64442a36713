"""The figures of the chaos bench: one JSON object."""

from msgspec import Struct

from infra.bench.chaos.tables import TableAccount


class Recovery(Struct, frozen=True, kw_only=True):
    """From a kill until a window that was told after it is in the database; `n` kills, of which
    `unseen` were followed by the next one, or by the end, before that was seen.
    """

    p50: float | None
    p99: float | None
    most: float | None
    n: int
    unseen: int


class SlowRecovery(Struct, frozen=True, kw_only=True):
    """One kill, so many seconds after the first one: how long until all was whole again, and what
    happened meanwhile, in seconds after the kill.
    """

    killed: str
    after_s: float
    took_s: float | None
    meanwhile: list[str]


class ChaosReport(Struct, frozen=True, kw_only=True):
    """`events`: distinct messages' events that were sent; `delivered`: messages that the broker
    acknowledged, repeats and corrupted ones among them; `records`: what the log holds of them.

    `corrupted`: corrupted records for each consumer that reads them, and `dead_letters`: distinct
    (consumer, topic, partition, offset); `dead_letters_equal` says whether they are the same ones.
    `late_counted`: late ones that the tables of windows and plays count, `late_true` those of the
    reference. `equal`: every row of every table is as the reference says.
    """

    seed: int
    minutes: float
    events: int
    kills: int
    lost: int
    doubled: int
    invented: int
    corrupted: int
    dead_letters: int
    late_counted: int
    late_true: int
    recovery_s: Recovery
    slowest: list[SlowRecovery]
    equal: bool
    dead_letters_equal: bool
    delivered: int
    records: int
    corrupted_records: int
    kills_by_kind: dict[str, int]
    connections_cut: int
    tables: list[TableAccount]
    settings: dict[str, str]
    versions: dict[str, str]
    errors: list[str]
