"""The page of a creative: no scripts, nothing from elsewhere, nothing that is not there.

For a picture or a video the page is made here, so that every player shows all kinds alike.
"""

import posixpath
import re
from collections.abc import Collection, Iterator
from html import escape
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

from signage.core.template import places
from signage.errors import CatalogueError
from signage.intake.description import Description
from signage.intake.files import Found
from signage.intake.shape import Shape

_FORBIDDEN = frozenset(
    {"script", "iframe", "frame", "object", "embed", "applet", "base", "form", "portal"}
)
#: Attributes that name something to load.
_LINKS = frozenset({"src", "href", "poster", "data", "xlink:href", "srcset", "background"})
_URL = re.compile(r"url\(\s*['\"]?([^'\")]*)['\"]?\s*\)|@import\s+['\"]([^'\"]+)", re.IGNORECASE)
#: What the player serves beside a creative's own files.
_FONTS = "/fonts/"


def check_text(file: Found, files: Collection[Found], language: str) -> str:
    """The text of a page, a style sheet or a drawing that was found in order.

    Raises:
        CatalogueError: it has a script, loads something from elsewhere, or names a missing file.
    """
    try:
        text = file.path.read_text(encoding="utf-8")
    except (UnicodeDecodeError, OSError) as error:
        raise CatalogueError(file.path, "it is not UTF-8 text", "save it as UTF-8") from error
    known = {each.name for each in files}
    if file.format == "css":
        _check_links(file, _css_links(text), known)
        return text
    reader = _Reader()
    reader.feed(text)
    reader.close()
    if reader.fault is not None:
        raise CatalogueError(file.path, reader.fault, "a creative is still: style and animate it")
    _check_links(file, [*reader.links, *_css_links(text)], known)
    if reader.language is not None and not _same_language(reader.language, language):
        raise CatalogueError(
            file.path,
            f'its lang is "{reader.language}" and the description says "{language}"',
            "mend one of them",
        )
    return text


class _Reader(HTMLParser):
    """Collects what a page would load, and stops at the first thing that it may not have."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.links: list[str] = []
        self.fault: str | None = None
        self.language: str | None = None

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name.lower(): value or "" for name, value in attrs}
        if tag in _FORBIDDEN:
            self.fault = self.fault or f"it holds <{tag}>, which no creative may"
        if tag == "meta" and given.get("http-equiv", "").lower() == "refresh":
            self.fault = self.fault or "it sends the browser elsewhere (meta refresh)"
        if tag == "html":
            self.language = given.get("lang") or self.language
        for name, value in given.items():
            if name.startswith("on"):
                self.fault = self.fault or f"it holds a script in {name}="
            elif name == "srcset":
                self.links += [part.split()[0] for part in value.split(",") if part.split()]
            elif name in _LINKS and not (tag == "a" and name == "href"):
                self.links.append(value)

    handle_startendtag = handle_starttag


def _css_links(text: str) -> Iterator[str]:
    for match in _URL.finditer(text):
        yield match[1] if match[1] is not None else match[2]


def _check_links(file: Found, links: Collection[str] | Iterator[str], known: set[str]) -> None:
    for link in links:
        target = unquote(link.strip())  # a drawing within an address has its own, encoded
        if not target or target.startswith(("#", _FONTS)) or target.lower().startswith("data:"):
            continue
        parts = urlsplit(target)
        if parts.scheme or parts.netloc or target.startswith(("/", "\\")):
            raise CatalogueError(
                file.path, f"it loads {target[:80]!r} from elsewhere", "put a copy into the folder"
            )
        folder = posixpath.dirname(file.name)
        name = posixpath.normpath(posixpath.join(folder, parts.path))
        if name not in known:
            raise CatalogueError(
                file.path,
                f"it names {target[:80]!r}, which is missing",
                "add it or mend the name",
            )


def _same_language(one: str, other: str) -> bool:
    return one.lower().split("-")[0] == other.lower().split("-")[0]


def check_template(path: Path, text: str, told: Description) -> tuple[str, ...]:
    """The skus whose price a template shows, in order.

    Raises:
        CatalogueError: a place has no field, a field no place, or there is no place at all.
    """
    found = places(text)
    if found.unknown:
        raise CatalogueError(
            path,
            f"{{{{{found.unknown[0]}}}}} is no place of a template",
            "write {{name}} or {{price:SKU}}",
        )
    if not found.names and not found.skus:
        raise CatalogueError(
            path, "the template has no place to fill", "write {{title}} or {{price:SKU}}"
        )
    known = {"title", *told.fields}
    missing = [name for name in found.names if name not in known]
    if missing:
        raise CatalogueError(
            path, f"{{{{{missing[0]}}}}} has no text", f"add `{missing[0]}` under `fields:`"
        )
    unused = [name for name in told.fields if name not in found.names]
    if unused:
        raise CatalogueError(
            path, f"the field {unused[0]!r} has no place", f"write {{{{{unused[0]}}}}}, or drop it"
        )
    return found.skus


_FRAME = """<!doctype html>
<html lang="{language}">
<head>
<meta charset="utf-8">
<title>{title}</title>
<style>
html, body {{ margin: 0; height: 100%; overflow: hidden; background: #0d0c0b; }}
.back, .front {{ position: fixed; inset: 0; width: 100%; height: 100%; }}
/* The whole is shown, a label at its edge too; what is left over is filled with its colours. */
.back {{ object-fit: cover; filter: blur(6vmin) brightness(0.6); transform: scale(1.2); }}
.front {{ object-fit: contain; }}
</style>
</head>
<body>
{body}
</body>
</html>
"""


def page_of_picture(told: Description, file: Found) -> bytes:
    """The page that shows a picture, whole."""
    source = escape(f"{file.name}?sha256={file.sha256[:16]}")
    alt = escape(told.alt_text)
    return _page(
        told,
        f'<img class="back" src="{source}" alt="">\n<img class="front" src="{source}" alt="{alt}">',
    )


def page_of_video(told: Description, file: Found, shape: Shape) -> bytes:
    """The page that plays a video, silent and again and again."""
    source = escape(f"{file.name}?sha256={file.sha256[:16]}")
    alt = escape(told.alt_text)
    body = (
        f'<video class="front" src="{source}" width="{shape.width_px}" height="{shape.height_px}" '
        f'aria-label="{alt}" autoplay muted loop playsinline preload="auto"></video>'
    )
    return _page(told, body)


def _page(told: Description, body: str) -> bytes:
    text = _FRAME.format(language=escape(told.language), title=escape(told.title), body=body)
    return text.encode()
