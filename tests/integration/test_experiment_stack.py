"""The closed loop: a simulated store whose screens truly make baskets larger, through the tables
that the sink fills, to the answer; and an experiment's start and end through a real broker."""

import asyncio
import os
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import psycopg
import pytest
import pytest_asyncio
from aiokafka import AIOKafkaConsumer
from msgspec.structs import replace
from psycopg.conninfo import make_conninfo
from pydantic import SecretStr

from infra.db.migrate import migrate
from infra.experiment.answering import result, results
from infra.experiment.errors import ExperimentError
from infra.experiment.planning import lines, propose
from infra.experiment.plans import DAY_MS, Draft, approved
from infra.experiment.reading import read_experiment
from infra.experiment.topic import newest, tell
from infra.simulator.baskets import run_till
from infra.simulator.effects import TrueEffect
from infra.simulator.fill import fill
from infra.simulator.receipts import BasketMaker
from infra.simulator.settings import SimulatorSettings
from infra.stack.settings import StackSettings
from infra.stack.stack import EmbeddedStack
from infra.stack.state import StateFolder
from infra.stack.unprivileged import forget_home
from infra.topics import create_topics
from streams.contracts import topics
from streams.contracts.codec import decode
from streams.contracts.experiment import ExperimentPlan
from streams.contracts.layout import Area, Screen, StoreLayout, Zone
from streams.contracts.signage import Decision
from streams.contracts.topics import BASKET
from vision.clock import wall_ms

pytestmark = [pytest.mark.stack, pytest.mark.asyncio(loop_scope="module")]

LAYOUT = StoreLayout(
    store_id="corner",
    name="Corner",
    currency="EUR",
    time_zone="Europe/Berlin",
    areas=(Area(area_id="a"),),
)
#: A Monday; the experiment begins three weeks later.
FIRST_MS = int(datetime(2026, 3, 2, tzinfo=UTC).timestamp() * 1_000)
PRE_DAYS, DAYS, BASKETS_A_DAY = 21, 21, 160
START_MS = FIRST_MS + PRE_DAYS * DAY_MS
NOW_MS = START_MS + DAYS * DAY_MS
HOUR_MS = 3_600_000


def plan_of(store: str, effect: TrueEffect) -> ExperimentPlan:
    draft = Draft(
        experiment_id=f"screens-{store}",
        store_id=store,
        hypothesis="Screens that follow attention make baskets larger.",
        outcome="basket_units",
        slot_ms=2 * HOUR_MS,
        washout_ms=HOUR_MS // 2,
        smallest_effect=0.25,
        horizon_days=14.0,
        pre_days=float(PRE_DAYS),
        starts_at_ms=START_MS,
        simulated=True,
        true_effect=effect.basket,
    )
    return approved(draft, "Ada Lovelace", START_MS - DAY_MS)


def closed_loop(store: str, effect: TrueEffect, seed: int) -> Iterator[tuple[topics.Topic, Any]]:
    """The plan, and the baskets of a store that sells from 8 to 20 h, on Fridays the most."""
    plan = plan_of(store, effect)
    yield topics.EXPERIMENT, plan
    maker = BasketMaker(
        replace(LAYOUT, store_id=store), seed, FIRST_MS, 60.0, effect, lambda at: plan.arm(at)[0]
    )
    rng = np.random.default_rng(seed)
    number = 0
    for day in range(PRE_DAYS + DAYS):
        count = rng.poisson(BASKETS_A_DAY * (1.4 if day % 7 == 4 else 1.0))
        times = np.sort(rng.uniform(8 * HOUR_MS, 20 * HOUR_MS, count)).astype(int)
        for at_ms in times:
            yield topics.BASKET, maker.basket(number, FIRST_MS + day * DAY_MS + int(at_ms))
            number += 1


