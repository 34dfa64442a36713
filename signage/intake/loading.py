"""One folder to one version of a creative, checked in every respect."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import msgspec

from signage.errors import CatalogueError
from signage.intake import description, pages
from signage.intake.description import Description, describe
from signage.intake.files import Found, files_of
from signage.intake.shape import Shape
from streams.contracts.signage import AiLabel, Creative, MediaFile

#: The page that is made for a picture or a video.
_MADE_PAGE = "index.html"


@dataclass(frozen=True, slots=True)
class Intake:
    """A creative as its folder tells it. `files` are on disk, `made` was made here; both by the
    path that the creative's `files` name.
    """

    creative: Creative
    files: Mapping[str, Path]
    made: Mapping[str, bytes]


def load_creative(home: Path) -> Intake:
    """The creative in the folder `home`.

    Raises:
        CatalogueError: something in it is not as it should be; one sentence says what.
    """
    told = describe(home)
    if told.creative_id != home.resolve().name:
        raise CatalogueError(
            home,
            f"its creative_id is {told.creative_id!r}, not the folder's name",
            "give both the same name",
        )
    files = files_of(home)
    shapes = _shapes(files)
    _check_texts(told, files)
    prefix = f"{told.creative_id}/{told.version}/"
    main = _main(home, told, files)
    made: dict[str, bytes] = {}
    skus: tuple[str, ...] = ()
    page = prefix + _MADE_PAGE
    if told.kind == "picture":
        made[page] = pages.page_of_picture(told, main)
    elif told.kind == "video":
        made[page] = pages.page_of_video(told, main, shapes[main.name])
    else:
        page = prefix + main.name
    if told.kind == "template":
        skus = pages.check_template(main.path, main.path.read_text(encoding="utf-8"), told)
    listed = [MediaFile(path=prefix + f.name, sha256=f.sha256, bytes=f.bytes) for f in files]
    listed += [
        MediaFile(path=path, sha256=hashlib.sha256(text).hexdigest(), bytes=len(text))
        for path, text in made.items()
    ]
    return Intake(
        creative=_creative(home, told, files, page, listed, skus),
        files={prefix + file.name: file.path.resolve() for file in files},
        made=made,
    )


def _main(home: Path, told: Description, files: Sequence[Found]) -> Found:
    """The page, the picture or the video itself."""
    name = told.file or told.page
    found = next((file for file in files if file.name == name), None)
    wanted = {"picture": "picture", "video": "video"}.get(told.kind)
    if found is None:
        what = f"the {wanted}" if wanted else "the page"
        key = "file" if wanted else "page"
        raise CatalogueError(home / name, f"{what} is missing", f"add it or mend `{key}`")
    if wanted is not None and found.kind != wanted:
        raise CatalogueError(
            found.path, f"it is {found.format.upper()} and no {wanted}", f"name a {wanted}"
        )
    if wanted is None and found.format != "html":
        raise CatalogueError(found.path, "the page is no HTML", "name an .html file")
    if wanted is not None and any(file.name == _MADE_PAGE for file in files):
        raise CatalogueError(
            home / _MADE_PAGE,
            f"a {told.kind} brings no page of its own",
            "leave it out, or make it `kind: page`",
        )
    return found


def _shapes(files: Sequence[Found]) -> dict[str, Shape]:
    if not any(file.kind in ("picture", "video") for file in files):
        return {}
    # Here, as in `_label`: the codecs' libraries cost a second, and our own pages need none.
    from signage.intake.probing import probe_picture, probe_video

    shapes = {}
    for file in files:
        if file.kind == "picture":
            shapes[file.name] = probe_picture(file.path)
        elif file.kind == "video":
            shapes[file.name] = probe_video(file.path)
    return shapes


def _label(told: Description, files: Sequence[Found]) -> AiLabel | None:
    if not told.ai_generated and not any(file.kind in ("picture", "video") for file in files):
        return None
    from signage.intake.labelling import label_of

    return label_of(told, files)


def _check_texts(told: Description, files: Sequence[Found]) -> None:
    for file in files:
        if file.kind == "text":
            pages.check_text(file, files, told.language)


def _creative(
    home: Path,
    told: Description,
    files: Sequence[Found],
    page: str,
    listed: Sequence[MediaFile],
    prices: tuple[str, ...],
) -> Creative:
    path = home / description.FILE
    since, until = description.valid(path, told)
    creative = Creative(
        creative_id=told.creative_id,
        version=told.version,
        title=told.title,
        alt_text=told.alt_text,
        language=told.language,
        media=page,
        sha256=next(file.sha256 for file in listed if file.path == page),
        owner=told.owner,
        categories=told.categories,
        zones=told.zones,
        screens=told.screens,
        ai_generated=told.ai_generated,
        kind=told.kind,
        campaign=told.campaign,
        hours=description.hours(path, told),
        valid_from_ms=since,
        valid_until_ms=until,
        max_plays_per_hour=told.max_plays_per_hour,
        budget_plays=told.budget_plays,
        skus=told.skus,
        prices=prices,
        fields=description.fields(path, told),
        files=tuple(sorted(listed, key=lambda file: file.path)),
        label=_label(told, files),
    )
    try:
        # As whoever reads it from the log will: a date in the year 9999 is no time there.
        return msgspec.convert(msgspec.to_builtins(creative), Creative)
    except msgspec.ValidationError as error:
        raise CatalogueError(
            path, f"a value is out of bounds ({error})", "use an earlier date or a shorter name"
        ) from error
