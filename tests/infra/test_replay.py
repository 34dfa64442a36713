"""A simulated day of a store with everything that changes in one: every decision of it, written as
a log and read back, comes out the same.
"""

import asyncio
import json
import random
from collections.abc import Mapping, Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec
import pytest
from typer.testing import CliRunner

from infra.commands.tree import app
from infra.errors import UserError
from infra.replay import replay_file
from signage.core.learning import Learner, Lesson
from signage.live import LivePolicy
from streams.contracts import codec, topics
from streams.contracts.attention import Exposure
from streams.contracts.base import Trace
from streams.contracts.experiment import Experiment
from streams.contracts.layout import Area, Screen, StoreLayout, Zone
from streams.contracts.learning import PolicySnapshot
from streams.contracts.signage import Creative, Decision, Hours, Play
from streams.contracts.store import Stock
from streams.contracts.vision import Gaze, GazeBatch
from streams.ports import Incoming
from streams.react.reactor import Reactor
from streams.settings import ReactSettings

DAY_MS = 86_400_000
STEP_MS = 60_000
BEGIN = 1_700_006_400_000  # a midnight, UTC
NAMES = ("coffee", "tea", "wine")

LAYOUT = StoreLayout(
    store_id="s",
    name="Store",
    time_zone="Europe/Berlin",
    areas=(Area(area_id="a"),),
    zones=tuple(Zone(zone_id=n, area_id="a", name=n.capitalize(), category=n) for n in NAMES),
    screens=tuple(Screen(screen_id=n, area_id="a", name=n) for n in ("one", "two")),
)


def creative(name: str, **fields: Any) -> Creative:
    base = Creative(
        creative_id=name,
        version=1,
        title=name,
        alt_text=name,
        language="en",
        media=f"{name}.html",
        sha256="0" * 64,
        owner="us",
        categories=(name,),
    )
    return msgspec.structs.replace(base, **fields)