@dataclass(frozen=True, slots=True)
class Place:
    """The servers, and a database with the two stores."""

    bootstrap: str
    dsn: SecretStr


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def place(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Place]:
    with StateFolder(tmp_path_factory.mktemp("experiment") / "state") as state:
        settings = StackSettings(state=state.path)
        async with EmbeddedStack(state, settings, parts=("broker", "postgres")) as running:
            await create_topics(running.broker.bootstrap, 2)
            with psycopg.connect(running.postgres.dsn, autocommit=True) as connection:
                connection.execute("CREATE DATABASE loop")
            dsn = SecretStr(make_conninfo(running.postgres.dsn, dbname="loop"))
            await asyncio.to_thread(_filled, dsn)
            yield Place(running.broker.bootstrap, dsn)
        forget_home(state, "postgres")


def _filled(dsn: SecretStr) -> None:
    migrate(dsn, lambda _: None)
    with psycopg.connect(dsn.get_secret_value()) as connection:
        assert results(connection, NOW_MS) == []  # nobody started anything: no number
    for number, (store, effect) in enumerate(STORES.items()):
        fill(dsn, closed_loop(store, effect, 11 + number), lambda _: None)


STORES = {"grows": TrueEffect(basket=0.6), "moves": TrueEffect(product=1.5)}


@pytest.fixture
def connection(place: Place) -> Iterator[psycopg.Connection[Any]]:
    with psycopg.connect(place.dsn.get_secret_value()) as connection:
        yield connection
        connection.rollback()


def _plan(store: str) -> ExperimentPlan:
    return plan_of(store, STORES[store])


def _layouts(store: str) -> dict[str, StoreLayout]:
    return {store: replace(LAYOUT, store_id=store)}


async def test_the_true_effect_is_found_and_labelled(connection: psycopg.Connection[Any]) -> None:
    (found,) = results(connection, NOW_MS, store_id="grows", layouts=_layouts("grows"))
    assert found.label == "simulated, true effect +60 %"
    answer = found.analysis.answer
    assert answer.verdict == "yes", answer.sentence
    assert answer.low is not None
    assert answer.high is not None
    assert answer.low < 0.6 < answer.high
    verdicts = {each.name: each.verdict for each in found.analysis.checks}
    assert verdicts["sample ratio"] == verdicts["A/A"] == "passed"
    assert len(found.analysis.looks) == DAYS
    assert found.analysis.control.slots + found.analysis.adaptive.slots == DAYS * 6


async def test_it_is_shown_on_the_command_line(place: Place) -> None:
    env = {**os.environ, "SMARTSTORE_DATABASE": place.dsn.get_secret_value()}
    command = [sys.executable, "-m", "infra", "experiment", "show", "--store", "grows"]
    done = await asyncio.to_thread(
        subprocess.run, command, capture_output=True, text=True, check=True, env=env
    )
    assert "screens-grows (simulated, true effect +60 %): grows, basket_units" in done.stdout
    # By the clock of today long after the last receipt: silence since then is no data.
    assert "Yes: baskets (units) grow by" in done.stdout
    assert "sample ratio: passed" in done.stdout


async def test_the_slots_are_those_of_the_receipts(connection: psycopg.Connection[Any]) -> None:
    plan = _plan("grows")
    read = read_experiment(connection, [plan], NOW_MS, _layouts("grows"))
    units, baskets = {}, {}
    for topic, basket in closed_loop("grows", STORES["grows"], 11):
        if topic is topics.BASKET and basket.closed_at_ms >= START_MS:
            into_ms = basket.closed_at_ms % plan.slot_ms
            if into_ms >= plan.washout_ms:
                slot = basket.closed_at_ms - into_ms
                units[slot] = units.get(slot, 0) + sum(int(line.units) for line in basket.lines)
                baskets[slot] = baskets.get(slot, 0) + 1
    slots = sorted(units)
    assert read.during.amount.tolist() == [float(units[slot]) for slot in slots]
    assert read.during.base.tolist() == [float(baskets[slot]) for slot in slots]
    assert read.during.adaptive.tolist() == [plan.arm(slot)[0] == "adaptive" for slot in slots]
    # Berlin changed its clocks on 29 March: the same hour of the clock, and another of the day.
    hours = {int(hour) for hour in read.during.hour}
    assert hours == {9, 11, 13, 15, 17, 19, 10, 12, 14, 16, 18, 20}
    assert read.mismatched == 0


