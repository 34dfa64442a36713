"""Several workers in one group: one is killed every so often, and either comes back with its id or
is lost for good. How long is any partition not told of, and do the results equal the reference?
"""

import asyncio
import statistics
import time
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from contextlib import AsyncExitStack, suppress
from itertools import pairwise

from msgspec import Struct
from pydantic import SecretStr

from infra.bench.chaos.bench import RULES, Plan, environment, part
from infra.bench.chaos.broker import EMBEDDED, parts, prepared
from infra.bench.chaos.expiry import expire
from infra.bench.chaos.feed import Feeder
from infra.bench.chaos.history import history, layout
from infra.bench.chaos.log import dead_letters, read_log
from infra.bench.chaos.members import Fate, Kill, Members
from infra.bench.chaos.recovery import Timeline
from infra.bench.chaos.reference import READ_BY, Logged, expected
from infra.bench.chaos.report import SlowRecovery
from infra.bench.chaos.settled import until_measured, until_stored
from infra.bench.chaos.tables import TableAccount, compare, late_counted, read_tables
from infra.bench.versions import versions
from infra.db.migrate import migrate
from infra.rundb import create_run_database
from infra.stack.part import Part
from infra.stack.settings import StackSettings
from infra.stack.stack import EmbeddedStack
from infra.stack.state import StateFolder
from infra.stack.supervisor import Supervisor
from streams.contracts import codec, topics
from streams.contracts.codec import encode
from streams.contracts.errors import ContractError

#: So many that each of four workers has some with traffic.
_PARTITIONS = 6
_KILL_EVERY_S = 20.0
#: After which Kafka takes a silent worker out of its group, by the workers' own setting. The
#: embedded broker never does, so the bench does it in its place.
_SESSION_S = 6
#: Rows are told once a second: a silence that begins so shortly before a kill is that kill's.
_TOLD_WITHIN_MS = 1_500
#: Nobody is killed towards the end, when the store empties and is silent by itself.
_CALM_S = 40.0
#: Every worker tells at least once more before it is stopped.
_LAST_WORDS_S = 3.0

Say = Callable[[str], None]


class Gaps(Struct, frozen=True, kw_only=True):
    """The longest silence of each partition after each kill, in seconds. Windows are told once a
    second: that much is silence without any kill.
    """

    p50: float | None
    p99: float | None
    most: float | None
    n: int


class RebalanceReport(Struct, frozen=True, kw_only=True):
    """As for chaos; `gap_s`: of kills of members that came back with their id, and of lost ones.
    The embedded broker expires no member: the bench took the lost ones out of the group when their
    session was over. A named one does so by itself.
    """

    seed: int
    minutes: float
    workers: int
    broker: str
    session_timeout_s: int
    events: int
    kills: int
    gap_s: dict[Fate, Gaps]
    each: list[SlowRecovery]
    lost: int
    doubled: int
    invented: int
    corrupted: int
    dead_letters: int
    late_counted: int
    late_true: int
    equal: bool
    dead_letters_equal: bool
    records: int
    tables: list[TableAccount]
    versions: dict[str, str]
    errors: list[str]


async def bench_rebalance(
    state: StateFolder, settings: StackSettings, plan: Plan, workers: int, say: Say
) -> RebalanceReport:
    """The whole run, on the embedded broker, whose members expire by the bench's hand, or on the
    one that the plan names.
    """
    say("starting the broker and the database")
    timeline = Timeline()
    stack = EmbeddedStack(
        state, settings, parts=parts(plan.kafka), fresh_broker=True, listener=timeline
    )
    async with AsyncExitStack() as entered:
        await entered.enter_async_context(stack)
        bootstrap = await prepared(stack, plan.kafka, _PARTITIONS)
        dsn = create_run_database(SecretStr(stack.postgres.dsn), state.run_id)
        migrate(dsn, lambda _: None)
        layout_file = state.run / "layout.yaml"
        layout_file.write_bytes(encode(layout()))
        env = environment(state, bootstrap, dsn) | {
            "SMARTSTORE_LAYOUT": str(layout_file),
            "SMARTSTORE_SESSION_TIMEOUT_S": str(_SESSION_S),
        }

        def part_of(name: str) -> Part:
            return part(state, name, ["measure"], env | {"SMARTSTORE_MEMBER": name})

        async def expired(name: str) -> None:
            if plan.kafka is None:
                await expire(bootstrap, "measure", name)

        members = Members(stack.supervisor, part_of, expired, _SESSION_S, plan.seed, say)
        say("starting workers and sink")
        await stack.supervisor.start(part(state, "sink", ["sink"], env))
        for _ in range(workers):
            await members.add()
        return await _measured(stack.supervisor, bootstrap, dsn, plan, members, timeline, say)