class Day:
    """The store: what is told is kept as a log, and fed to whoever follows it."""

    def __init__(self) -> None:
        self.now_ms = BEGIN
        self.lines: list[str] = []
        self.decisions: list[Decision] = []
        self.policy = LivePolicy(LAYOUT)
        self.learner = Learner(Lesson("bandit", "s", "attention", horizon_ms=60_000))
        experiment = Experiment(salt="day", slot_ms=1_800_000, adaptive_share=0.8)
        self.reactor = Reactor(
            ReactSettings(kafka="127.0.0.1:9"), self.policy, LAYOUT, experiment, self, self.clock
        )
        self._random = random.Random(5)  # noqa: S311
        self._seq = 0

    def clock(self) -> int:
        return self.now_ms

    async def deliver(self, records: Sequence[Mapping[str, Any]]) -> None:
        for record in records:
            self._keep(record)
            if record["topic"] == topics.DECISION.name:
                decision: Decision = codec.decode(record["topic"], record["value"])
                self.decisions.append(decision)
                self._shown(decision)

    def publish(self, topic: topics.Topic, event: Any) -> None:
        self._keep(codec.record(topic, event, "test"))
        self.policy.take(topic.name, topic.key(event), event)

    def withdraw(self, creative_id: str) -> None:
        self.policy.take(topics.CREATIVE.name, creative_id, None)

    def _keep(self, record: Mapping[str, Any]) -> None:
        value = record["value"].decode()
        self.lines.append(f'{{"topic": {json.dumps(record["topic"])}, "value": {value}}}')

    def _shown(self, decision: Decision) -> None:
        """It was on the glass and watched, more where it fits the hour."""
        play = Play(
            play_id=decision.decision_id,
            phase="started",
            player_id=decision.screen_id,
            store_id="s",
            area_id="a",
            screen_id=decision.screen_id,
            decision_id=decision.decision_id,
            creative_id=decision.creative_id,
            creative_version=decision.creative_version,
            scheduled_at_ms=self.now_ms,
            rendered_at_ms=self.now_ms,
        )
        self.policy.take(topics.PLAY.name, "a", play)
        self.learner.decided(decision, self.now_ms)
        self.learner.exposed(
            Exposure(
                play_id=play.play_id,
                store_id="s",
                area_id="a",
                screen_id=decision.screen_id,
                decision_id=decision.decision_id,
                creative_id=decision.creative_id,
                creative_version=decision.creative_version,
                started_at_ms=self.now_ms,
                ended_at_ms=self.now_ms + 5_000,
                ended=True,
                gross_impressions=1,
                ots=1,
                verified_impressions=1,
                exposed_ms=5_000,
                watchers=1,
                attention_ms=self._random.randrange(4_000) * (decision.creative_id == "tea"),
                late=0,
                through_offset=1,
            ),
            self.now_ms,
        )

    async def glance(self) -> None:
        self._seq += 1
        name = f"g{self._seq}"
        trace = Trace(
            cause_id=name,
            captured_at_ms=self.now_ms,
            inferred_at_ms=self.now_ms,
            sent_at_ms=self.now_ms,
        )
        gaze = Gaze(
            gaze_id=name,
            phase="started",
            track_id=name,
            camera_id="cam",
            target_id=self._random.choice(NAMES),
            target_kind="zone",
            probability=0.9,
            started_at_ms=self.now_ms - 500,
            attention_ms=500,
            calibration_version="c",
            trace=trace,
        )
        batch = GazeBatch(store_id="s", area_id="a", gateway_id="gw", seq=self._seq, events=(gaze,))
        await self.reactor.on_record(
            Incoming(topics.GAZE.name, 0, self._seq, b"a", codec.encode(batch), self.now_ms)
        )

    def learn(self, version: int) -> None:
        self.learner.close(self.now_ms)
        snapshot = self.learner.snapshot(version, self.now_ms, simulated=True)
        self.publish(
            topics.POLICY,
            msgspec.structs.replace(snapshot, approved_by="Ada", approved_at_ms=self.now_ms),
        )

    def stock(self, units: int) -> None:
        told = Stock(store_id="s", sku="tea-1", units=Decimal(units), at_ms=self.now_ms)
        self.publish(topics.STOCK, told)


