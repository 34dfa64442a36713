"""The summary of a video as a page without any picture: for each person a line of time."""

from html import escape

from infra.annotate.story import PersonStory, Stretch, Summary

#: Width of the lines of time, in CSS pixels.
_WIDE = 900.0


def page_of(summary: Summary, names: dict[str, str]) -> str:
    """The page; `names` of the targets, by their id."""
    persons = "\n".join(_person(person, summary, names) for person in summary.persons)
    rows = "\n".join(
        f"<tr><td>{person.number}</td><td>{name}</td>"
        f"<td>{escape(names.get(s.target_id, s.target_id))}</td><td>{_clock(s.from_ms)}</td>"
        f"<td>{_clock(s.until_ms)}</td><td>{_long(s)}</td></tr>"
        for person in summary.persons
        for name, stretches in (("dwell", person.dwells), ("gaze", person.gazes))
        for s in stretches
    )
    return f"""<!doctype html>
<html lang="en"><meta charset="utf-8"><title>{escape(summary.video)}</title>
<style>
body {{ font: 15px/1.5 system-ui, sans-serif; max-width: 62rem; margin: 2rem auto; color: #16130e }}
svg {{ display: block; width: 100%; height: auto }} table {{ border-collapse: collapse }}
td, th {{ padding: .15rem .8rem .15rem 0; text-align: left; font-variant-numeric: tabular-nums }}
.seen {{ fill: #dfe7e5 }} .dwell {{ fill: #2d8f7f }} .gaze {{ fill: #ff7a3d }}
text {{ font-size: 11px }} p.key span {{ padding: 0 .5em; margin-right: .3em }}
</style>
<h1>{escape(summary.video)}</h1>
<p>{summary.seconds:.1f} s, {summary.frames} pictures looked at by {escape(summary.detector)}.
<b>{summary.people}</b> people, <b>{summary.dwells}</b> dwells, <b>{summary.gazes}</b> gazes;
{summary.stitched} lost tracks went on under another, {summary.staff_excluded} taken for staff.
People are numbered in the order of coming in; the numbers die with this video. A gaze is where a
face points, which is an estimate of attention. This page holds no picture of anybody.</p>
<p class="key"><span style="background:#dfe7e5">seen</span>
<span style="background:#2d8f7f;color:#fff">dwell in a zone</span>
<span style="background:#ff7a3d">gaze</span></p>
{persons}
<h2>One by one</h2>
<table><tr><th>person</th><th>what</th><th>where</th><th>from</th><th>to</th><th>for</th></tr>
{rows}
</table>
</html>
"""


def _person(person: PersonStory, summary: Summary, names: dict[str, str]) -> str:
    """A line of time: seen, and on it dwells and gazes."""
    end = max(1, round(1000 * summary.seconds))

    def bar(from_ms: int, until_ms: int | None, kind: str, y: int, tall: int, told: str) -> str:
        x = _WIDE * from_ms / end
        wide = max(1.5, _WIDE * ((end if until_ms is None else until_ms) - from_ms) / end)
        return (
            f'<rect class="{kind}" x="{x:.1f}" y="{y}" width="{wide:.1f}" height="{tall}">'
            f"<title>{escape(told)}</title></rect>"
        )

    def told(what: str, s: Stretch) -> str:
        name = names.get(s.target_id, s.target_id)
        return f"{what} {name}: {_clock(s.from_ms)} to {_clock(s.until_ms)}, {_long(s)}"

    seen = f"seen {_clock(person.first_seen_ms)} to {_clock(person.last_seen_ms)}"
    bars = [bar(person.first_seen_ms, person.last_seen_ms, "seen", 2, 22, seen)]
    bars += [bar(s.from_ms, s.until_ms, "dwell", 4, 9, told("dwell", s)) for s in person.dwells]
    bars += [bar(s.from_ms, s.until_ms, "gaze", 14, 8, told("gaze", s)) for s in person.gazes]
    return (
        f'<svg viewBox="-90 0 {_WIDE + 95:.0f} 28" role="img"><text x="-88" y="17">'
        f"person {person.number}</text>{''.join(bars)}</svg>"
    )


def _clock(at_ms: int | None) -> str:
    """Minutes and seconds of the video.

    >>> _clock(83_400)
    '1:23.4'
    """
    if at_ms is None:
        return "the end"
    return f"{at_ms // 60_000}:{at_ms % 60_000 / 1000:04.1f}"


def _long(stretch: Stretch) -> str:
    if stretch.attention_ms is not None:
        return f"{stretch.attention_ms / 1000:.1f} s of attention"
    if stretch.until_ms is None:
        return "until the end"
    return f"{(stretch.until_ms - stretch.from_ms) / 1000:.1f} s"
