"""The notice for the door: what is measured in this store, how long it is kept, whom to ask. Made
of the layout and the registry of topics, so that it says what is so. Text in, HTML out.
"""

import html
import math
from dataclasses import dataclass
from typing import Literal

import segno

from streams.contracts.layout import StoreLayout
from streams.contracts.topics import ATTENTION, AUDIENCE, BASKET, CROSSING, DWELL, GAZE, Topic

Language = Literal["en", "de"]

_HOUR_MS = 3_600_000

#: What the database keeps rows of single tracks for, unless it was told otherwise.
KEPT_HOURS = 24


@dataclass(frozen=True, slots=True)
class Words:
    """A notice's words in one language; `{}` are filled in."""

    title: str
    lead: str
    measured: str
    not_measured: str
    kept: str
    ask: str
    more: str
    cameras: tuple[str, str]
    zones: str
    screens: str
    lines: str
    presence: str
    facing: str
    basket: str
    nots: tuple[str, ...]
    rows: tuple[tuple[str, tuple[Topic, ...]], ...]
    database: str
    database_sums: str
    by_hand: str
    pictures: str
    moment: str
    hours: str
    days: str
    dead_areas: str
    contact_missing: str
    state: str


_PEOPLE = (GAZE, DWELL, AUDIENCE)

WORDS: dict[Language, Words] = {
    "en": Words(
        title="Cameras count here. They do not know you.",
        lead="In {store}, {cameras} whether people stop and look. Nobody is recognised.",
        measured="What is measured",
        not_measured="What is not",
        kept="How long it is kept",
        ask="Whom to ask",
        more="More about it",
        cameras=("one camera by the shelf measures", "{} cameras by the shelves measure"),
        zones="How long somebody stands before: {}",
        screens="Whether somebody stands before these screens and faces them: {}",
        lines="How many people come in and go out",
        presence="How many people are there, and when",
        facing="Where a head is turned to: an estimate of what is looked at",
        basket="What is bought together, from the receipts and without names",
        nots=(
            "No faces are recognised, no people are told apart from one day to the next",
            "No age, no sex, no mood",
            "No sound",
            "No picture is stored or leaves the device at the camera",
        ),
        rows=(
            ("Who stood where and faced what, under a number drawn by lot", _PEOPLE),
            ("People in and out", (CROSSING,)),
            ("Sums for each zone", (ATTENTION,)),
            ("Receipts without names", (BASKET,)),
        ),
        database="In the store's own database: who stood where and faced what",
        database_sums="Sums and receipts there",
        by_hand="until the operator deletes it",
        pictures="Pictures",
        moment="a moment, in memory only",
        hours="{} hours",
        days="{} days",
        dead_areas="Parts of the picture are blackened before anything is measured in them.",
        contact_missing="the people at the till",
        state="As set up on {}",
    ),
    "de": Words(
        title="Hier zählen Kameras. Sie kennen Sie nicht.",
        lead="Bei {store} {cameras}, ob Menschen stehen bleiben und hinsehen. Niemand wird "
        "erkannt.",
        measured="Was gemessen wird",
        not_measured="Was nicht",
        kept="Wie lange es bleibt",
        ask="Wen Sie fragen können",
        more="Mehr dazu",
        cameras=("misst eine Kamera am Regal", "messen {} Kameras an den Regalen"),
        zones="Wie lange jemand steht vor: {}",
        screens="Ob jemand vor diesen Bildschirmen steht und ihnen zugewandt ist: {}",
        lines="Wie viele Menschen kommen und gehen",
        presence="Wie viele Menschen da sind, und wann",
        facing="Wohin ein Kopf gewandt ist: geschätzt, was jemand ansieht",
        basket="Was zusammen gekauft wird, aus den Kassenzetteln und ohne Namen",
        nots=(
            "Kein Gesicht wird erkannt, niemand an einem anderen Tag wiedererkannt",
            "Kein Alter, kein Geschlecht, keine Stimmung",
            "Kein Ton",
            "Kein Bild wird gespeichert oder verlässt das Gerät an der Kamera",
        ),
        rows=(
            ("Wer wo stand und wohin sah, unter einer ausgelosten Nummer", _PEOPLE),
            ("Wie viele kamen und gingen", (CROSSING,)),
            ("Summen für jedes Regalstück", (ATTENTION,)),
            ("Kassenzettel ohne Namen", (BASKET,)),
        ),
        database="In der Datenbank des Ladens: wer wo stand und wohin sah",
        database_sums="Summen und Kassenzettel dort",
        by_hand="bis der Betreiber es löscht",
        pictures="Bilder",
        moment="einen Augenblick, nur im Arbeitsspeicher",
        hours="{} Stunden",
        days="{} Tage",
        dead_areas="Teile des Bildes werden geschwärzt, ehe darin etwas gemessen wird.",
        contact_missing="die Leute an der Kasse",
        state="Stand der Einrichtung: {}",
    ),
}

#: Names beyond this many are told as a number: the notice is one page.
_MOST_NAMES = 14