async def lived() -> Day:
    """A day: nothing approved, then the rule, then a bandit that learns by the hour; creatives that
    come, change and go, sell out, reach their cap, and have hours.
    """
    day = Day()
    morning = Hours(from_minute=6 * 60, until_minute=11 * 60)
    for each in (
        creative("coffee", hours=(morning,)),
        creative("tea", skus=("tea-1",)),
        creative("wine", max_plays_per_hour=15),
        creative("welcome", categories=()),
    ):
        day.publish(topics.CREATIVE, each)
    day.reactor.hold(["a"], {})
    rule = PolicySnapshot(
        policy_id="rule",
        version=1,
        algorithm="rule",
        made_at_ms=BEGIN,
        store_id="s",
        approved_by="Ada",
        approved_at_ms=BEGIN,
    )
    for step in range(DAY_MS // STEP_MS):
        day.now_ms = BEGIN + STEP_MS * step
        hour, rest = divmod(step, 3_600_000 // STEP_MS)
        if rest == 0:
            if hour == 2:
                day.publish(topics.POLICY, rule)
            elif hour >= 4:
                day.learn(hour)
            day.stock(0 if hour in (13, 14) else 20 - hour // 2)
            if hour == 10:
                day.publish(topics.CREATIVE, creative("tea", version=2, skus=("tea-1",)))
            if hour == 20:
                day.withdraw("wine")
        if step % 2 == 0:
            await day.glance()
        await day.reactor.tick()
    return day


@pytest.fixture(scope="module")
def day() -> Day:
    return asyncio.run(lived())


def test_every_decision_of_a_logged_day_comes_out_the_same(day: Day, tmp_path: Path) -> None:
    log = tmp_path / "day.jsonl"
    log.write_text("\n".join(day.lines))
    told = replay_file(log, LAYOUT, BEGIN, BEGIN + DAY_MS)
    assert told.differences == []
    assert told.unknown.total() == 0
    assert told.equal == told.decisions == len({d.decision_id for d in day.decisions})
    assert told.without_sentence == 0
    # It was a day in which all of it happened.
    assert told.decisions > 2_000
    assert {d.algorithm for d in day.decisions} == {"rotation", "rule", "bandit"}
    assert {d.arm for d in day.decisions} == {"adaptive", "control"}
    assert {b.why for d in day.decisions for b in d.barred} == {"hours", "stock", "cap"}
    assert len({d.snapshot for d in day.decisions}) > 15
    assert {d.creative_version for d in day.decisions if d.creative_id == "tea"} == {1, 2}
    assert all(d.sentence.strip() for d in day.decisions)


def test_a_part_of_the_day_can_be_replayed(day: Day, tmp_path: Path) -> None:
    log = tmp_path / "day.jsonl"
    log.write_text("\n".join(day.lines))
    told = replay_file(log, LAYOUT, BEGIN + DAY_MS // 2, BEGIN + DAY_MS // 2 + 3_600_000)
    assert 0 < told.decisions < 500
    assert told.equal == told.decisions


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("creative_id", "welcome"),
        ("sentence", "Because."),
        ("minute", 3),
        ("snapshot", "bandit/9"),
        ("reason", "attention"),
    ],
)
def test_a_decision_that_was_changed_is_found(
    day: Day, tmp_path: Path, field: str, value: Any
) -> None:
    victim = next(
        d
        for d in day.decisions
        if d.algorithm == "bandit"
        and d.snapshot == "bandit/8"
        and d.creative_id != "welcome"
        and d.reason == "rotation"
    )
    forged = msgspec.structs.replace(victim, **{field: value})
    lines = [line for line in day.lines if '"topic": "signage.decision.v1"' not in line]
    record = codec.record(topics.DECISION, forged, "test")["value"].decode()
    lines.append(f'{{"topic": "signage.decision.v1", "value": {record}}}')
    log = tmp_path / "forged.jsonl"
    log.write_text("\n".join(lines))
    told = replay_file(log, LAYOUT, BEGIN, BEGIN + DAY_MS)
    assert (told.decisions, told.equal) == (1, 0)


def test_what_the_log_no_longer_holds_is_said_and_is_no_difference(
    day: Day, tmp_path: Path
) -> None:
    lines = [line for line in day.lines if '"topic": "signage.policy.v1"' not in line]
    log = tmp_path / "short.jsonl"
    log.write_text("\n".join(lines))
    told = replay_file(log, LAYOUT, BEGIN, BEGIN + DAY_MS)
    assert told.differences == []
    assert told.unknown.total() == told.decisions - told.equal > 500
    assert all("no longer holds the snapshot" in why for why in told.unknown)


def test_a_file_that_is_no_log_is_refused_with_its_line(tmp_path: Path) -> None:
    log = tmp_path / "not.jsonl"
    log.write_text('{"topic": "signage.decision.v1", "value": {}}\nnonsense\n')
    with pytest.raises(UserError, match="line 2"):
        replay_file(log, LAYOUT, 0, 1)


def test_the_command_says_how_many_are_equal(day: Day, tmp_path: Path) -> None:
    log, layout = tmp_path / "day.jsonl", tmp_path / "layout.yaml"
    log.write_text("\n".join(day.lines))
    layout.write_bytes(msgspec.json.encode(LAYOUT))
    command = ["replay", "--file", str(log), "--layout", str(layout), "--from", "2023-11-15T06:00"]
    done = CliRunner().invoke(app, command)
    assert done.exit_code == 0, done.output
    count = sum(d.decided_at_ms >= BEGIN + DAY_MS // 4 for d in day.decisions)
    assert f"{count} decisions: {count} equal, 0 different" in done.output
    wrong = CliRunner().invoke(app, [*command[:-1], "yesterday"])
    assert isinstance(wrong.exception, UserError)
