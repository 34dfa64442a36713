"""The processes of a run: which there are, what each is told, and what the run comes to."""

from dataclasses import replace
from pathlib import Path

import pytest
from msgspec.structs import replace as replace_struct
from pydantic import SecretStr

from infra.chain import Plan
from infra.chain.beforehand import experiment_of
from infra.chain.count import Ran, report_of
from infra.chain.parts import Pages, Parts, Servers, free_pages
from infra.layouts import load_layout
from infra.report import Detector, GatewayStats, Rows
from infra.stack.part import Part
from infra.stack.state import StateFolder
from infra.tally import Tally
from infra.triton.models import PreparedModel

EXAMPLE = Path(__file__).parents[3] / "examples" / "store.yaml"
SERVERS = Servers("127.0.0.1:9", "127.0.0.1:8", SecretStr("postgresql://db"), "http://k/")
PLAN = Plan(
    layout_path=EXAMPLE,
    layout=load_layout(EXAMPLE),
    camera_file=None,
    webcam=None,
    seconds=5.0,
    headless=True,
    weights=None,
    models_dir=None,
    input_size_px=None,
    seed=7,
    adaptive_share=0.5,
    slot_ms=60_000,
)
SCREENS = [screen.screen_id for screen in PLAN.layout.screens]
PAGES = Pages(7_001, 7_002, {screen: 7_010 + n for n, screen in enumerate(SCREENS)})
STATS = GatewayStats(
    cameras=[], detector=Detector(name="seen", sha256="cd"), frames_failed=0, errors=["blind"]
)


@pytest.fixture
def state(tmp_path: Path) -> StateFolder:
    folder = StateFolder(tmp_path)
    folder.run.mkdir(parents=True)
    return folder


def parts(plan: Plan, state: StateFolder) -> dict[str, Part]:
    return {part.name: part for part in Parts(plan, state, SERVERS, PAGES, 1_000).all()}


def test_a_simulated_store_has_all_processes(state: StateFolder) -> None:
    names = {"sink", "measure", "react", "upkeep", "learner", "publisher", "web", "till", "gateway"}
    found = parts(PLAN, state)
    assert found.keys() == names | {f"player-{screen}" for screen in SCREENS}
    assert len({part.ready for part in found.values()}) == len(found)


def test_what_no_shopper_waits_for_can_be_left_out(state: StateFolder) -> None:
    found = parts(replace(PLAN, reaction_only=True), state)
    players = {f"player-{screen}" for screen in SCREENS}
    assert found.keys() == {"gateway", "react", "publisher"} | players


def test_everybody_is_told_where_the_servers_are(state: StateFolder) -> None:
    for part in parts(PLAN, state).values():
        env = part.command.env
        assert env["SMARTSTORE_KAFKA"] == SERVERS.kafka
        assert env["SMARTSTORE_TRITON"] == SERVERS.triton
        assert env["SMARTSTORE_DATABASE"] == "postgresql://db"
        assert all(SERVERS.dsn.get_secret_value() not in word for word in part.command.argv)


@pytest.mark.parametrize(
    ("changes", "words", "restart", "till"),
    [
        ({}, ["--simulate", "--seed", "7"], "always", True),
        ({"webcam": 2}, ["--webcam", "2"], "on_failure", False),
        ({"camera_file": EXAMPLE}, ["--camera", str(EXAMPLE.resolve())], "on_failure", False),
    ],
)
def test_the_gateway_reads_what_the_plan_names(
    changes: dict[str, object], words: list[str], restart: str, till: bool, state: StateFolder
) -> None:
    found = parts(replace(PLAN, **changes), state)  # type: ignore[arg-type]
    gateway = found["gateway"]
    assert gateway.command.argv[-len(words) - 2 : -2] == words
    assert gateway.restart == restart
    assert ("till" in found) is till
    assert ("SMARTSTORE_WEB_SIMULATED" in found["web"].command.env) is till


def test_one_key_signs_and_all_players_trust_it(state: StateFolder) -> None:
    found = parts(PLAN, state)
    keys = {found["publisher"].command.env["SMARTSTORE_PUBLISHER_KEY"]}
    keys |= {found[f"player-{s}"].command.env["SMARTSTORE_PUBLISHER_KEY"] for s in SCREENS}
    (key,) = keys
    content = Path(key).read_bytes()
    parts(PLAN, state)
    assert Path(key).read_bytes() == content


def test_each_area_with_a_camera_has_a_gateway() -> None:
    (camera,) = {camera.area_id: camera for camera in PLAN.layout.cameras}.values()
    other = replace_struct(camera, camera_id="other", area_id="till")
    layout = replace_struct(
        PLAN.layout,
        areas=(*PLAN.layout.areas, replace_struct(PLAN.layout.areas[0], area_id="till")),
        cameras=(camera, other),
    )
    assert PLAN.gateways == {camera.area_id: "gateway"}
    assert replace(PLAN, layout=layout).gateways == {
        area: f"gateway-{area}" for area in sorted((camera.area_id, "till"))
    }


def test_the_live_page_is_where_the_plan_wants_it() -> None:
    pages = free_pages(replace(PLAN, web_port=8_123))
    assert pages.web_url == "http://127.0.0.1:8123/"
    assert pages.player_urls.keys() == set(SCREENS)


def test_a_real_store_has_no_true_effect() -> None:
    assert experiment_of(PLAN, "r", 90_000).true_effect == PLAN.true_effect.basket
    real = experiment_of(replace(PLAN, webcam=0), "r", 90_000)
    assert real.true_effect is None
    assert not real.simulated
    assert real.starts_at_ms == 60_000


@pytest.mark.parametrize(
    ("stats", "rendered", "plays", "detector", "errors"),
    [([STATS], 4, 4, "seen", ["mine", "blind"]), ([], None, 1, "asked", ["mine"])],
)
def test_the_report_is_of_what_was_left(
    stats: list[GatewayStats], rendered: int | None, plays: int, detector: str, errors: list[str]
) -> None:
    report = report_of(
        Ran(
            run_id="r",
            plan=PLAN,
            model=PreparedModel("asked", "ab", EXAMPLE),
            tally=Tally(plays_started={"p"}, plays_ended={"p", "q"}, first_change_ms=3_500),
            rows=Rows(gaze=2),
            stats=stats,
            rendered=rendered,
            began_ms=1_000,
            source_start_ms=2_000,
            seconds=5.04,
            restarts=1,
            errors=["mine"],
        )
    )
    assert (report.plays, report.plays_acknowledged) == (plays, 1)
    assert report.detector is not None
    assert report.detector.name == detector
    assert report.errors == errors
    assert report.seconds_to_first_content_change == 2.5
    assert report.stays == []
