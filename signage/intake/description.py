"""`creative.yaml`: what its owner says of a creative, taken whole or refused in one sentence."""

import re
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta, Struct

from signage.errors import CatalogueError
from streams.contracts.base import Id, Sentence
from streams.contracts.signage import Field, Hours

FILE = "creative.yaml"

#: The description is some lines of text; more is a mistake.
_MAX_BYTES = 64 * 1024

_Name = Annotated[str, Meta(pattern="^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$")]

_DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_HOURS = re.compile(
    r"(?:(?P<days>[a-z]{3}(?:\s*[-,]\s*[a-z]{3})*)\s+)?"
    r"(?P<from>\d{1,2}:\d{2})\s*-\s*(?P<until>\d{1,2}:\d{2})",
    re.IGNORECASE,
)
#: The shapes of BCP 47 that are in use: language, script, region, variants.
_LANGUAGE = re.compile(
    r"[a-zA-Z]{2,3}(-[a-zA-Z]{4})?(-([a-zA-Z]{2}|\d{3}))?(-([a-zA-Z\d]{5,8}|\d[a-zA-Z\d]{3}))*"
)


class Description(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The contents of `creative.yaml`: an unknown key is a mistake, not an extension.

    `page` is the file of a page or a template, `file` that of a picture or a video. `hours` are
    written as "mon-fri 08:00-20:00" or "22:00-02:00"; dates as "2026-12-01" (UTC) or with time and
    offset.
    """

    creative_id: Annotated[str, Meta(pattern="^[a-z0-9][a-z0-9-]{0,63}$")]
    version: Annotated[int, Meta(ge=1)]
    title: Annotated[str, Meta(min_length=1, max_length=120)]
    alt_text: Annotated[Sentence, Meta(min_length=1)]
    language: Annotated[str, Meta(min_length=2, max_length=35)]
    owner: Id
    kind: Literal["page", "picture", "video", "template"] = "page"
    page: _Name = "index.html"
    file: _Name | None = None
    campaign: Id | None = None
    categories: tuple[Id, ...] = ()
    zones: tuple[Id, ...] = ()
    screens: tuple[Id, ...] = ()
    hours: Annotated[tuple[str, ...], Meta(max_length=32)] = ()
    valid_from: str | None = None
    valid_until: str | None = None
    max_plays_per_hour: Annotated[int, Meta(ge=1)] | None = None
    budget_plays: Annotated[int, Meta(ge=1)] | None = None
    skus: Annotated[tuple[Id, ...], Meta(max_length=100)] = ()
    fields: dict[str, str] = {}
    ai_generated: bool = False


def describe(home: Path) -> Description:
    """The description in the folder `home`.

    Raises:
        CatalogueError: it is missing, unreadable or not a description.
    """
    path = home / FILE
    if not path.is_file():
        raise CatalogueError(home, f"it has no {FILE}", "add one or move the folder away")
    try:
        told = msgspec.yaml.decode(_read(path), type=_Written).plain()
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        what = " ".join(str(error).split())
        raise CatalogueError(
            path, f"this is not a description of a creative ({what})", "mend that line"
        ) from error
    _check(path, told)
    return told


class _Written(Description, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """As YAML reads it: a bare date is a date, and not the text that was written."""

    valid_from: Any = None
    valid_until: Any = None

    def plain(self) -> Description:
        """The same with texts for dates."""
        given = {name: getattr(self, name) for name in self.__struct_fields__}
        for name in ("valid_from", "valid_until"):
            if given[name] is not None:
                given[name] = str(given[name])
        return Description(**given)


def _check(path: Path, told: Description) -> None:
    if not _LANGUAGE.fullmatch(told.language):
        raise CatalogueError(
            path,
            f"language {told.language!r} is no BCP 47 tag",
            'write it as "en", "de-AT" or "zh-Hans"',
        )
    shown = told.kind in ("picture", "video")
    if shown and told.file is None:
        raise CatalogueError(path, f"a {told.kind} has no file", "name it with `file:`")
    if not shown and told.file is not None:
        raise CatalogueError(
            path, f"a {told.kind} has `file:`", "use `page:`, or say what kind it is"
        )
    if told.fields and told.kind != "template":
        raise CatalogueError(path, f"a {told.kind} has fields", "make it `kind: template`")
    since, until = valid(path, told)
    if since is not None and until is not None and until <= since:
        raise CatalogueError(path, "valid_until is not after valid_from", "mend one of them")


def hours(path: Path, told: Description) -> tuple[Hours, ...]:
    """The hours of a description.

    Raises:
        CatalogueError: a line of them cannot be read.
    """
    found = []
    for text in told.hours:
        try:
            found.append(hours_in(text))
        except (ValueError, msgspec.ValidationError):
            raise CatalogueError(
                path, f"hours {text!r} cannot be read", 'write them as "mon-fri 08:00-20:00"'
            ) from None
    return tuple(found)


def hours_in(text: str) -> Hours:
    """What a line of hours means. Raises ValueError.

    >>> hours_in("mon-wed,sat 08:30-20:00")
    Hours(days=(1, 2, 3, 6), from_minute=510, until_minute=1200)
    >>> hours_in("22:00-02:00").until_minute
    120
    """
    match = _HOURS.fullmatch(text.strip())
    if match is None:
        raise ValueError(text)
    since, until = _minute(match["from"]), _minute(match["until"])
    return Hours(
        days=_days(match["days"] or ""), from_minute=since % 1440, until_minute=until or 1440
    )


def _minute(text: str) -> int:
    hour, _, minute = text.partition(":")
    value = int(hour) * 60 + int(minute)
    if int(minute) > 59 or value > 24 * 60:
        raise ValueError(text)
    return value


def _days(text: str) -> tuple[int, ...]:
    days: list[int] = []
    for part in filter(None, re.split(r"\s*,\s*", text.lower())):
        first, _, last = (each.strip() for each in part.partition("-"))
        a, b = _DAYS.index(first), _DAYS.index(last or first)
        days += [day % 7 + 1 for day in range(a, b + 1 if b >= a else b + 8)]
    return tuple(sorted(set(days)))


def valid(path: Path, told: Description) -> tuple[int | None, int | None]:
    """From and until when a creative may be shown, UTC epoch ms.

    Raises:
        CatalogueError: one of them is no date.
    """
    return _date(path, "valid_from", told.valid_from), _date(path, "valid_until", told.valid_until)


def _date(path: Path, name: str, text: str | None) -> int | None:
    if text is None:
        return None
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        raise CatalogueError(
            path, f"{name} {text!r} is no date", "write it as 2026-12-01 or 2026-12-01T08:00+01:00"
        ) from None
    if at.tzinfo is None:
        at = at.replace(tzinfo=UTC)
    return int(at.timestamp() * 1000)


def fields(path: Path, told: Description) -> tuple[Field, ...]:
    """The fields of a template.

    Raises:
        CatalogueError: a name or a text is not allowed.
    """
    try:
        return tuple(
            msgspec.convert({"name": name, "value": text}, Field)
            for name, text in sorted(told.fields.items())
        )
    except msgspec.ValidationError as error:
        raise CatalogueError(
            path,
            f"a field cannot be used ({error})",
            "use names such as old_price and texts of up to 500 characters",
        ) from error


def _read(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            content = file.read(_MAX_BYTES + 1)
    except OSError as error:
        raise CatalogueError(
            path, f"it cannot be read ({error.strerror})", "mend its permissions"
        ) from error
    if len(content) > _MAX_BYTES:
        raise CatalogueError(
            path, f"it is larger than {_MAX_BYTES} bytes", "keep the description short"
        )
    return content
