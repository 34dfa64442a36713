"""The processes of a run: which there are, with which command and environment each is started.

They are those of the command line, started as a container would start them.
"""

import json
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from pydantic import SecretStr

from infra.chain.plan import Plan
from infra.stack.part import Part, Restart
from infra.stack.ports import LOOPBACK, free_port
from infra.stack.process import Command
from infra.stack.state import StateFolder
from signage.signing import new_key

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


@dataclass(frozen=True, slots=True)
class Pages:
    """The ports of all that a browser opens; `player_ports` by screen."""

    web_port: int
    preview_port: int
    player_ports: dict[str, int]

    @property
    def web_url(self) -> str:
        """The live page."""
        return f"http://{LOOPBACK}:{self.web_port}/"

    @property
    def player_urls(self) -> dict[str, str]:
        """The players' pages, by screen."""
        return {screen: f"http://{LOOPBACK}:{port}/" for screen, port in self.player_ports.items()}


def free_pages(plan: Plan) -> Pages:
    """Pages on ports that are free now, the live page on the plan's where it names one."""
    players = {screen.screen_id: free_port() for screen in plan.layout.screens}
    return Pages(plan.web_port or free_port(), free_port(), players)


@dataclass(frozen=True, slots=True)
class Servers:
    """Where a run's servers are: host and port of Kafka and of Triton's gRPC, the run's own
    database, and who kills the broker when asked to."""

    kafka: str
    triton: str
    dsn: SecretStr
    kill_broker_url: str


@dataclass(frozen=True, slots=True)
class Parts:
    """The processes of a run whose sources start at `start_ms`."""

    plan: Plan
    state: StateFolder
    servers: Servers
    pages: Pages
    start_ms: int

    def all(self) -> list[Part]:
        """Every process of the run, in the order in which they are listed."""
        parts = [
            *(self._part(name, [name]) for name in ("sink", "measure", "react")),
            self._part("upkeep", ["db", "upkeep"]),
            self._learner(),
            self._publisher(),
            *(self._player(screen, port) for screen, port in self.pages.player_ports.items()),
            self._web(),
            *self._sources(),
        ]
        if self.plan.reaction_only:
            return [part for part in parts if part.name.startswith(_REACTING)]
        return parts

    def _learner(self) -> Part:
        env = {
            "SMARTSTORE_LEARN_SIMULATED": str(self.plan.simulated),
            "SMARTSTORE_LEARN_PUBLISH_MS": str(_LEARN_PUBLISH_MS),
        }
        return self._part("learner", ["learner"], env=env)

    def _publisher(self) -> Part:
        env = {**self._signing(), "SMARTSTORE_PUBLISHER_PORT": "0"}
        return self._part("publisher", ["publisher"], env=env)

    def _player(self, screen_id: str, port: int) -> Part:
        arguments = ["player", "--screen", screen_id, "--port", str(port)]
        env = {
            **self._signing(),
            # The live page shows the player in a frame.
            "SMARTSTORE_PLAYER_FRAMED_BY": json.dumps([self.pages.web_url.rstrip("/")]),
            "SMARTSTORE_PLAYER_SHOPPER_URL": f"{self.pages.player_urls[screen_id]}about",
            "SMARTSTORE_SIMULATED": str(self.plan.simulated),
        }
        return self._part(f"player-{screen_id}", arguments, env=env)

    def _web(self) -> Part:
        env = {
            "SMARTSTORE_PREVIEW_URL": f"http://{LOOPBACK}:{self.pages.preview_port}/preview.mjpg",
            "SMARTSTORE_WEB_SINCE_MS": str(self.start_ms),
            "SMARTSTORE_KILL_BROKER_URL": self.servers.kill_broker_url,
        }
        if self.plan.simulated:
            env["SMARTSTORE_WEB_SIMULATED"] = "true"
            env["SMARTSTORE_WEB_TRUE_EFFECT"] = str(self.plan.true_effect.basket)
        for url in self.pages.player_urls.values():
            # A mirror leaves the screen to the page that is read by a program.
            env["SMARTSTORE_PLAYER_URL"] = url + ("?mirror=1" if self.plan.headless else "")
            break
        return self._part("web", ["web", "--port", str(self.pages.web_port)], env=env)

    def _sources(self) -> list[Part]:
        """The gateways, and the till of a simulated store."""
        parts = []
        if self.plan.simulated:
            till = ["till", "--seed", str(self.plan.seed), "--start-ms", str(self.start_ms)]
            parts.append(self._part("till", till))
        for number, (area, name) in enumerate(self.plan.gateways.items()):
            parts.append(self._gateway(area, name, number))
        return parts

    def _gateway(self, area: str, name: str, number: int) -> Part:
        gateway = ["gateway", "--area", area, "--stats", str(stats_file(self.state, name))]
        gateway += ["--start-ms", str(self.start_ms)]
        if self.plan.camera_file is not None:
            gateway += ["--camera", str(self.plan.camera_file.resolve())]
        elif self.plan.webcam is not None:
            gateway += ["--webcam", str(self.plan.webcam)]
        else:
            gateway += ["--simulate", "--seed", str(self.plan.seed + number)]
        # What really happened in the area, told by the simulated store.
        truth = self.state.run / f"truth{name.removeprefix('gateway')}.jsonl"
        env = {"SMARTSTORE_TRUTH_FILE": str(truth)}
        if number == 0:
            env["SMARTSTORE_PREVIEW_PORT"] = str(self.pages.preview_port)
        if self.plan.picture_px is not None:
            width, height = self.plan.picture_px
            env["SMARTSTORE_PICTURE_WIDTH_PX"] = str(width)
            env["SMARTSTORE_PICTURE_HEIGHT_PX"] = str(height)
        if self.plan.film is not None:
            env["SMARTSTORE_FILM"] = str(self.plan.film.resolve())
        restart: Restart = "always" if self.plan.simulated else "on_failure"
        return self._part(name, gateway, restart=restart, env=env)

    def _signing(self) -> dict[str, str]:
        """Who signs what the screens show, and whom they trust: keys of this run alone."""
        key, trust = self.state.run / "signing.key", self.state.run / "trust.json"
        if not key.exists():
            new_key(key, trust, f"run {self.state.run_id}")
        return {"SMARTSTORE_PUBLISHER_KEY": str(key), "SMARTSTORE_PLAYER_TRUST": str(trust)}

    def _part(
        self,
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
            env={**self._environment(), **pause, **(env or {})},
        )
        return Part(
            name,
            command,
            ready=ready,
            ready_timeout_s=60.0,
            restart=restart,
            stop_timeout_s=25.0,
        )

    def _environment(self) -> dict[str, str]:
        """What all processes are told."""
        return {
            **self.state.marker,
            "SMARTSTORE_KAFKA": self.servers.kafka,
            "SMARTSTORE_TRITON": self.servers.triton,
            "SMARTSTORE_DATABASE": self.servers.dsn.get_secret_value(),
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


def stats_file(state: StateFolder, gateway: str) -> Path:
    """Where a gateway leaves its figures at the end."""
    return state.run / f"{gateway}.json"
