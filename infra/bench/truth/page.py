"""The page on accuracy: the figures of one report, with plots, what limits them and how to read
them. Everything on it is of the simulated store, and it says so.
"""

from collections.abc import Iterable, Sequence
from pathlib import Path

from infra.bench.truth.plots import write_plots
from infra.bench.truth.report import Errors, Figures, TruthReport
from infra.errors import UserError, os_sentence

_GROUP_TITLES = {
    "density": "By density",
    "distance": "By distance from the shelf",
    "height": "By height",
    "kind": "By kind",
    "hat": "With a hat",
    "mask": "With a mask",
    "chair": "In a wheelchair",
}


def write_page(report: TruthReport, page: Path) -> None:
    """Writes the page, and its plots into a folder of its name beside it.

    Raises:
        UserError: they cannot be written there.
    """
    folder = page.with_suffix("")
    try:
        plots = write_plots(report, folder)
        page.write_text(page_of(report, [f"{folder.name}/{name}" for name in plots]))
    except OSError as error:
        raise UserError(os_sentence(error, str(page))) from error


def page_of(report: TruthReport, plots: Sequence[str]) -> str:
    """The page as Markdown; `plots` are the links, in the order of `plots.write_plots`."""
    reliability, zones, times, groups, rates = plots
    parts = [
        _HEAD.format(
            seeds=", ".join(f"{name} {seed}" for name, seed in report.seeds.items()),
            model=report.detector,
            sha=report.weights_sha256[:12],
            date=report.measured_at[:10],
            minutes=report.minutes,
            shoppers=report.shoppers,
            cameras=report.configuration.cameras,
            fps=f"{report.configuration.fps:g}",
            size=report.configuration.input_size_px,
            picture=report.configuration.picture,
            name=report.configuration.name,
            machine=report.versions.get("machine", "unknown"),
            tuning=", ".join(str(seed) for seed in report.tuning_seeds),
        ),
        _warning(report),
        "## Against the goals\n",
        _goals(report),
        "\n## All figures\n",
        _overall(report),
        f"\n![Errors of time]({times})\n",
        "\n## Which zone is looked at\n",
        _zones(report),
        f"\n![Zones by distance]({zones}) ![Reliability]({reliability})\n",
        "\n## By group\n\n" + _GROUPS_NOTE,
        f"\n![By group]({groups})\n",
        *(_group(title, report.by_group.get(name, {})) for name, title in _GROUP_TITLES.items()),
        "\n## By frame rate\n",
        _by_rate(report),
        f"\n![By frame rate]({rates})\n",
        _READ,
        _LIMITS,
    ]
    return "\n".join(part.strip("\n") + "\n" for part in parts if part)


def _warning(report: TruthReport) -> str:
    if not report.scored_on_a_tuning_seed:
        return ""
    return "**Made on a seed that numbers were tuned on: not to be quoted.**\n"


def _goals(report: TruthReport) -> str:
    rows = [
        (f"`{goal.figure}`", goal.wanted, _number(goal.found), "met" if goal.met else "**not met**")
        for goal in report.goals
    ]
    return _table(("figure", "goal", "found (simulated)", ""), rows)