async def test_screens_drawn_one_by_one_sell_what_stands_before_them(
    connection: psycopg.Connection[Any],
) -> None:
    floor = ((0.0, 0.0), (1.0, 0.0), (1.0, 1.0))
    layout = StoreLayout(
        store_id="moves",
        name="Corner",
        currency="EUR",
        areas=(Area(area_id="a"), Area(area_id="b")),
        zones=tuple(
            Zone(
                zone_id=category,
                area_id=area,
                name=category,
                category=category,
                face=(0.0, 0.0, 1.0, 1.0),
                floor=floor,
            )
            for category, area in (("tea", "a"), ("coffee", "b"))
        ),
        screens=tuple(
            Screen(
                screen_id=f"screen-{area}",
                area_id=area,
                name=area,
                face=(0.0, 2.0, 1.0, 3.0),
                floor=floor,
                width_px=1080,
                height_px=1920,
            )
            for area in ("a", "b")
        ),
    )
    plan = replace(_plan("moves"), unit="screen-slot", outcome="product_units")
    read = read_experiment(connection, [plan], NOW_MS, {"moves": layout})
    assert read.units == ("screen-a", "screen-b")
    for number, category in enumerate(("tea", "coffee")):
        mine = read.during.only(read.during.store == number)
        row = connection.execute(
            "SELECT sum(units) FROM basket_lines WHERE store_id = 'moves' AND category = %s "
            "AND closed_at >= to_timestamp(%s) AND (extract(epoch FROM closed_at) * 1000)::bigint "
            "%% %s >= %s",
            [category, START_MS / 1_000, plan.slot_ms, plan.washout_ms],
        ).fetchone()
        assert row is not None
        assert mine.amount.sum() == float(row[0])
    first, second = (read.during.adaptive[read.during.store == number] for number in (0, 1))
    assert 0 < (first != second).sum() < first.size
    with pytest.raises(ExperimentError, match="drawn one by one"):
        read_experiment(connection, [plan], NOW_MS)


async def test_a_product_moves_and_the_basket_does_not(
    connection: psycopg.Connection[Any],
) -> None:
    plan = replace(_plan("moves"), categories=("tea",))
    basket = result(connection, [plan], NOW_MS, layouts=_layouts("moves"))
    product = result(connection, [plan], NOW_MS, outcome="product_units", layouts=_layouts("moves"))
    assert basket.analysis.answer.verdict != "yes"
    assert product.analysis.answer.verdict == "yes"
    low, high = product.analysis.answer.low, product.analysis.answer.high
    assert low is not None
    assert high is not None
    assert low < 1.5 < high


async def test_before_its_start_there_is_no_number(connection: psycopg.Connection[Any]) -> None:
    plan = _plan("grows")
    early = result(connection, [plan], START_MS + DAY_MS, layouts=_layouts("grows"))
    assert early.analysis.answer.verdict == "not yet"
    assert early.analysis.answer.effect is None
    assert early.analysis.answer.days_left is not None
    everything = replace(plan, adaptive_share=1.0)
    without = result(connection, [everything], NOW_MS, layouts=_layouts("grows"))
    assert without.analysis.answer.effect is None
    assert "without the other arm" in without.analysis.answer.sentence


async def test_screens_that_followed_another_arm_void_it(place: Place) -> None:
    plan = _plan("moves")
    slot = START_MS + 10 * HOUR_MS
    arm = "control" if plan.arm(slot)[0] == "adaptive" else "adaptive"
    decision = Decision(
        decision_id="wrong",
        store_id="moves",
        area_id="a",
        screen_id="s",
        decided_at_ms=slot + 1,
        slot_start_ms=slot,
        arm=arm,  # type: ignore[arg-type]
        arm_probability=0.5,
        policy_version="p",
        context=(),
        showing=None,
        candidates=(),
        creative_id="c",
        creative_version=1,
        reason="rotation",
        sentence="",
        experiment_id=plan.experiment_id,
    )
    await asyncio.to_thread(fill, place.dsn, [(topics.DECISION, decision)], lambda _: None)
    with psycopg.connect(place.dsn.get_secret_value()) as connection:
        found = result(connection, [plan], NOW_MS, layouts=_layouts("moves"))
        connection.execute("DELETE FROM decisions WHERE decision_id = 'wrong'")
    assert found.analysis.answer.verdict == "cannot be known here"
    assert "another arm" in found.analysis.answer.sentence


