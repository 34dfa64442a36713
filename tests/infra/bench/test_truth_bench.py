"""The bench from recordings to report and page, on detections without pictures: no network here."""

import asyncio
import re
from dataclasses import replace
from pathlib import Path

import msgspec
import numpy as np
import pytest

from infra.bench.configuration import CONFIGURATION
from infra.bench.truth.bench import TruthPlan, score
from infra.bench.truth.keeping import fingerprint, load, save
from infra.bench.truth.page import write_page
from infra.bench.truth.recording import Recording, View
from infra.bench.truth.report import TruthReport
from infra.bench.truth.world import Stretch
from infra.errors import UserError
from infra.layouts import load_layout
from infra.simulator.sensing import NOISELESS, detections
from vision.core.geometry import camera_model
from vision.ports import DetectorInfo
from vision.settings import GatewaySettings

AISLE = Path(__file__).parents[3] / "infra" / "simulator" / "aisle.yaml"
INFO = DetectorInfo("no network", "0" * 64)


@pytest.fixture(scope="module")
def plan() -> TruthPlan:
    return TruthPlan(
        layout=load_layout(AISLE),
        stretches=(Stretch("busy", 0, seed=14, minutes=0.35),),
        rates=(2.5, 5.0),
        configuration=replace(CONFIGURATION, fps=5.0),
        models_dir=None,
        weights=None,
        gateway=GatewaySettings(),
        workers=1,
    )


def recorded(view: View, size_px: tuple[int, int]) -> Recording:
    assert view.camera.pose is not None
    camera = camera_model(view.camera.pose, *size_px)
    crowd = view.stretch.crowd(load_layout(AISLE), view.camera.area_id)
    rng = np.random.default_rng(1)
    times = view.times_ms
    seen = [detections(crowd.people(at), camera, NOISELESS, rng) for at in times]
    return Recording(view, times, seen, [40.0] * len(times))


@pytest.fixture(scope="module")
def recordings(plan: TruthPlan) -> list[Recording]:
    return [recorded(view, plan.configuration.picture_px) for view in plan.views]


@pytest.fixture(scope="module")
def report(plan: TruthPlan, recordings: list[Recording]) -> TruthReport:
    return asyncio.run(score(plan, recordings, INFO, began_s=0.0))


def figures(report: TruthReport) -> dict[str, object]:
    """All of it but when it was made and how long it took."""
    told = msgspec.to_builtins(report)
    return {name: value for name, value in told.items() if name not in ("measured_at", "seconds")}


async def test_the_same_recording_has_the_same_figures(
    plan: TruthPlan, recordings: list[Recording], report: TruthReport, tmp_path: Path
) -> None:
    kept, mark = tmp_path / "kept.npz", fingerprint(plan.views, plan.layout)
    save(kept, mark, INFO, recordings)
    info, again = load(kept, mark, plan.views)
    assert info == INFO
    assert figures(await score(plan, again, info, began_s=0.0)) == figures(report)
    with pytest.raises(UserError, match="another layout, seed"):
        load(kept, "another", plan.views)
    kept.write_bytes(b"nothing")
    with pytest.raises(UserError, match="cannot be read"):
        load(kept, mark, plan.views)


def test_without_errors_of_a_network_shoppers_are_found_and_times_are_right(
    report: TruthReport,
) -> None:
    assert report.shoppers > 3
    # Who comes in at the very end is not in sight yet.
    assert report.unmatched_shoppers < report.shoppers / 3
    assert report.dwell_time_error.count > 3
    assert report.dwell_time_error.p50 is not None
    assert report.dwell_time_error.p50 < 0.1
    assert [rate.fps for rate in report.by_frame_rate] == [2.5, 5.0]
    assert report.by_frame_rate[1].dwell_time_error == report.dwell_time_error
    assert report.by_frame_rate[0].dwell_time_error != report.dwell_time_error


def test_the_report_has_the_fields_that_others_read(report: TruthReport) -> None:
    told = msgspec.json.decode(msgspec.json.encode(report))
    assert told["simulated"] is True
    assert told["detector"] == "no network"
    assert set(told["watchers"]) == {"recall", "precision"}
    assert set(told["zone"]["right_when_named"]) == {"1.0", "2.0", "3.0"}
    assert set(told["zone"]["share_named"]) == {"1.0", "2.0", "3.0"}
    for name in ("dwell_time_error", "attention_time_error"):
        assert {"p50", "p90"} <= set(told[name])
    assert {"p50", "p95"} <= set(told["glance_to_event_ms"])
    assert {"density", "distance", "height", "hat", "mask", "chair"} <= set(told["by_group"])
    assert told["configuration"]["input_size_px"] == CONFIGURATION.input_size_px
    assert told["scored_on_a_tuning_seed"] is False
    assert told["minutes"] == 0.35


def test_the_page_shows_every_plot_and_says_that_it_is_simulated(
    report: TruthReport, tmp_path: Path
) -> None:
    page = tmp_path / "accuracy.md"
    write_page(report, page)
    text = page.read_text()
    assert "Everything on this page is simulated" in text
    assert "{" not in text
    plots = re.findall(r"!\[[^]]*\]\(([^)]+)\)", text)
    assert len(plots) == 5
    for plot in plots:
        drawn = (tmp_path / plot).read_text()
        assert "simulated" in drawn
        assert len(drawn) < 60_000
    for title in ("density", "distance", "height", "hat", "mask", "wheelchair", "frame rate"):
        assert title in text


def test_a_recording_holds_whatever_no_picture_shows(plan: TruthPlan) -> None:
    def mark(layout: object) -> str:
        return fingerprint(plan.views, (layout, plan.configuration))

    told = msgspec.structs.replace(plan.layout, contact="The manager, at the till")
    moved = msgspec.structs.replace(plan.layout, zones=plan.layout.zones[1:])
    assert mark(told) == mark(plan.layout)
    assert mark(moved) != mark(plan.layout)
