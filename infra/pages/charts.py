"""Charts as SVG: the same for the page, for a PNG and for a PDF. Pure.

Colours are presentation attributes (a PDF reads those) and classes (a page's style sheet overrides
the attributes, so that dark looks dark). Sizes are in units of the view box, 16 a line of text.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

WIDTH = 640

#: Of a page; a PDF puts its own in its place.
FONT = "Helvetica, Arial, sans-serif"

_TEXT = 13
_LEFT, _RIGHT, _TOP, _BOTTOM = 60, 24, 12, 28
_INK, _SOFT, _LINE, _ACCENT, _BEFORE = "#1b2328", "#56626a", "#e3e1da", "#0f766e", "#b9a27a"

#: Colours of things that stand beside one another (creatives, arms), told apart by a colour-blind
#: eye too. Source: Okabe and Ito, Color Universal Design, 2008.
PALETTE = ("#0072b2", "#e69f00", "#009e73", "#cc79a7", "#56b4e9", "#d55e00", "#8c8c00", "#7a7a7a")


@dataclass(frozen=True, slots=True)
class Bar:
    """A bar: `value` None leaves its place empty, with `why` as the words in it."""

    label: str
    value: float | None
    before: float | None = None
    why: str = ""


@dataclass(frozen=True, slots=True)
class Span:
    """A stretch of a timeline from `start` to `end`, in any one unit; `colour` is an index."""

    start: float
    end: float
    colour: int
    words: str


@dataclass(frozen=True, slots=True)
class Interval:
    """An estimate with its interval, None where nothing can be said."""

    label: str
    low: float | None
    middle: float | None
    high: float | None


def bars(items: Sequence[Bar], unit: str = "", height: int = 220) -> str:
    """Upright bars, beside them those of the period before as outlines."""
    most = max((v for b in items for v in (b.value, b.before) if v is not None), default=0.0)
    top = nice(most)
    inner = height - _TOP - _BOTTOM
    step = (WIDTH - _LEFT - _RIGHT) / max(1, len(items))
    parts = [_grid(top, height, unit)]
    every = -(-len(items) // 12)
    for i, bar in enumerate(items):
        x = _LEFT + i * step
        wide = max(1.0, step * 0.62)
        words = f"{bar.label}: {_plain(bar.value)}{unit}" if bar.value is not None else bar.why
        if bar.before is not None:
            tall = inner * bar.before / top
            parts.append(
                _box(x + step * 0.28, _TOP + inner - tall, wide, tall, "chart-before", _BEFORE)
            )
        if bar.value is not None:
            tall = inner * bar.value / top
            parts.append(
                _box(x + step * 0.12, _TOP + inner - tall, wide, tall, "chart-bar", _ACCENT, words)
            )
        if i % every == 0:
            parts.append(_words(x + step / 2, height - 9, bar.label, "middle"))
    return _svg(height, parts)


def rows(items: Sequence[Bar], unit: str = "", row: int = 34) -> str:
    """Lying bars, one a line: for things with names."""
    most = nice(max((b.value for b in items if b.value is not None), default=0.0))
    label = 170
    room = WIDTH - label - 90
    parts = []
    for i, bar in enumerate(items):
        y = i * row + 6
        parts.append(_words(label - 8, y + row * 0.55, cut(bar.label, 24), "end", _INK))
        if bar.value is None:
            parts.append(_words(label, y + row * 0.55, bar.why, "start"))
            continue
        wide = room * bar.value / most
        parts.append(_box(label, y + 4, max(1.0, wide), row - 14, "chart-bar", _ACCENT))
        parts.append(
            _words(label + wide + 6, y + row * 0.55, f"{_plain(bar.value)}{unit}", "start", _INK)
        )
    return _svg(max(row, len(items) * row + 8), parts)


def timeline(
    lanes: Sequence[tuple[str, Sequence[Span]]],
    start: float,
    end: float,
    marks: Sequence[tuple[float, str]],
) -> str:
    """Lanes of coloured stretches between `start` and `end`; `marks` are written below."""
    label, lane = 120, 40
    height = len(lanes) * lane + _BOTTOM
    scale = (WIDTH - label - _RIGHT) / max(1e-9, end - start)
    parts = []
    for at, words in marks:
        x = label + (at - start) * scale
        parts.append(_line(x, 0, x, height - _BOTTOM + 4))
        parts.append(_words(x, height - 9, words, "middle"))
    for i, (name, spans) in enumerate(lanes):
        y = i * lane + 4
        parts.append(_words(label - 8, y + lane * 0.5, cut(name, 17), "end", _INK))
        for span in spans:
            x0 = label + (max(span.start, start) - start) * scale
            x1 = label + (min(span.end, end) - start) * scale
            if x1 > x0:
                colour = PALETTE[span.colour % len(PALETTE)]
                parts.append(
                    _box(x0, y, max(0.4, x1 - x0), lane - 12, "chart-span", colour, span.words)
                )
    return _svg(height, parts)


def intervals(items: Sequence[Interval], unit: str = " %") -> str:
    """Estimates with their intervals beside a line at zero."""
    known = [v for i in items for v in (i.low, i.high) if v is not None]
    reach = nice(max((abs(v) for v in known), default=1.0))
    label, row = 190, 46
    height = len(items) * row + _BOTTOM
    middle = label + (WIDTH - label - _RIGHT) / 2
    scale = (WIDTH - label - _RIGHT) / 2 / reach
    parts = []
    for at in (-reach, -reach / 2, 0.0, reach / 2, reach):
        x = middle + at * scale
        parts.append(_line(x, 0, x, height - _BOTTOM + 4, strong=at == 0.0))
        parts.append(_words(x, height - 9, f"{at:+.3g}{unit}" if at else "0", "middle"))
    for i, item in enumerate(items):
        y = i * row + row / 2
        parts.append(_words(label - 10, y + 4, cut(item.label, 26), "end", _INK))
        if item.low is None or item.high is None or item.middle is None:
            parts.append(_words(middle + 8, y + 4, "cannot be said", "start"))
            continue
        x0, x1 = middle + item.low * scale, middle + item.high * scale
        parts.append(_box(x0, y - 5, max(1.0, x1 - x0), 10, "chart-band", _BEFORE))
        x = middle + item.middle * scale
        parts.append(
            f'<circle cx="{x:.1f}" cy="{y:.1f}" r="7" class="chart-bar" fill="{_ACCENT}"/>'
        )
    return _svg(height, parts)


@dataclass(frozen=True, slots=True)
class Known:
    """What was known after a day: an estimate with its interval."""

    day: int
    low: float
    middle: float
    high: float


def band(items: Sequence[Known], unit: str = " %", height: int = 240) -> str:
    """How an estimate and its interval went, day by day, around a line at zero. Early intervals are
    wider than the picture: they are cut."""
    last = items[-1]
    reach = nice(1.6 * max(abs(last.low), abs(last.high), 1e-9))
    inner = height - _TOP - _BOTTOM
    first, days = items[0].day, max(1, items[-1].day - items[0].day)

    def x(day: int) -> float:
        return _LEFT + (WIDTH - _LEFT - _RIGHT) * (day - first) / days

    def y(value: float) -> float:
        cut_off = max(-reach, min(reach, value))
        return _TOP + inner * (0.5 - cut_off / reach / 2)

    parts = []
    for at in (-reach, -reach / 2, 0.0, reach / 2, reach):
        parts.append(_line(_LEFT, y(at), WIDTH - _RIGHT, y(at), strong=at == 0.0))
        words = f"{at:+.3g}{unit}" if at else "0"
        parts.append(_words(_LEFT - 6, y(at) + 4, words, "end"))
    edge = [(x(k.day), y(k.high)) for k in items] + [(x(k.day), y(k.low)) for k in items[::-1]]
    points = " ".join(f"{a:.1f},{b:.1f}" for a, b in edge)
    parts.append(f'<polygon points="{points}" class="chart-band" fill="{_BEFORE}"/>')
    line = " ".join(f"{x(k.day):.1f},{y(k.middle):.1f}" for k in items)
    parts.append(
        f'<polyline points="{line}" fill="none" class="chart-path" stroke="{_ACCENT}" '
        'stroke-width="3"/>'
    )
    every = -(-len(items) // 10)
    for k in items[::every]:
        parts.append(_words(x(k.day), height - 9, f"day {k.day}", "middle"))
    return _svg(height, parts)


@dataclass(frozen=True, slots=True)
class Facing:
    """A zone or screen on the shelf's face: (x0, z0, x1, z1) in metres, its heat 0 to 1 (None:
    nothing can be said), and two lines of words."""

    face: tuple[float, float, float, float]
    name: str
    words: str
    heat: float | None
    screen: bool = False


def planogram(facings: Sequence[Facing]) -> str:
    """The shelf's face to scale, warmer where attention rested."""
    if not facings:
        return _svg(40, [_words(WIDTH / 2, 24, "The layout places no zone on a shelf.", "middle")])
    x0 = min(f.face[0] for f in facings) - 0.1
    x1 = max(f.face[2] for f in facings) + 0.1
    z0 = min(f.face[1] for f in facings) - 0.1
    z1 = max(f.face[3] for f in facings) + 0.1
    scale = WIDTH / (x1 - x0)
    height = int((z1 - z0) * scale)
    parts = []
    for f in facings:
        x, y = (f.face[0] - x0) * scale, (z1 - f.face[3]) * scale
        wide, tall = (f.face[2] - f.face[0]) * scale, (f.face[3] - f.face[1]) * scale
        kind = "chart-screen" if f.screen else "chart-zone"
        parts.append(_box(x, y, wide, tall, kind, "#11181c" if f.screen else "#f2efe7"))
        if f.heat:
            parts.append(
                f'<rect x="{x:.1f}" y="{y:.1f}" width="{wide:.1f}" height="{tall:.1f}" rx="4" '
                f'class="chart-heat" fill="#d9480f" fill-opacity="{0.08 + 0.62 * f.heat:.3f}"/>'
            )
        size = max(7.0, min(15.0, wide / max(len(f.name), len(f.words), 8) * 1.7, tall / 3))
        ink = "#ffffff" if f.screen else _INK
        name = "chart-on-screen" if f.screen else "chart-ink"
        for line, words in enumerate((f.name, f.words)):
            down = y + tall / 2 + size * (1.25 * line - 0.2)
            parts.append(_words(x + wide / 2, down, words, "middle", ink, size, name))
    return _svg(height, parts)


