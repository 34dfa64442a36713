"""What a run comes to: the report, from the log, the database and what the gateways left. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass

from infra.chain.plan import Plan
from infra.report import CameraReport, Detector, GatewayStats, Report, Rows
from infra.tally import Tally
from infra.triton.models import PreparedModel


@dataclass(frozen=True, slots=True)
class Ran:
    """What a run left. `rendered`: pictures that the pages read by a program say they rendered,
    None without such pages."""

    run_id: str
    plan: Plan
    model: PreparedModel
    tally: Tally
    rows: Rows
    stats: Sequence[GatewayStats]
    rendered: int | None
    began_ms: int
    source_start_ms: int
    seconds: float
    restarts: int
    errors: Sequence[str]


def report_of(ran: Ran) -> Report:
    """The report of a run."""
    plan, tally = ran.plan, ran.tally
    cameras: list[CameraReport] = []
    errors = list(ran.errors)
    detector = Detector(name=ran.model.name, sha256=ran.model.sha256)
    for each in ran.stats:
        cameras += each.cameras
        detector = each.detector
        errors += each.errors
    if tally.undecodable:
        errors.append(f"{tally.undecodable} records in the log could not be decoded")
    first = tally.first_change_ms
    return Report(
        run_id=ran.run_id,
        seconds=round(ran.seconds, 1),
        simulated=plan.simulated,
        true_effect_on_baskets=plan.true_effect.basket if plan.simulated else None,
        cameras=cameras,
        events=tally.events(),
        decisions=len(tally.decisions),
        content_changes=tally.content_changes,
        # A browser's page says what it rendered only to its player.
        plays=len(tally.plays_started) if ran.rendered is None else ran.rendered,
        plays_acknowledged=len(tally.plays_ended & tally.plays_started),
        database=ran.rows,
        latency_ms=tally.latency(),
        dead_letters=tally.dead_letters,
        restarts=ran.restarts,
        seconds_to_first_content_change=(
            None if first is None else round((first - ran.began_ms) / 1000, 1)
        ),
        detector=detector,
        stays=tally.stays(ran.source_start_ms) if plan.camera_file else [],
        errors=errors,
    )