async def _measured(
    supervisor: Supervisor,
    bootstrap: str,
    dsn: SecretStr,
    plan: Plan,
    members: Members,
    timeline: Timeline,
    say: Say,
) -> RebalanceReport:
    begin_ms, workers = time.time_ns() // 1_000_000, len(members.names)
    told = history(
        seed=plan.seed,
        start_ms=begin_ms,
        length_ms=round((plan.seconds + _CALM_S) * 1_000),
        events_per_s=plan.events_per_s,
        lateness_ms=RULES.lateness_ms,
    )
    killing = asyncio.create_task(members.kill_one_every(_KILL_EVERY_S, plan.seconds))
    try:
        await Feeder(bootstrap, begin_ms).run(told.messages)
    finally:
        killing.cancel()
        ended = await asyncio.gather(killing, return_exceptions=True)
    say("waiting until all is told and stored")
    errors = [str(error) for error in ended if isinstance(error, Exception)]
    read = [topic.name for topic in READ_BY["measure"]]
    errors += await until_measured(bootstrap, "measure", read)
    await asyncio.sleep(_LAST_WORDS_S)
    await members.stop()
    errors += await until_stored(bootstrap, dsn)
    await supervisor.stop_part("sink")
    say("comparing with the reference")
    records = await read_log(bootstrap, [topic.name for topic in READ_BY["sink"]])
    rows = await read_log(bootstrap, [topics.ATTENTION.name])
    truth = await asyncio.to_thread(expected, records, RULES)
    found = await asyncio.to_thread(read_tables, dsn)
    accounts = compare(truth.tables, found)
    buried = await dead_letters(bootstrap, [topics.dead_letter_topic(c) for c in READ_BY])
    lost = sum(account.lost for account in accounts)
    doubled = sum(account.doubled for account in accounts)
    invented = sum(account.invented for account in accounts)
    found_gaps = silences(members.kills, rows, _partitions_of_areas(records))
    return RebalanceReport(
        seed=plan.seed,
        minutes=round(plan.seconds / 60, 2),
        workers=workers,
        broker="named" if plan.kafka else EMBEDDED,
        session_timeout_s=_SESSION_S,
        events=sum(message.events for message in told.messages),
        kills=len(members.kills),
        gap_s=gaps(found_gaps),
        each=[_told(kill, found, begin_ms, timeline) for kill, found in found_gaps],
        lost=lost,
        doubled=doubled,
        invented=invented,
        corrupted=len(truth.dead_letters),
        dead_letters=len(buried),
        late_counted=late_counted(found),
        late_true=sum(truth.late.values()),
        equal=lost + doubled + invented == 0,
        dead_letters_equal=buried == truth.dead_letters,
        records=len(records),
        tables=accounts,
        versions=versions(),
        errors=errors,
    )


def _partitions_of_areas(records: Sequence[Logged]) -> dict[str, int]:
    """Where each area's events lie, read off its heartbeats."""
    partitions: dict[str, int] = {}
    for record in records:
        if record.topic == topics.AUDIENCE.name:
            with suppress(ContractError):
                event = codec.decode(record.topic, record.value)
                partitions[event.area_id] = record.partition
    return partitions


def silences(
    kills: Sequence[Kill], rows: Sequence[Logged], partitions: Mapping[str, int]
) -> list[tuple[Kill, list[float]]]:
    """For each kill the longest silence of each partition, in seconds. `rows` are the windows in
    the log; `partitions` says in which input partition an area lies. A silence is that of the last
    kill before which it had not begun.
    """
    told: dict[int, list[int]] = defaultdict(list)
    for row in sorted(rows, key=lambda each: each.timestamp_ms):
        area_id = codec.decode(row.topic, row.value).area_id
        told[partitions[area_id]].append(row.timestamp_ms)
    found: list[tuple[Kill, list[float]]] = []
    for kill in kills:
        later = (other.at_ms for other in kills if other.at_ms > kill.at_ms)
        next_ms = min(later, default=kill.at_ms + _KILL_EVERY_S * 1_000)
        since_ms, until_ms = kill.at_ms - _TOLD_WITHIN_MS, next_ms - _TOLD_WITHIN_MS
        steps = [
            [b - a for a, b in pairwise(times) if since_ms <= a < until_ms]
            for times in told.values()
        ]
        found.append((kill, [max(each) / 1_000 for each in steps if each]))
    return found


def gaps(found: Sequence[tuple[Kill, Sequence[float]]]) -> dict[Fate, Gaps]:
    """By what became of the killed."""
    fates: tuple[Fate, ...] = ("returned", "lost")
    return {
        fate: _gaps(sorted(gap for kill, each in found if kill.fate == fate for gap in each))
        for fate in fates
    }


def _told(kill: Kill, found: Sequence[float], begin_ms: int, timeline: Timeline) -> SlowRecovery:
    longest_s = max(found, default=0.0)
    return SlowRecovery(
        killed=f"{kill.name}, {kill.fate}",
        after_s=round((kill.at_ms - begin_ms) / 1_000, 1),
        took_s=round(longest_s, 2),
        meanwhile=timeline.between(kill.at_ms, kill.at_ms + round(1_000 * longest_s)),
    )


def _gaps(found: Sequence[float]) -> Gaps:
    return Gaps(
        p50=round(statistics.median(found), 2) if found else None,
        p99=round(found[min(len(found) - 1, round(0.99 * len(found)))], 2) if found else None,
        most=round(found[-1], 2) if found else None,
        n=len(found),
    )