def notice(
    layout: StoreLayout,
    language: Language,
    day: str,
    contact: str | None = None,
    url: str | None = None,
    database_hours: int = KEPT_HOURS,
) -> str:
    """The notice, one A4 page of HTML that loads nothing.

    Arguments:
        day: as people write it, of the layout it is made from.
        contact: whom to ask: a name, a telephone number, an address.
        url: where more is told; printed as a QR code too.
        database_hours: how long rows of single tracks stay in the database, as
            `smartstore db keep` was told.
    """
    words = WORDS[language]
    cameras = len(layout.cameras)
    counted = words.cameras[0] if cameras == 1 else words.cameras[1].format(cameras)
    kept = [(words.pictures, words.moment)]
    kept += [
        (name, _kept(max(topic.retention_ms for topic in topics), words))
        for name, topics in words.rows
        if topics != (CROSSING,) or layout.lines
    ]
    kept.append((words.database, _kept(database_hours * _HOUR_MS, words)))
    kept.append((words.database_sums, words.by_hand))
    parts = [
        f"<h1>{_safe(words.title)}</h1>",
        f'<p class="lead">{_safe(words.lead.format(store=layout.name, cameras=counted))}</p>',
        '<div class="two">',
        _list(words.measured, _measured(layout, words), "yes"),
        _list(words.not_measured, _not_measured(layout, words), "no"),
        "</div>",
        f"<section><h2>{_safe(words.kept)}</h2><table>",
        *(f"<tr><th>{_safe(name)}</th><td>{_safe(text)}</td></tr>" for name, text in kept),
        "</table></section>",
        '<section class="ask"><div>',
        f"<h2>{_safe(words.ask)}</h2>",
        f'<p class="contact">{_safe(contact or words.contact_missing)}</p>',
    ]
    if url is not None:
        parts.append(f"<p>{_safe(words.more)}: {_safe(url)}</p>")
    parts.append("</div>")
    if url is not None:
        parts.append(segno.make(url, micro=False).svg_inline(scale=4, border=2))
    parts.append("</section>")
    parts.append(f"<footer>{_safe(layout.name)} · {_safe(words.state.format(day))}</footer>")
    return _PAGE.format(language=language, title=_safe(words.title), body="\n".join(parts))


def _measured(layout: StoreLayout, words: Words) -> list[str]:
    found = [words.presence]
    if layout.zones:
        found.append(words.zones.format(_names([zone.name for zone in layout.zones])))
    if layout.screens:
        found.append(words.screens.format(_names([screen.name for screen in layout.screens])))
    if any(camera.pose is not None for camera in layout.cameras):
        found.append(words.facing)
    if layout.lines:
        found.append(words.lines)
    return [*found, words.basket]


def _not_measured(layout: StoreLayout, words: Words) -> list[str]:
    masked = any(camera.no_measure for camera in layout.cameras)
    return [*words.nots, words.dead_areas] if masked else [*words.nots]


def _names(names: list[str]) -> str:
    if len(names) <= _MOST_NAMES:
        return ", ".join(names)
    return ", ".join(names[:_MOST_NAMES]) + f" (+ {len(names) - _MOST_NAMES})"


def _kept(retention_ms: int, words: Words) -> str:
    hours = math.ceil(retention_ms / _HOUR_MS)
    return words.hours.format(hours) if hours <= 48 else words.days.format(math.ceil(hours / 24))


def _list(title: str, items: list[str], kind: str) -> str:
    rows = "".join(f"<li>{_safe(item)}</li>" for item in items)
    return f'<section class="{kind}"><h2>{_safe(title)}</h2><ul>{rows}</ul></section>'


def _safe(text: str) -> str:
    return html.escape(text)


_PAGE = """<!doctype html>
<html lang="{language}">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}</title>
<style>
@page {{ size: A4; margin: 14mm 17mm; }}
* {{ box-sizing: border-box; margin: 0; padding: 0; }}
body {{ font: 12.5pt/1.45 system-ui, "Segoe UI", Roboto, "Helvetica Neue", "Noto Sans", sans-serif;
  color: #16202a; background: #fff; max-width: 190mm; margin: 0 auto; padding: 8mm; }}
@media print {{ body {{ padding: 0; font-size: 11.5pt; }} h1 {{ font-size: 26pt; }} }}
h1 {{ font-size: 30pt; line-height: 1.1; letter-spacing: -0.02em; text-wrap: balance; }}
h2 {{ font-size: 14pt; margin-bottom: 2mm; }}
.lead {{ font-size: 14pt; margin: 4mm 0 6mm; }}
.two {{ display: grid; grid-template-columns: repeat(auto-fit, minmax(70mm, 1fr)); gap: 8mm; }}
section {{ margin-bottom: 6mm; break-inside: avoid; }}
ul {{ list-style: none; display: grid; gap: 1.5mm; }}
li {{ padding-left: 7mm; position: relative; overflow-wrap: anywhere; }}
li::before {{ position: absolute; left: 0; font-weight: 700; }}
.yes li::before {{ content: "\\2713"; color: #0f766e; }}
.no li::before {{ content: "\\2715"; color: #b42318; }}
table {{ width: 100%; border-collapse: collapse; }}
th {{ width: 58%; }}
th, td {{ text-align: left; padding: 1.4mm 0; border-top: 0.3mm solid #d6dade; font-weight: 400;
  vertical-align: top; }}
td {{ text-align: right; font-weight: 650; padding-left: 6mm; white-space: nowrap; }}
@media (max-width: 130mm) {{ td {{ white-space: normal; }} h1 {{ font-size: 24pt; }} }}
.ask {{ display: flex; justify-content: space-between; align-items: center; gap: 6mm;
  border: 0.5mm solid #16202a; border-radius: 3mm; padding: 5mm 6mm; }}
.ask div {{ overflow-wrap: anywhere; min-width: 0; }}
.ask svg {{ flex: none; }}
.contact {{ font-size: 15pt; }}
footer {{ color: #56626a; font-size: 10pt; }}
</style>
</head>
<body>
{body}
</body>
</html>
"""
