"""Publishes creatives and withdraws them: bytes into the media archive, versions on the log."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from infra.errors import UserError
from infra.latest import latest, told_to
from signage.catalogue import intakes
from signage.errors import CatalogueError
from signage.intake.description import FILE
from signage.intake.loading import Intake, load_creative
from signage.media import MediaArchive
from streams.contracts.codec import record
from streams.contracts.signage import Creative
from streams.contracts.topics import CREATIVE

_SOURCE = "smartstore/catalogue"


@dataclass(frozen=True, slots=True)
class Added:
    """What became of one creative."""

    creative: Creative
    was: Literal["new", "newer", "the same"]


def taken(folder: Path) -> list[Intake]:
    """The creative in `folder`, or every one of a folder of them.

    Raises:
        CatalogueError: something in one of them is not as it should be.
    """
    if (folder / FILE).is_file() or not folder.is_dir():
        if not folder.is_dir():
            raise CatalogueError(folder, "there is no such folder", "name a creative's folder")
        return [load_creative(folder)]
    return intakes(folder)


async def published(bootstrap: str) -> dict[str, Creative]:
    """The creatives on the log, by id. Raises UserError."""
    found: dict[str, Creative] = await latest(bootstrap, CREATIVE)
    return found


async def add(bootstrap: str, archive: MediaArchive, creatives: Sequence[Intake]) -> list[Added]:
    """Publishes creatives: all of them, or none where one is refused. Safe to repeat.

    Raises:
        CatalogueError: a version is known with another content, or older than what is published.
        UserError: no broker.
    """
    known = await published(bootstrap)
    added = [Added(each.creative, compared(each.creative, known, archive)) for each in creatives]
    for each in creatives:
        store(archive, each)
    async with told_to(bootstrap) as producer:
        for each in creatives:
            await producer.send_and_wait(**record(CREATIVE, each.creative, _SOURCE))
    return added


def store(archive: MediaArchive, intake: Intake) -> None:
    """Keeps a creative's bytes and its version. Raises CatalogueError."""
    wanted = {file.path: file.sha256 for file in intake.creative.files}
    contents: dict[str, bytes | Path] = {**intake.files, **intake.made}
    for path, content in contents.items():
        if archive.put(content) != wanted[path]:
            raise CatalogueError(
                archive.folder, f"{path} changed while it was read", "add the creative again"
            )
    archive.keep_version(intake.creative)


def compared(
    creative: Creative, known: dict[str, Creative], archive: MediaArchive
) -> Literal["new", "newer", "the same"]:
    """What publishing it would be.

    Raises:
        UserError: that version is known with another content, or a newer one is published.
    """
    old = known.get(creative.creative_id)
    kept = archive.version(creative.creative_id, creative.version)
    for other in (old, kept):
        if other is not None and other.version == creative.version and other != creative:
            raise UserError(
                f"version {creative.version} of {creative.creative_id!r} is published with another "
                f"content, and versions never change; give it `version: {creative.version + 1}`"
            )
    if old is None:
        return "new"
    if old.version > creative.version:
        raise UserError(
            f"version {old.version} of {creative.creative_id!r} is published and {creative.version}"
            f" is older; give it `version: {old.version + 1}`"
        )
    return "the same" if old == creative else "newer"


async def withdraw(bootstrap: str, creative_id: str) -> Creative:
    """Recalls a creative: an empty value on the log. What it was.

    Raises:
        UserError: no such creative is published, or no broker.
    """
    known = await published(bootstrap)
    if creative_id not in known:
        there = ", ".join(sorted(known)) or "none"
        raise UserError(f"no creative {creative_id!r} is published; there are: {there}")
    async with told_to(bootstrap) as producer:
        await producer.send_and_wait(CREATIVE.name, None, key=creative_id.encode())
    return known[creative_id]