def _overall(report: TruthReport) -> str:
    delay = report.glance_to_event_ms
    any_target, by_shopper = report.watchers_of_anything, report.attention_time_error_by_shopper
    rows = [
        ("watchers, by shopper and target: recall", _number(report.watchers.recall)),
        ("watchers, by shopper and target: precision", _number(report.watchers.precision)),
        ("watchers of anything, by shopper: recall", _number(any_target.recall)),
        ("watchers of anything, by shopper: precision", _number(any_target.precision)),
        ("dwell time, by shopper and zone", _errors(report.dwell_time_error)),
        ("dwell time, of watchers of the zone", _errors(report.dwell_time_error_of_watchers)),
        ("dwell time, zones together", _errors(report.dwell_time_error_by_shopper)),
        ("dwell time told over true, all together", _signed(report.dwell_time_bias)),
        ("attention time, by shopper and target", _errors(report.attention_time_error)),
        ("attention time, targets together", _errors(by_shopper)),
        ("attention time told over true, all together", _signed(report.attention_time_bias)),
        ("opportunities to see: error of their number", _number(report.ots_error)),
        ("identity switches an hour", f"{report.identity_switches_per_hour:g}"),
        ("lost tracks that went on (stitched)", str(report.stitched)),
        ("taken for staff", str(report.staff_excluded)),
        ("shoppers without a track", str(report.unmatched_shoppers)),
        ("tracks that are nobody's", str(report.unmatched_tracks)),
        ("from a glance's beginning to its event, p50", _ms(delay.p50)),
        ("from a glance's beginning to its event, p95", _ms(delay.p95)),
        ("glances with an event of their own", _number(delay.told)),
        ("inference of one picture, p50", _ms(report.inference_ms_p50)),
    ]
    return _table(("figure", "found (simulated)"), rows)


def _zones(report: TruthReport) -> str:
    zone = report.zone
    rows = [
        (
            f"{at} m",
            str(zone.pictures[at]),
            _number(zone.right_when_named[at]),
            _number(zone.share_named[at]),
            _number(zone.right[at]),
        )
        for at in zone.share_named
    ]
    head = ("distance", "pictures", "right among named", "named", "most probable is right")
    said = (
        f"\nA zone counts as named from a probability of {zone.named_from:g} on. Over all "
        f"distances the most probable zone is right in {_number(zone.right_overall)} of the "
        f"pictures; a face was found in {_number(zone.face_found)}. Expected calibration error: "
        f"{_number(zone.ece)} (of all targets, not only the most probable: "
        f"{_number(zone.ece_all_targets)})."
    )
    return _table(head, rows) + said


def _group(title: str, found: dict[str, Figures]) -> str:
    if not found:
        return ""
    rows = [
        (
            name,
            str(figures.shoppers),
            _number(figures.watchers.recall),
            _number(figures.watchers.precision),
            _errors(figures.dwell_time_error),
            _errors(figures.attention_time_error),
            _number(figures.right_when_named),
            _number(figures.share_named),
            _number(figures.ece),
            _ms(figures.glance_to_event_p50_ms),
        )
        for name, figures in found.items()
    ]
    head = (
        title.removeprefix("By ").removeprefix("With a ").removeprefix("In a "),
        "shoppers",
        "recall",
        "precision",
        "dwell error",
        "attention error",
        "right among named",
        "named",
        "calibration error",
        "glance to event",
    )
    return f"\n### {title}\n\n" + _table(head, rows)


def _by_rate(report: TruthReport) -> str:
    rows = [
        (
            f"{each.fps:g}",
            _number(each.watchers.recall),
            _number(each.watchers.precision),
            _errors(each.dwell_time_error),
            _errors(each.attention_time_error),
            f"{each.identity_switches_per_hour:g}",
            f"{_ms(each.glance_to_event_ms.p50)} / {_ms(each.glance_to_event_ms.p95)}",
        )
        for each in report.by_frame_rate
    ]
    head = (
        "pictures a second",
        "recall",
        "precision",
        "dwell error",
        "attention error",
        "switches an hour",
        "glance to event p50 / p95",
    )
    return _table(head, rows)


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines) + "\n"


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:.3f}".rstrip("0").rstrip(".")


def _signed(value: float | None) -> str:
    return "-" if value is None else f"{100 * value:+.1f} %"


def _ms(value: float | None) -> str:
    return "-" if value is None else f"{value:.0f} ms"


def _errors(errors: Errors) -> str:
    if errors.p50 is None or errors.p90 is None:
        return "-"
    return f"p50 {100 * errors.p50:.1f} %, p90 {100 * errors.p90:.1f} % (n {errors.count})"


