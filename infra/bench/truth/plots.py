"""The plots of the page on accuracy, as small SVG files whose text stays text."""

from collections.abc import Callable, Mapping
from pathlib import Path

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from infra.bench.truth.report import Errors, Figures, TruthReport

_INK, _GOOD, _GOAL, _SOFT = "#16130e", "#2d8f7f", "#d9480f", "#b9c4c2"

#: Of the groups, those with a plot; the tables have them all.
_PLOTTED = ("density", "distance", "kind", "hat", "mask")


def write_plots(report: TruthReport, folder: Path) -> list[str]:
    """Draws all plots into `folder`; their file names."""
    folder.mkdir(parents=True, exist_ok=True)
    plots: tuple[tuple[str, Callable[[TruthReport], Figure]], ...] = (
        ("reliability.svg", _reliability),
        ("zones.svg", _zones),
        ("times.svg", _times),
        ("groups.svg", _groups),
        ("rates.svg", _rates),
    )
    # Text as text keeps the files small; no date and fixed ids keep them as they were.
    with mpl.rc_context({"svg.fonttype": "none", "svg.hashsalt": "smartstore", "font.size": 9}):
        for name, draw in plots:
            figure = draw(report)
            figure.savefig(folder / name, format="svg", metadata={"Date": None, "Creator": None})
    return [name for name, _ in plots]


def _figure(title: str, columns: int = 1, width: float = 4.2) -> tuple[Figure, list[Axes]]:
    figure = Figure(figsize=(width * columns, 3.0), layout="constrained")
    figure.suptitle(f"{title} (simulated)", color=_INK, fontsize=10)
    axes = [figure.add_subplot(1, columns, i + 1) for i in range(columns)]
    for axis in axes:
        axis.spines[["top", "right"]].set_visible(False)
        axis.set_axisbelow(True)
        axis.grid(axis="y", color=_SOFT, linewidth=0.4)
    return figure, axes


def _reliability(report: TruthReport) -> Figure:
    """What was said against what was right."""
    ece = "none" if report.zone.ece is None else f"{report.zone.ece:.3f}"
    figure, (axis,) = _figure(f"Zone probabilities: calibration error {ece}")
    bins = report.zone.reliability
    most = max((each.count for each in bins), default=1)
    axis.plot([0, 1], [0, 1], color=_SOFT, linewidth=1)
    axis.bar(
        [each.said for each in bins],
        [each.count / most for each in bins],
        width=0.05,
        color=_SOFT,
        label="how many",
    )
    axis.plot(
        [each.said for each in bins],
        [each.right for each in bins],
        marker="o",
        color=_GOOD,
        label="right",
    )
    axis.set(xlabel="probability that was said", ylabel="share that was right")
    axis.set(xlim=(0, 1), ylim=(0, 1.02))
    axis.legend(frameon=False)
    return figure


def _zones(report: TruthReport) -> Figure:
    """Right and named by distance."""
    figure, (axis,) = _figure("Zones that are looked at, by distance")
    distances = list(report.zone.share_named)
    bars = (
        ("right among named", report.zone.right_when_named, _GOOD),
        ("named", report.zone.share_named, _SOFT),
        ("most probable is right", report.zone.right, _INK),
    )
    for number, (label, values, colour) in enumerate(bars):
        at = [i + 0.27 * (number - 1) for i in range(len(distances))]
        heights = [values[d] or 0.0 for d in distances]
        axis.bar(at, heights, width=0.25, color=colour, label=label)
    axis.axhline(0.9, color=_GOAL, linewidth=0.8, linestyle="--")
    axis.set(ylabel="share of pictures", ylim=(0, 1.02), xticks=range(len(distances)))
    axis.set_xticklabels([f"{d} m" for d in distances])
    axis.legend(frameon=False, fontsize=7)
    return figure


def _times(report: TruthReport) -> Figure:
    """Errors of dwell and attention time."""
    figure, (axis,) = _figure("Errors of time")
    named = {"dwell": report.dwell_time_error, "attention": report.attention_time_error}
    goals = {"dwell p50": 0.05, "dwell p90": 0.20, "attention p50": 0.12}
    labels, heights = [], []
    for name, found in named.items():
        labels += [f"{name} p50", f"{name} p90"]
        heights += [found.p50 or 0.0, found.p90 or 0.0]
    axis.bar(labels, heights, width=0.5, color=_GOOD)
    axis.tick_params(axis="x", labelsize=7)
    for i, label in enumerate(labels):
        if label in goals:
            axis.hlines(goals[label], i - 0.35, i + 0.35, color=_GOAL, linestyle="--")
    axis.set(ylabel="|measured - true| / true")
    return figure


def _groups(report: TruthReport) -> Figure:
    """Watchers found and errors of time, by group."""
    groups = [name for name in _PLOTTED if len(report.by_group.get(name, {})) > 1]
    figure, axes = _figure("By group", columns=max(1, len(groups)), width=2.4)
    for axis, group in zip(axes, groups, strict=False):
        found = report.by_group[group]
        at = range(len(found))
        axis.bar([i - 0.2 for i in at], _recalls(found), width=0.36, color=_GOOD, label="recall")
        middles = [_middle(figures.attention_time_error) for figures in found.values()]
        axis.bar([i + 0.2 for i in at], middles, width=0.36, color=_SOFT, label="attention p50")
        axis.set(title=group, ylim=(0, 1.02), xticks=list(at))
        axis.set_xticklabels(list(found), rotation=30, ha="right", fontsize=7)
    axes[0].legend(frameon=False, fontsize=7)
    return figure


def _recalls(found: Mapping[str, Figures]) -> list[float]:
    return [figures.watchers.recall or 0.0 for figures in found.values()]


def _middle(errors: Errors) -> float:
    return min(1.0, errors.p50 or 0.0)


def _rates(report: TruthReport) -> Figure:
    """Errors by frame rate."""
    figure, (axis,) = _figure("By pictures a second")
    rates = [each.fps for each in report.by_frame_rate]
    lines = (
        ("dwell p50", [_middle(each.dwell_time_error) for each in report.by_frame_rate], _GOOD),
        (
            "attention p50",
            [_middle(each.attention_time_error) for each in report.by_frame_rate],
            _INK,
        ),
        (
            "watchers missed",
            [1.0 - (each.watchers.recall or 0.0) for each in report.by_frame_rate],
            _GOAL,
        ),
    )
    for label, values, colour in lines:
        axis.plot(rates, values, marker="o", color=colour, label=label)
    axis.set(xlabel="pictures a second", ylim=(0, None), xticks=rates)
    axis.set_xticklabels([f"{rate:g}" for rate in rates])
    axis.legend(frameon=False)
    return figure
