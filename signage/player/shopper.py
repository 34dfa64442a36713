"""The small page for shoppers: what is measured here, why the screen shows what it shows, whom to
ask. A QR code on the screen leads to it. It sets no cookie, runs no script and loads nothing else.
"""

import io
from dataclasses import dataclass
from html import escape

import segno

from signage.player.programme import Programme
from signage.player.shopper_words import LANGUAGES, WORDS, Words

_CSS = """
:root { color-scheme: light dark; --ink: #1d1a17; --soft: #5b534b; --paper: #fbf7f1; --card: #fff;
  --line: #e4dacd; --accent: #b3431e; }
@media (prefers-color-scheme: dark) { :root { --ink: #f4ede4; --soft: #b9aea2; --paper: #171412;
  --card: #221d1a; --line: #3a322c; --accent: #ffa270; } }
* { box-sizing: border-box; }
body { margin: 0; background: var(--paper); color: var(--ink);
  font: 17px/1.5 "Outfit", system-ui, "Noto Sans SC", "PingFang SC", sans-serif; }
main, header, footer { max-width: 34rem; margin: 0 auto; padding: 0 1.25rem; }
header { padding-top: 1.5rem; }
h1 { font-size: 1.65rem; line-height: 1.15; letter-spacing: -0.01em; margin: 0 0 0.25rem; }
header p { margin: 0; color: var(--soft); }
section { background: var(--card); border: 1px solid var(--line); border-radius: 14px;
  padding: 1rem 1.1rem; margin: 1rem 0; }
h2 { font-size: 1.08rem; margin: 0 0 0.4rem; }
p { margin: 0.4rem 0; } ul { margin: 0.4rem 0; padding-left: 1.2rem; }
blockquote { margin: 0.6rem 0 0; padding: 0.1rem 0 0.1rem 0.8rem;
  border-left: 3px solid var(--accent); }
.simulated { background: var(--accent); color: var(--paper); border: 0; font-weight: 600; }
nav a, a { color: var(--accent); } nav a { margin-right: 1rem; }
footer { padding: 0.5rem 1.25rem 2rem; }
"""


@dataclass(frozen=True, slots=True)
class Shop:
    """What the page says of the store: its name, whom to ask, and whether it is simulated."""

    name: str
    contact: str
    simulated: bool


def language_of(wanted: str) -> str:
    """The page's language for what a browser accepts, in its order.

    >>> language_of("fr-CH, de;q=0.8, en;q=0.9"), language_of("zh-CN"), language_of("")
    ('en', 'zh', 'en')
    """
    ranked: list[tuple[float, int, str]] = []
    for place, part in enumerate(wanted[:200].split(",")):
        tag, _, rest = part.strip().partition(";")
        quality = rest.strip().removeprefix("q=")
        try:
            weight = float(quality) if quality else 1.0
        except ValueError:
            weight = 0.0
        ranked.append((-weight, place, tag.lower().split("-")[0]))
    return next((tag for _, _, tag in sorted(ranked) if tag in WORDS), LANGUAGES[0])


def shopper_page(shop: Shop, shown: Programme | None, language: str) -> str:
    """The page in one language; `shown` is what is on the glass."""
    words = WORDS[language]
    at = f"<p>{escape(words.at.format(store=shop.name))}</p>" if shop.name else ""
    simulated = f'<section class="simulated">{words.simulated}</section>' if shop.simulated else ""
    links = " ".join(
        f'<a href="?lang={tag}" lang="{tag}" hreflang="{tag}">{WORDS[tag].language}</a>'
        for tag in LANGUAGES
        if tag != language
    )
    return f"""<!doctype html>
<html lang="{language}">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{words.title}</title>
<style>{_CSS}</style>
</head>
<body>
<header><h1>{words.title}</h1>{at}</header>
<main>
{simulated}
<section><h2>{words.measured}</h2>{_list(words.measured_lines)}</section>
<section><h2>{words.never}</h2>{_list(words.never_lines)}</section>
<section><h2>{words.why}</h2>{_why(words, shown)}</section>
<section><h2>{words.ask}</h2><p>{escape(shop.contact) or words.staff}</p></section>
</main>
<footer><nav aria-label="Language">{links}</nav></footer>
</body>
</html>
"""


def _list(lines: tuple[str, ...]) -> str:
    return "<ul>" + "".join(f"<li>{line}</li>" for line in lines) + "</ul>"


def _why(words: Words, shown: Programme | None) -> str:
    if shown is None:
        return f"<p>{words.nothing}</p>"
    reason = words.reasons.get(shown.reason, "")
    title = escape(shown.creative.title)
    return (
        f"<p>{words.shows.format(title=title)} {reason}</p><p>{words.record}</p>"
        f'<blockquote lang="en">{escape(shown.sentence)}</blockquote>'
    )


def qr_svg(url: str) -> bytes:
    """The address as a QR code, with the quiet zone that readers want."""
    out = io.BytesIO()
    segno.make(url, error="m", micro=False).save(
        out, kind="svg", border=4, dark="#1d1a17", light="#ffffff", xmldecl=False, omitsize=True
    )
    return out.getvalue()
