"""The page that shows creatives as they will look on a screen, upright and across."""

import asyncio
import mimetypes
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, tzinfo
from html import escape
from pathlib import Path

from fastapi import FastAPI, HTTPException
from fastapi.responses import HTMLResponse, Response
from starlette.middleware.trustedhost import TrustedHostMiddleware

from infra.creatives.words import place, state, times
from infra.web.serve import PageServer, listen
from signage.catalogue import load_catalogue
from signage.core.template import fill
from signage.intake.description import FILE
from signage.intake.loading import load_creative
from signage.labels.drawing import FONT as LABEL_FONT
from signage.media import MediaArchive
from signage.player.web import STATIC as PLAYER_STATIC
from streams.contracts.signage import Creative

_STATIC = Path(__file__).parent / "static"
_SHARED = (Path(__file__).parents[1] / "web" / "static" / "theme.css", LABEL_FONT)
_LOOPBACK = "127.0.0.1"

#: What stands for a price that only a store knows.
_NO_PRICE = "0.00"

_TYPES = {".woff2": "font/woff2", ".otf": "font/otf", ".css": "text/css", ".js": "text/javascript"}

_HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-cache",
}
_PAGE_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; "
    "font-src 'self'; frame-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
#: As a player serves them: no scripts, nothing from elsewhere.
_MEDIA_POLICY = (
    "default-src 'none'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; font-src 'self'; "
    "media-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'self'"
)


@dataclass(frozen=True, slots=True)
class Gallery:
    """The creatives of the page and what their files hold, by the paths that they name."""

    creatives: tuple[Creative, ...]
    files: Mapping[str, Path]
    made: Mapping[str, bytes]
    where: str
    zone: tzinfo = UTC

    @classmethod
    def of_folder(cls, folder: Path, zone: tzinfo = UTC) -> "Gallery":
        """Those of a folder (of one, or of many), before anybody publishes them.

        Raises:
            CatalogueError: something in one of them is not as it should be.
        """
        where = f"in {folder}, not published from here"
        if (folder / FILE).is_file():
            one = load_creative(folder)
            return cls((one.creative,), one.files, one.made, where, zone)
        found = load_catalogue(folder)
        return cls(found.creatives, found.files, found.made, where, zone)

    @classmethod
    def of_archive(
        cls, creatives: Iterable[Creative], archive: MediaArchive, zone: tzinfo = UTC
    ) -> "Gallery":
        """Those that are published, with the bytes of the archive, or of the product's own."""
        own = load_catalogue()
        known = tuple(sorted(creatives, key=lambda each: each.creative_id))
        files = {
            file.path: archive.path(file.sha256)
            for creative in known
            for file in creative.files
            if archive.holds(file.sha256)
        }
        return cls(known, {**own.files, **files}, own.made, "published", zone)

    def read(self, path: str) -> bytes | None:
        """The bytes of a file; None where there is none of that name."""
        if path in self.made:
            return self.made[path]
        return self.files[path].read_bytes() if path in self.files else None