def nice(most: float) -> float:
    """The top of an axis for values up to `most`: 1, 2 or 5 times a power of ten.

    >>> nice(37), nice(0.0), nice(0.12)
    (50, 1.0, 0.2)
    """
    if most <= 0:
        return 1.0
    power = 1.0
    while power > most:
        power /= 10
    while power * 10 <= most:
        power *= 10
    top = next(m * power for m in (1, 2, 5, 10) if m * power >= most)
    return int(top) if top >= 1 else round(top, 9)


def cut(text: str, most: int) -> str:
    """`text`, shortened to `most` characters."""
    return text if len(text) <= most else f"{text[: most - 1]}…"


def _grid(top: float, height: int, unit: str) -> str:
    parts = []
    for i in range(5):
        y = _TOP + (height - _TOP - _BOTTOM) * i / 4
        parts.append(_line(_LEFT, y, WIDTH - _RIGHT, y))
        parts.append(_words(_LEFT - 6, y + 4, f"{_plain(top * (4 - i) / 4)}{unit}", "end"))
    return "".join(parts)


def _plain(value: float | None) -> str:
    return (
        ""
        if value is None
        else f"{value:,.4g}".replace(",", " ")
        if value < 1e4
        else (f"{value:,.0f}".replace(",", " "))
    )


