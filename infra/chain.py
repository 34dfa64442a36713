"""One run of the whole chain on this machine: embedded servers, our processes, and the count.

The processes are those of the command line, started as a container would start them.
"""

import asyncio
import json
import sys
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any, Protocol

import msgspec
from pydantic import SecretStr

from infra.control import KillSwitch
from infra.db.migrate import migrate
from infra.experiment.topic import tell as tell_plan
from infra.lag import wait_until_caught_up
from infra.policies import built_in
from infra.policies import tell as tell_policy
from infra.report import CameraReport, Detector, GatewayStats, Report
from infra.rundb import count_rows, create_run_database
from infra.simulator.effects import NO_EFFECT, TrueEffect
from infra.simulator.fill import fill
from infra.simulator.weeks import SimulatedWeeks
from infra.snapshots import publish_snapshots
from infra.stack.environment import ensure_environment
from infra.stack.part import Part, PartEvent, Restart
from infra.stack.ports import LOOPBACK, free_port
from infra.stack.process import Command
from infra.stack.settings import StackSettings
from infra.stack.stack import EmbeddedStack
from infra.stack.state import StateFolder
from infra.tally import Tally, read_log
from infra.topics import create_topics
from infra.triton.models import PreparedModel, prepare
from infra.triton.probe import probe
from signage.catalogue import load_catalogue
from signage.player.headless import HeadlessPage
from signage.signing import new_key
from streams.contracts import topics
from streams.contracts.experiment import ExperimentPlan
from streams.contracts.layout import StoreLayout

#: What the processors read; at the end they are given until they have read all of it.
_READ_BY = {
    "react": (topics.GAZE.name, topics.AUDIENCE.name),
    "measure": (topics.GAZE.name, topics.DWELL.name, topics.AUDIENCE.name, topics.BASKET.name),
}
_CATCH_UP_S = 20.0

#: The embedded broker answers an empty fetch at once. Who a shopper waits for asks it often.
_FETCH_PAUSE_MS = {
    "react": 10,
    "player": 10,
    "learner": 250,
    "publisher": 250,
    "sink": 50,
    "measure": 50,
    "web": 50,
}

#: A run is short: what was learned is shown soon.
_LEARN_PUBLISH_MS = 15_000

#: The parts on the way from a glance to the light.
_REACTING = ("gateway", "react", "publisher", "player-")

#: One machine has one worker a group: a few partitions are plenty, and start faster.
_PARTITIONS = 4


@dataclass(frozen=True, slots=True)
class Plan:
    """What is run. Without a `camera_file` or a `webcam` (its number) the store is simulated.

    `seconds` None means until stopped, or until the file's end. `headless` reads the players'
    pages by a program. `adaptive_share` of the slots of `slot_ms` react, the others are control.
    `restless`: one simulated shopper at a time, who stays and never stops looking about. Screens
    `on_glass` are left to a browser that somebody else opens, also when headless. `picture_px` is
    the size of simulated pictures, `film` the folder of those drawn beforehand. `true_effect` is what
    the simulated store's adaptive slots do. `reaction_only` leaves out what no shopper waits for: measuring, learning, database, live page
    and till, which production runs elsewhere.
    """

    layout_path: Path
    layout: StoreLayout
    camera_file: Path | None
    webcam: int | None
    seconds: float | None
    headless: bool
    weights: Path | None
    models_dir: Path | None
    input_size_px: int | None
    seed: int
    adaptive_share: float
    slot_ms: int
    web_port: int | None = None
    restless: bool = False
    true_effect: TrueEffect = NO_EFFECT
    past_days: int = 0
    on_glass: frozenset[str] = frozenset()
    picture_px: tuple[int, int] | None = None
    reaction_only: bool = False
    film: Path | None = None

    @property
    def simulated(self) -> bool:
        """Whether the store is the simulated one."""
        return self.camera_file is None and self.webcam is None


class Companion(Protocol):
    """Goes along with a run, to measure it."""

    def rendered(self, screen_id: str, message: dict[str, Any]) -> None:
        """The screen's headless page has rendered what it was told to show."""
        ...

    async def during(self, chain: "Chain") -> None:
        """Called once the chain is up; when it returns, the run ends."""
        ...

    async def counted(self, chain: "Chain") -> None:
        """Called at the end: our processes have stopped, broker and database still run."""
        ...


Say = Callable[[str], None]