def gallery_app(gallery: Gallery) -> FastAPI:
    """The web application of the page."""
    app = FastAPI(title="smartstore creatives", docs_url=None, redoc_url=None, openapi_url=None)
    app.add_middleware(TrustedHostMiddleware, allowed_hosts=[_LOOPBACK, "localhost"])
    templates = {c.media: c for c in gallery.creatives if c.kind == "template"}
    static = {path.name: path for path in [*_STATIC.iterdir(), *_SHARED]}
    fonts = {path.name: path for path in (PLAYER_STATIC / "fonts").glob("*.woff2")}

    @app.get("/")
    async def page() -> HTMLResponse:
        text = gallery_html(gallery, time.time_ns() // 1_000_000)
        return HTMLResponse(text, headers={**_HEADERS, "Content-Security-Policy": _PAGE_POLICY})

    @app.get("/static/{name}")
    async def asset(name: str) -> Response:
        return _answer(static[name].read_bytes() if name in static else None, name)

    @app.get("/fonts/{name}")
    async def font(name: str) -> Response:
        return _answer(fonts[name].read_bytes() if name in fonts else None, name)

    @app.get("/media/{path:path}")
    async def media(path: str) -> Response:
        data = await asyncio.to_thread(gallery.read, path)
        if data is not None and path in templates:
            filled = fill(templates[path], data.decode(), {}, unknown=_NO_PRICE)
            data = filled.text.encode() if filled is not None else data
        return _answer(data, path, {"Content-Security-Policy": _MEDIA_POLICY})

    return app


def _answer(data: bytes | None, name: str, headers: Mapping[str, str] | None = None) -> Response:
    if data is None:
        raise HTTPException(404, "there is no such file")
    kind = _TYPES.get(Path(name).suffix) or mimetypes.guess_type(name)[0]
    given = {**_HEADERS, **(headers or {})}
    return Response(data, media_type=kind or "application/octet-stream", headers=given)


def gallery_html(gallery: Gallery, now_ms: int) -> str:
    """The page as text."""
    count = len(gallery.creatives)
    cards = "\n".join(
        _card(creative, state(creative, now_ms, gallery.zone)) for creative in gallery.creatives
    )
    many = "1 creative" if count == 1 else f"{count} creatives"
    return f"""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Creatives</title>
<link rel="icon" href="data:,">
<link rel="stylesheet" href="/static/theme.css">
<link rel="stylesheet" href="/static/gallery.css">
<script src="/static/gallery.js" defer></script>
</head>
<body>
<a class="skip" href="#all">To the creatives</a>
<header><h1>Creatives</h1><p class="sub">{many} {escape(gallery.where)}, as they look on a screen of
1080 &times; 1920 and of 1920 &times; 1080 pixels.</p></header>
<main id="all">
{cards}
</main>
</body>
</html>
"""


def _card(creative: Creative, now: str) -> str:
    name = escape(creative.creative_id)
    label = "not AI-generated"
    if creative.label is not None:
        label = f"{creative.label.text}, {creative.label.height_share:.1%} of the shortest side"
    elif creative.ai_generated:
        label = "missing"
    facts = {
        "Kind": creative.kind,
        "Language": creative.language,
        "Owner": creative.owner,
        "Campaign": creative.campaign,
        "Where": place(creative),
        "When": times(creative),
        "For": ", ".join(creative.categories),
        "Advertises": ", ".join(creative.skus),
        "Shows the price of": ", ".join(creative.prices),
        "At most": creative.max_plays_per_hour and f"{creative.max_plays_per_hour} plays an hour",
        "Budget": creative.budget_plays and f"{creative.budget_plays} plays",
        "AI label": label,
        "In words": creative.alt_text,
    }
    rows = "".join(
        f"<div><dt>{key}</dt><dd>{escape(str(value))}</dd></div>"
        for key, value in facts.items()
        if value
    )
    url = escape(f"/media/{creative.media}?sha256={creative.sha256[:16]}")
    good = "good" if now == "may be shown" else "bad"
    priced = '<p class="note">Prices are filled in by the store.</p>' if creative.prices else ""
    return f"""<article aria-labelledby="{name}">
<div class="about"><h2 id="{name}">{escape(creative.title)}</h2>
<p class="sub">{name}, version {creative.version}</p>
<p class="state {good}">{escape(now)}</p>{priced}
<dl>{rows}</dl></div>
<div class="looks">
<figure class="upright"><div>{_frame(creative, url, "upright")}</div>
<figcaption>Upright</figcaption></figure>
<figure class="across"><div>{_frame(creative, url, "across")}</div>
<figcaption>Across</figcaption></figure>
</div>
</article>"""


def _frame(creative: Creative, url: str, way: str) -> str:
    title = escape(f"{creative.title}, {way}: {creative.alt_text}")
    return (
        f'<iframe src="{url}" title="{title}" sandbox="allow-same-origin" loading="lazy" '
        'tabindex="-1" scrolling="no"></iframe>'
    )


async def serve_gallery(
    gallery: Gallery, port: int, *, stop: asyncio.Event, ready: Callable[[str], None]
) -> None:
    """Serves the page on this machine until `stop`; `ready` is told its address.

    Raises:
        PortTakenError: the port is taken.
    """
    listening = listen(_LOOPBACK, port, "another port with --port")
    url = f"http://{_LOOPBACK}:{listening.getsockname()[1]}/"
    server = PageServer(gallery_app(gallery), lambda: ready(url))
    try:
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(server.serve(sockets=[listening]))
            await stop.wait()
            server.should_exit = True
    finally:
        listening.close()