def _svg(height: float, parts: Sequence[str]) -> str:
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height:.0f}" '
        f'width="{WIDTH}" height="{height:.0f}" class="chart" aria-hidden="true" '
        f'font-family="{FONT}">{"".join(parts)}</svg>'
    )


def _box(
    x: float, y: float, wide: float, tall: float, name: str, fill: str, words: str = ""
) -> str:
    title = f"<title>{escape(words)}</title>" if words else ""
    return (
        f'<rect x="{x:.1f}" y="{y:.1f}" width="{wide:.1f}" height="{tall:.1f}" rx="3" '
        f'class="{name}" fill="{fill}">{title}</rect>'
    )


def _line(x0: float, y0: float, x1: float, y1: float, *, strong: bool = False) -> str:
    colour, name = (_SOFT, "chart-zero") if strong else (_LINE, "chart-line")
    return (
        f'<line x1="{x0:.1f}" y1="{y0:.1f}" x2="{x1:.1f}" y2="{y1:.1f}" class="{name}" '
        f'stroke="{colour}" stroke-width="1"/>'
    )


def _words(
    x: float,
    y: float,
    text: str,
    anchor: str,
    fill: str = _SOFT,
    size: float = _TEXT,
    name: str = "",
) -> str:
    style = name or ("chart-ink" if fill == _INK else "chart-soft")
    return (
        f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" font-size="{size:.1f}" '
        f'class="{style}" fill="{fill}">{escape(text)}</text>'
    )