@dataclass(slots=True)
class Chain:
    """A run. `run` does all of it; the addresses are there once it says that it is up."""

    plan: Plan
    state: StateFolder
    settings: StackSettings
    say: Say
    listen: Callable[[PartEvent], None]
    companion: Companion | None = None
    errors: list[str] = field(default_factory=list)
    up: bool = False
    source_start_ms: int = 0
    web_url: str = ""
    player_urls: dict[str, str] = field(default_factory=dict)
    _past_until: datetime = field(default_factory=lambda: datetime.min.replace(tzinfo=UTC))
    _stack: EmbeddedStack | None = None
    _preview_port: int = field(default_factory=free_port)
    _dsn: SecretStr = field(default_factory=lambda: SecretStr(""))
    _pages: list[HeadlessPage] = field(default_factory=list)

    @property
    def simulated(self) -> bool:
        """Whether the store is the simulated one."""
        return self.plan.simulated

    @property
    def approved_by(self) -> str:
        """Who answers for the policy and the experiment of this run."""
        return "the demo's operator" if self.simulated else "the operator of this run"

    @property
    def stack(self) -> EmbeddedStack:
        """The servers and the supervisor of all processes, while the chain is up."""
        if self._stack is None:
            raise AssertionError("the chain has not been started")
        return self._stack

    @property
    def dsn(self) -> SecretStr:
        """The run's own database."""
        return self._dsn

    async def run(self, stop: asyncio.Event) -> Report:
        """Starts everything, runs until the plan's end or `stop`, stops everything, counts.

        Raises:
            StackError, ModelError, CatalogueError, UserError: something cannot be started.
        """
        began_ms = _now_ms()
        model = await self._prepare()
        stack = EmbeddedStack(
            self.state,
            self.settings,
            repository=model.repository,
            parts=("broker", "postgres", "triton"),
            probe=probe,
            fresh_broker=True,
            listener=self.listen,
        )
        self._stack = stack
        kill_switch = KillSwitch(lambda what: stack.supervisor.signal("broker", what))
        async with stack, kill_switch:
            await self._prepare_servers(stack)
            loop = asyncio.get_running_loop()
            started = loop.time()
            pages_stop = asyncio.Event()
            pages: list[asyncio.Task[None]] = []
            try:
                parts = self._parts(stack, kill_switch.url)
                if self.plan.reaction_only:
                    parts = [part for part in parts if part.name.startswith(_REACTING)]
                # A page asks until its player is there, and has its picture before a camera looks.
                pages = self._open_pages(pages_stop)
                await asyncio.gather(*(stack.supervisor.start(part) for part in parts))
                started = loop.time()
                self.up = True
                self.say("up")
                await self._wait_for_the_end(stack, stop)
            finally:
                seconds = loop.time() - started
                self.say("stopping")
                await self._stop_parts(stack)
                pages_stop.set()
                await asyncio.gather(*pages)
            self.say("counting")
            tally = await read_log(stack.broker.bootstrap)
            if self.companion is not None:
                await self.companion.counted(self)
            return await self._report(stack, tally, model, began_ms, seconds)

    async def _prepare(self) -> PreparedModel:
        self.say("preparing the model")
        environment = self.settings.triton_environment
        if environment is None:
            made = await ensure_environment(self.settings.cache, self.say)
            environment = made.root
        model = await asyncio.to_thread(
            prepare,
            self.state.folder("models"),
            weights=self.plan.weights,
            models_dir=self.plan.models_dir,
            server_env=environment,
            input_size_px=self.plan.input_size_px,
            progress=self.say,
        )
        if model.note is not None:
            self.listen(PartEvent("model", "note", model.note))
        return model

    async def _prepare_servers(self, stack: EmbeddedStack) -> None:
        self.say("making topics and tables")
        bootstrap = stack.broker.bootstrap
        _, self._dsn = await asyncio.gather(
            create_topics(bootstrap, _PARTITIONS), asyncio.to_thread(self._make_database, stack)
        )
        await publish_snapshots(bootstrap, self.plan.layout)
        await self._start_policy(bootstrap)

    async def _start_policy(self, bootstrap: str) -> None:
        """The rule, and an experiment of this run's own: whoever started the run answers for both,
        and everything says so.
        """
        now_ms, store_id = _now_ms(), self.plan.layout.store_id
        by = self.approved_by
        await tell_policy(bootstrap, built_in("rule", store_id, by, now_ms))
        await tell_plan(
            bootstrap,
            ExperimentPlan(
                experiment_id=f"run-{self.state.run_id}",
                store_id=store_id,
                unit="store-slot",
                salt=self.state.run_id,
                slot_ms=self.plan.slot_ms,
                washout_ms=0,
                adaptive_share=self.plan.adaptive_share,
                outcome="basket_units",
                starts_at_ms=now_ms - now_ms % self.plan.slot_ms,
                ends_at_ms=None,
                approved_by=by,
                approved_at_ms=now_ms,
                hypothesis="Screens that follow attention change the baskets.",
                simulated=self.simulated,
                true_effect=self.plan.true_effect.basket if self.simulated else None,
            ),
        )

    def _make_database(self, stack: EmbeddedStack) -> SecretStr:
        dsn = create_run_database(SecretStr(stack.postgres.dsn), self.state.run_id)
        migrate(dsn, lambda _: None)
        if self.plan.past_days:
            self._past_until = datetime.now(UTC)
            self._fill(dsn, self._past_until)
        return dsn

    def _fill(self, dsn: SecretStr, until: datetime) -> None:
        """Simulated days before this one, for the pages of days and weeks."""
        plan = self.plan
        weeks = SimulatedWeeks(
            plan.layout,
            load_catalogue().creatives,
            until.date() - timedelta(days=plan.past_days),
            plan.past_days,
            plan.seed,
            plan.true_effect.basket,
            until=until,
        )
        fill(dsn, weeks.events(), lambda n: self.say(f"simulating the past: {n} rows"))

    def _environment(self, stack: EmbeddedStack) -> dict[str, str]:
        return {
            **self.state.marker,
            "SMARTSTORE_KAFKA": stack.broker.bootstrap,
            "SMARTSTORE_TRITON": stack.triton.grpc,
            "SMARTSTORE_DATABASE": self._dsn.get_secret_value(),
            "SMARTSTORE_LAYOUT": str(self.plan.layout_path.resolve()),
            "SMARTSTORE_STATE": str(self.state.run),
            "SMARTSTORE_SHM_PREFIX": self.state.shm_prefix,
            "SMARTSTORE_EXPERIMENT_SALT": self.state.run_id,
            "SMARTSTORE_EXPERIMENT_SLOT_MS": str(self.plan.slot_ms),
            "SMARTSTORE_EXPERIMENT_ADAPTIVE_SHARE": str(self.plan.adaptive_share),
            # A consumer that stopped in silence ends its process, and is started again.
            "SMARTSTORE_LIVENESS_INTERVAL_S": "2",
            "SMARTSTORE_RESTLESS": str(self.plan.restless),
            "SMARTSTORE_TRUE_EFFECT": str(self.plan.true_effect.basket),
            "SMARTSTORE_TRUE_PRODUCT_EFFECT": str(self.plan.true_effect.product),
            "OMP_NUM_THREADS": "1",
            "OPENBLAS_NUM_THREADS": "1",
        }

    def _part(
        self,
        stack: EmbeddedStack,
        name: str,
        arguments: Sequence[str],
        *,
        restart: Restart = "always",
        env: dict[str, str] | None = None,
    ) -> Part:
        ready = self.state.run / f"{name}.ready"
        pause = {"SMARTSTORE_FETCH_PAUSE_MS": str(_FETCH_PAUSE_MS.get(arguments[0], 0))}
        command = Command(
            [sys.executable, "-m", "infra", *arguments, "--ready-file", str(ready)],
            env={**self._environment(stack), **pause, **(env or {})},
        )
        return Part(
            name,
            command,
            ready=ready,
            ready_timeout_s=60.0,
            restart=restart,
            stop_timeout_s=25.0,
        )

    def _parts(self, stack: EmbeddedStack, kill_broker_url: str) -> list[Part]:
        web_port = self.plan.web_port or free_port()
        self.web_url = f"http://{LOOPBACK}:{web_port}/"
        parts = [self._part(stack, name, [name]) for name in ("sink", "measure", "react")]
        parts.append(self._part(stack, "upkeep", ["db", "upkeep"]))
        env = {
            "SMARTSTORE_LEARN_SIMULATED": str(self.simulated),
            "SMARTSTORE_LEARN_PUBLISH_MS": str(_LEARN_PUBLISH_MS),
        }
        parts.append(self._part(stack, "learner", ["learner"], env=env))
        signing = {**self._signing(), "SMARTSTORE_PUBLISHER_PORT": "0"}
        parts.append(self._part(stack, "publisher", ["publisher"], env=signing))
        for screen in self.plan.layout.screens:
            port = free_port()
            self.player_urls[screen.screen_id] = f"http://{LOOPBACK}:{port}/"
            arguments = ["player", "--screen", screen.screen_id, "--port", str(port)]
            # The live page shows the player in a frame.
            env = {
                **self._signing(),
                "SMARTSTORE_PLAYER_FRAMED_BY": json.dumps([self.web_url.rstrip("/")]),
                "SMARTSTORE_PLAYER_SHOPPER_URL": f"{self.player_urls[screen.screen_id]}about",
                "SMARTSTORE_SIMULATED": str(self.simulated),
            }
            parts.append(self._part(stack, f"player-{screen.screen_id}", arguments, env=env))
        env = {
            "SMARTSTORE_PREVIEW_URL": f"http://{LOOPBACK}:{self._preview_port}/preview.mjpg",
            "SMARTSTORE_WEB_SINCE_MS": str(_now_ms()),
            "SMARTSTORE_KILL_BROKER_URL": kill_broker_url,
        }
        if self.simulated:
            env["SMARTSTORE_WEB_SIMULATED"] = "true"
            env["SMARTSTORE_WEB_TRUE_EFFECT"] = str(self.plan.true_effect.basket)
        for url in self.player_urls.values():
            # A mirror leaves the screen to the page that is read by a program.
            env["SMARTSTORE_PLAYER_URL"] = url + ("?mirror=1" if self.plan.headless else "")
            break
        parts.append(self._part(stack, "web", ["web", "--port", str(web_port)], env=env))
        return [*parts, *self._camera_parts(stack)]

    def _signing(self) -> dict[str, str]:
        """Who signs what the screens show, and whom they trust: keys of this run alone."""
        key, trust = self.state.run / "signing.key", self.state.run / "trust.json"
        if not key.exists():
            new_key(key, trust, f"run {self.state.run_id}")
        return {"SMARTSTORE_PUBLISHER_KEY": str(key), "SMARTSTORE_PLAYER_TRUST": str(trust)}

    def _open_pages(self, stop: asyncio.Event) -> list["asyncio.Task[None]"]:
        if not self.plan.headless:
            return []
        for screen_id, url in self.player_urls.items():
            if screen_id in self.plan.on_glass:
                continue
            told = partial(self.companion.rendered, screen_id) if self.companion else None
            port = int(url.rsplit(":", 1)[1].strip("/"))
            self._pages.append(HeadlessPage(LOOPBACK, port, told))
        return [asyncio.create_task(page.run(stop)) for page in self._pages]

    @property
    def _gateways(self) -> dict[str, str]:
        """The gateways' names by area; there is one for each area with a camera."""
        areas = sorted({camera.area_id for camera in self.plan.layout.cameras})
        one = len(areas) == 1
        return {area: "gateway" if one else f"gateway-{area}" for area in areas}

    def truth_file(self, area_id: str) -> Path:
        """Where the simulated store tells what really happened in an area."""
        name = self._gateways[area_id].removeprefix("gateway")
        return self.state.run / f"truth{name}.jsonl"

    def _camera_parts(self, stack: EmbeddedStack) -> list[Part]:
        """The gateways, and the till of a simulated store."""
        self.source_start_ms = _now_ms()
        start = ["--start-ms", str(self.source_start_ms)]
        parts = []
        if self.simulated:
            till = ["till", "--seed", str(self.plan.seed), *start]
            parts.append(self._part(stack, "till", till))
        for number, (area, name) in enumerate(self._gateways.items()):
            parts.append(self._gateway(stack, area, name, number, start))
        return parts

    def _gateway(
        self, stack: EmbeddedStack, area: str, name: str, number: int, start: list[str]
    ) -> Part:
        gateway = ["gateway", "--area", area, "--stats", str(self._stats(name)), *start]
        if self.plan.camera_file is not None:
            gateway += ["--camera", str(self.plan.camera_file.resolve())]
        elif self.plan.webcam is not None:
            gateway += ["--webcam", str(self.plan.webcam)]
        else:
            gateway += ["--simulate", "--seed", str(self.plan.seed + number)]
        env = {"SMARTSTORE_TRUTH_FILE": str(self.truth_file(area))}
        if number == 0:
            env["SMARTSTORE_PREVIEW_PORT"] = str(self._preview_port)
        if self.plan.picture_px is not None:
            width, height = self.plan.picture_px
            env["SMARTSTORE_PICTURE_WIDTH_PX"] = str(width)
            env["SMARTSTORE_PICTURE_HEIGHT_PX"] = str(height)
        if self.plan.film is not None:
            env["SMARTSTORE_FILM"] = str(self.plan.film.resolve())
        restart: Restart = "always" if self.simulated else "on_failure"
        return self._part(stack, name, gateway, restart=restart, env=env)

    def _stats(self, gateway: str) -> Path:
        return self.state.run / f"{gateway}.json"

    async def _wait_for_the_end(self, stack: EmbeddedStack, stop: asyncio.Event) -> None:
        ends: list[Awaitable[object]] = [stop.wait()]
        ends += [stack.supervisor.wait(name) for name in self._gateways.values()]
        if self.companion is not None:
            ends.append(self.companion.during(self))
        tasks = [asyncio.ensure_future(end) for end in ends]
        try:
            await asyncio.wait(
                tasks, timeout=self.plan.seconds, return_when=asyncio.FIRST_COMPLETED
            )
        finally:
            for task in tasks:
                task.cancel()
            done = await asyncio.gather(*tasks, return_exceptions=True)
        for outcome in done:
            if isinstance(outcome, Exception):
                raise outcome

    async def _stop_parts(self, stack: EmbeddedStack) -> None:
        """Gateway first, so that its last events reach everybody; the sink last, to write all."""
        supervisor = stack.supervisor
        running = set(supervisor.names)
        for name in (*self._gateways.values(), "till"):
            if name in running:
                await supervisor.stop_part(name)
        if running >= set(_READ_BY):
            behind = await wait_until_caught_up(stack.broker.bootstrap, _READ_BY, _CATCH_UP_S)
            self.errors += [
                f"{group} had {n} records unread after {_CATCH_UP_S:.0f} s at the end"
                for group, n in behind.items()
            ]
        order = [
            "react",
            "learner",
            "publisher",
            "measure",
            *sorted(n for n in running if n.startswith("player-")),
        ]
        for name in [*order, "sink", "web", "upkeep"]:
            if name in running:
                await supervisor.stop_part(name)

    async def _report(
        self,
        stack: EmbeddedStack,
        tally: Tally,
        model: PreparedModel,
        began_ms: int,
        seconds: float,
    ) -> Report:
        stats = [self._read_stats(name) for name in self._gateways.values()]
        rows = await asyncio.to_thread(count_rows, self._dsn, self._past_until)
        errors = [*self.errors, *stack.supervisor.errors]
        cameras: list[CameraReport] = []
        detector = Detector(name=model.name, sha256=model.sha256)
        for each in stats:
            if each is not None:
                cameras += each.cameras
                detector = each.detector
                errors += each.errors
        if tally.undecodable:
            errors.append(f"{tally.undecodable} records in the log could not be decoded")
        first = tally.first_change_ms
        return Report(
            run_id=self.state.run_id,
            seconds=round(seconds, 1),
            simulated=self.simulated,
            true_effect_on_baskets=self.plan.true_effect.basket if self.simulated else None,
            cameras=cameras,
            events=tally.events(),
            decisions=len(tally.decisions),
            content_changes=tally.content_changes,
            plays=self._plays_rendered(tally),
            plays_acknowledged=len(tally.plays_ended & tally.plays_started),
            database=rows,
            latency_ms=tally.latency(),
            dead_letters=tally.dead_letters,
            restarts=sum(stack.supervisor.restarts.values()),
            seconds_to_first_content_change=(
                None if first is None else round((first - began_ms) / 1000, 1)
            ),
            detector=detector,
            stays=tally.stays(self.source_start_ms) if self.plan.camera_file else [],
            errors=errors,
        )

    def _plays_rendered(self, tally: Tally) -> int:
        """What the pages say that they rendered; a browser's page says it only to its player."""
        if self.plan.headless:
            return sum(page.rendered for page in self._pages)
        return len(tally.plays_started)

    def _read_stats(self, gateway: str) -> GatewayStats | None:
        try:
            return msgspec.json.decode(self._stats(gateway).read_bytes(), type=GatewayStats)
        except (OSError, msgspec.DecodeError) as error:
            self.errors.append(f"the {gateway} left no figures ({error})")
            return None


def _now_ms() -> int:
    return time.time_ns() // 1_000_000
