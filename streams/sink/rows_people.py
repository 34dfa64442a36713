"""The rows of what cameras say of people, and of what is measured from it: pure. A fact that has
only begun leaves none.
"""

from streams.contracts.attention import AttentionWindow, Exposure
from streams.contracts.vision import Audience, Crossing, Dwell, DwellBatch, Gaze, GazeBatch
from streams.sink import tables
from streams.sink.row import Row, Unit, moment, moment_or_none, trace


def gaze(batch: GazeBatch) -> list[Unit]:
    return [(_gaze_row(batch, gaze),) for gaze in batch.events if gaze.phase == "ended"]


def _gaze_row(batch: GazeBatch, gaze: Gaze) -> Row:
    return Row(
        tables.GAZE,
        (
            gaze.gaze_id,
            batch.store_id,
            batch.area_id,
            batch.gateway_id,
            gaze.track_id,
            gaze.camera_id,
            gaze.target_id,
            gaze.target_kind,
            gaze.probability,
            moment(gaze.started_at_ms),
            moment_or_none(gaze.ended_at_ms),
            gaze.attention_ms,
            gaze.distance_m,
            gaze.censored,
            gaze.calibration_version,
            *trace(gaze.trace),
        ),
    )


def dwell(batch: DwellBatch) -> list[Unit]:
    ended = [dwell for dwell in batch.events if dwell.phase == "ended" and not dwell.excluded]
    return [(_dwell_row(batch, dwell),) for dwell in ended]


def _dwell_row(batch: DwellBatch, dwell: Dwell) -> Row:
    return Row(
        tables.DWELL,
        (
            dwell.dwell_id,
            batch.store_id,
            batch.area_id,
            batch.gateway_id,
            dwell.track_id,
            dwell.camera_id,
            dwell.zone_id,
            moment(dwell.entered_at_ms),
            moment_or_none(dwell.left_at_ms),
            dwell.censored,
            dwell.calibration_version,
            *trace(dwell.trace),
        ),
    )


def presences(audience: Audience) -> list[Unit]:
    return [
        (
            Row(
                tables.PRESENCE,
                (
                    presence.presence_id,
                    audience.store_id,
                    audience.area_id,
                    audience.gateway_id,
                    audience.camera_id,
                    presence.track_id,
                    presence.target_id,
                    presence.target_kind,
                    moment(presence.entered_at_ms),
                    moment(presence.left_at_ms),
                    presence.opportunity_ms,
                    presence.watched,
                ),
            ),
        )
        for presence in audience.presences
    ]


def attention(window: AttentionWindow) -> list[Unit]:
    values = (
        window.store_id,
        window.area_id,
        window.target_id,
        window.target_kind,
        moment(window.window_start_ms),
        moment(window.window_end_ms),
        window.gross_impressions,
        window.ots,
        window.watchers,
        window.attention_ms,
        window.dwell_ms,
        window.late,
        window.through_offset,
        window.watchers_measured,
    )
    return [(Row(tables.ATTENTION, values),)]


def exposure(exposure: Exposure) -> list[Unit]:
    values = (
        exposure.play_id,
        exposure.store_id,
        exposure.area_id,
        exposure.screen_id,
        exposure.decision_id,
        exposure.creative_id,
        exposure.creative_version,
        moment(exposure.started_at_ms),
        moment(exposure.ended_at_ms),
        exposure.ended,
        exposure.gross_impressions,
        exposure.ots,
        exposure.verified_impressions,
        exposure.exposed_ms,
        exposure.watchers,
        exposure.attention_ms,
        exposure.late,
        exposure.through_offset,
    )
    return [(Row(tables.EXPOSURES, values),)]


def crossing(crossing: Crossing) -> list[Unit]:
    values = (
        crossing.crossing_id,
        crossing.store_id,
        crossing.area_id,
        crossing.camera_id,
        crossing.line_id,
        crossing.direction,
        moment(crossing.crossed_at_ms),
        crossing.calibration_version,
    )
    return [(Row(tables.CROSSINGS, values),)]