_HEAD = """
# Accuracy

How wrong are watchers, dwell and attention? **Everything on this page is simulated:** rendered
shoppers whose every step and glance is known, seen by the real networks on the real model server,
followed by the gateway's own pipeline. It says how the method errs under known conditions; it does
not say how it errs in a store. The error of one installed camera is measured there, by its walk
test (`smartstore calibrate --walk-test`).

`smartstore bench truth --json truth.json --docs docs/accuracy.md` makes this page.

| | |
| --- | --- |
| configuration | {name}: {model}, input {size} px, {fps} pictures a second of {picture} px |
| weights | SHA-256 {sha}… |
| store | {cameras} shelf cameras, {minutes:g} minutes, {shoppers} shoppers |
| seeds scored | {seeds} |
| seeds that numbers were tuned on | {tuning} |
| made | {date}, {machine} |
"""

_GROUPS_NOTE = """
A track that is nobody's has no height and no hat: it counts against precision by density and over
all, not in the other groups. A miss is an error of 100 %.
"""

_READ = """
## How to read it

- **Matching.** Tracks and shoppers are matched one to one, by the time that they are at the same
  place (within 1 m), so that the most time fits over all. What a second track of the same shopper
  tells counts as too much.
- **Watcher**: a shopper who looked at a zone or screen at least once, from within its floor, for
  its fixation time. Recall and precision are of pairs of shopper and target: a watcher told of the
  neighbouring zone is one missed and one too many.
- **Dwell time**: stays in a zone's floor of at least its minimum; gaps up to the gap window belong
  to a stay. **Attention time**: the time in which the eyes rest on the target. Both errors are
  |measured - true| / true for each pair of shopper and target with a true time, and a pair of which
  nothing was told is a miss of 100 %.
- **Zone probabilities** are taken picture by picture. Expected calibration error: what the most
  probable target's probability is against how often it is right, whatever the shopper looked at.
  Right among named and named: of pictures in which the eyes rest on a zone from within its floor,
  at places uniform within zones.
- **Glance to event**: from the moment that the eyes rest on a target to the picture that told the
  gaze, and its inference as it was measured on this machine. The broker is not in it.
- **Opportunities to see**: shoppers whose place and heading let them see a target.
"""

_LIMITS = """
## What limits it

- **Who is who.** Where people hide one another the detector loses them, and tracks break or change
  hands: compare the densities above. A shopper whose track breaks is told as two, with a dwell and
  an attention each, and one of them counts as nobody's. Where the truth says which detection is
  whose, all else being equal (tuning seeds), watchers come out with a recall of 0.71 and a
  precision of 0.66, and dwell is wrong by 3 % in the median: that is what is lost to names. Sums
  over all shoppers suffer far less: see "told over true, all together".
- **Eyes are not heads.** Where the truth says what is looked at as well (tuning seeds 1 to 3),
  recall and precision come out at 0.90: this is the largest cause of watchers of a wrong zone, most
  often the next one. What is measured is facing. The simulated eyes leave the head's direction as
  real ones do (small shifts are made by the eyes alone), and no method that sees heads can know by
  how much. It limits which zone is named, more the farther away: 6 degrees are 10 cm at 1 m, 21 cm
  at 2 m and 31 cm at 3 m, and zones are 60 to 100 cm wide.
- **Pixels.** With the lens of these cameras a face is about 55 px wide at 2 m and 37 px at 3 m in a
  picture of 1280 px; the person network sees half of that, the head network all.
- **The picture's rate.** A stay or look begins and ends between two pictures, and a look is told
  once its fixation time has passed.
- **Hidden people.** In a crowd those behind are hidden for a while; a shelf camera sees heads of
  about the same height one behind the other.
- **Rendered people** are made of few faces and simple bodies, with one kind of light. Real shoppers
  are more varied; a network may do better or worse on them.
"""