async def test_a_plan_takes_its_noise_from_the_stores_own_past(
    connection: psycopg.Connection[Any],
) -> None:
    draft = Draft(
        experiment_id="next",
        store_id="grows",
        hypothesis="",
        outcome="basket_units",
        adaptive_share=0.9,
        smallest_effect=0.2,
        simulated=True,
    )
    proposal = propose(draft, START_MS, connection, layout=_layouts("grows")["grows"])
    assert proposal.measured
    assert proposal.chosen.baskets / proposal.even.baskets == pytest.approx(2.78, abs=0.01)
    told = "\n".join(lines(proposal))
    assert "this store's own past" in told
    assert "2.8 times as many" in told
    assert "not measured; 20 min supposed" in told
    assert told.startswith("(simulated)")


async def test_the_till_lives_in_the_arm_that_was_told(place: Place) -> None:
    effect = TrueEffect(basket=0.8)
    store = replace(LAYOUT, store_id="told")
    now_ms = wall_ms()
    plan = replace(
        plan_of("told", effect), adaptive_share=1.0, starts_at_ms=now_ms - now_ms % (2 * HOUR_MS)
    )
    await tell(place.bootstrap, plan)
    stop, up = asyncio.Event(), asyncio.Event()
    settings = SimulatorSettings(
        kafka=place.bootstrap, seed=5, basket_every_s=0.05, start_ms=now_ms, true_effect=0.8
    )
    till = asyncio.create_task(run_till(settings, store, stop=stop, ready=up.set))
    consumer = AIOKafkaConsumer(
        BASKET.name, bootstrap_servers=place.bootstrap, auto_offset_reset="earliest"
    )
    await consumer.start()
    try:
        sold = [decode(BASKET.name, (await consumer.getone()).value) for _ in range(40)]
    finally:
        stop.set()
        await till
        await consumer.stop()
    grown = BasketMaker(store, 5, now_ms, 0.05, effect, lambda _: "adaptive").baskets()
    plain = BasketMaker(store, 5, now_ms, 0.05).baskets()
    assert sold == [next(grown) for _ in sold]
    assert sold != [next(plain) for _ in sold]


async def test_it_starts_with_a_name_and_ends_with_a_name(place: Place, tmp_path: Path) -> None:
    draft = tmp_path / "draft.yaml"
    draft.write_text("experiment_id: winter\nstore_id: shop\nhypothesis: It grows.\n")

    async def smartstore(*words: str) -> tuple[int, str]:
        command = [sys.executable, "-m", "infra", "experiment", *words]
        done = await asyncio.to_thread(
            subprocess.run, command, capture_output=True, text=True, check=False
        )
        return done.returncode, done.stdout + done.stderr

    kafka = ["--kafka", place.bootstrap]
    code, said = await smartstore("start", str(draft), *kafka)
    assert code == 2
    assert "shop" not in await newest(place.bootstrap)
    assert "without a person who answers for it" in said
    code, said = await smartstore("start", str(draft), *kafka, "--approved-by", "Ada Lovelace")
    assert code == 0, said
    plan = (await newest(place.bootstrap))["shop"]
    assert (plan.approved_by, plan.experiment_id) == ("Ada Lovelace", "winter")
    assert plan.running(plan.starts_at_ms)
    code, said = await smartstore("start", str(draft), *kafka, "--approved-by", "Ada Lovelace")
    assert code == 2
    assert "runs the experiment winter already" in said
    code, said = await smartstore("stop", "shop", *kafka, "--approved-by", "Grace Hopper")
    assert code == 0, said
    ended = (await newest(place.bootstrap))["shop"]
    assert ended.stopped_by == "Grace Hopper"
    assert ended.stopped_at_ms is not None
    assert not ended.running(ended.stopped_at_ms + plan.slot_ms)
    await tell(place.bootstrap, replace(ended, store_id="other"))
    assert {"shop", "other"} <= set(await newest(place.bootstrap))
