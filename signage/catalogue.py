"""The creatives on disk: each a folder with `creative.yaml`, a page and what the page needs.

A creative's page may use the player's fonts (`/fonts/`) but nothing else from outside its folder,
and no scripts. What is not found here when the catalogue is loaded is never served.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import msgspec
from msgspec import Meta, Struct

from signage.errors import CatalogueError
from streams.contracts.base import Id, Sentence
from streams.contracts.signage import Creative

#: The creatives that come with the product.
OWN_CREATIVES = Path(__file__).parent / "creatives"

#: The description is some lines of text; more is a mistake.
_MAX_DESCRIPTION_BYTES = 64 * 1024
#: A page is read whole at the start; pictures and films lie beside it.
_MAX_PAGE_BYTES = 2 * 1024 * 1024
_MAX_FILES = 256


class _Description(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The contents of `creative.yaml`: an unknown key is a mistake, not an extension."""

    creative_id: Annotated[str, Meta(pattern="^[a-z0-9][a-z0-9-]{0,63}$")]
    version: Annotated[int, Meta(ge=1)]
    title: Annotated[str, Meta(min_length=1, max_length=120)]
    alt_text: Annotated[Sentence, Meta(min_length=1)]
    language: Annotated[str, Meta(min_length=2, max_length=35)]
    owner: Id
    page: Annotated[str, Meta(pattern="^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$")] = "index.html"
    categories: tuple[Id, ...] = ()
    zones: tuple[Id, ...] = ()
    screens: tuple[Id, ...] = ()
    ai_generated: bool = False


@dataclass(frozen=True, slots=True)
class Catalogue:
    """The creatives, in order of their ids, and the files that may be served.

    `files` maps `<creative_id>/<version>/<path>` to the file: a look-up and no path arithmetic,
    so nothing outside a creative's folder can be asked for.
    """

    creatives: tuple[Creative, ...]
    files: Mapping[str, Path]

    def get(self, creative_id: str, version: int) -> Creative | None:
        """That version of that creative, None where it is not here."""
        for creative in self.creatives:
            if (creative.creative_id, creative.version) == (creative_id, version):
                return creative
        return None


def load_catalogue(folder: Path = OWN_CREATIVES) -> Catalogue:
    """Load and validate every creative of `folder`.

    Raises:
        CatalogueError: the folder, a description or a page is missing or broken.
    """
    if not folder.is_dir():
        raise CatalogueError(
            folder, "there is no such folder of creatives", "name a folder with one for each"
        )
    creatives: list[Creative] = []
    files: dict[str, Path] = {}
    for home in sorted(folder.iterdir()):
        if home.is_dir() and not home.name.startswith((".", "_")):
            creative, found = _load(home)
            creatives.append(creative)
            files |= found
    if not creatives:
        raise CatalogueError(folder, "it holds no creative", "add a folder with a creative.yaml")
    return Catalogue(creatives=tuple(creatives), files=files)


def _load(home: Path) -> tuple[Creative, dict[str, Path]]:
    description = _describe(home)
    if description.creative_id != home.name:
        raise CatalogueError(
            home,
            f"its creative_id is {description.creative_id!r}, not the folder's name",
            "give both the same name",
        )
    prefix = f"{description.creative_id}/{description.version}"
    files = _files(home, prefix)
    media = f"{prefix}/{description.page}"
    if media not in files:
        raise CatalogueError(
            home / description.page, "the page is missing", "add it or mend `page`"
        )
    page = _read(home / description.page, _MAX_PAGE_BYTES, "keep films and pictures beside it")
    creative = Creative(
        creative_id=description.creative_id,
        version=description.version,
        title=description.title,
        alt_text=description.alt_text,
        language=description.language,
        media=media,
        sha256=hashlib.sha256(page).hexdigest(),
        owner=description.owner,
        categories=description.categories,
        zones=description.zones,
        screens=description.screens,
        ai_generated=description.ai_generated,
    )
    return creative, files


def _describe(home: Path) -> _Description:
    path = home / "creative.yaml"
    if not path.is_file():
        raise CatalogueError(home, "it has no creative.yaml", "add one or move the folder away")
    text = _read(path, _MAX_DESCRIPTION_BYTES, "keep the description short")
    try:
        return msgspec.yaml.decode(text, type=_Description)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        what = " ".join(str(error).split())
        raise CatalogueError(
            path, f"this is not a description of a creative ({what})", "mend that line"
        ) from error


def _files(home: Path, prefix: str) -> dict[str, Path]:
    root = home.resolve()
    files: dict[str, Path] = {}
    for path in sorted(home.rglob("*")):
        if not path.is_file() or path.name == "creative.yaml" or path.name.startswith("."):
            continue
        if not path.resolve().is_relative_to(root):
            raise CatalogueError(path, "it points outside its creative's folder", "copy it in")
        files[f"{prefix}/{path.relative_to(home).as_posix()}"] = path.resolve()
        if len(files) > _MAX_FILES:
            raise CatalogueError(home, f"it holds more than {_MAX_FILES} files", "use fewer")
    return files


def _read(path: Path, limit_bytes: int, mend: str) -> bytes:
    try:
        with path.open("rb") as file:
            content = file.read(limit_bytes + 1)
    except OSError as error:
        raise CatalogueError(
            path, f"it cannot be read ({error.strerror})", "mend its permissions"
        ) from error
    if len(content) > limit_bytes:
        raise CatalogueError(path, f"it is larger than {limit_bytes} bytes", mend)
    return content
