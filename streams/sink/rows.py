"""From an event to the rows that it leaves: pure. A fact that has only begun leaves none."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any, NamedTuple

import msgspec

from streams.contracts import topics
from streams.contracts.attention import AttentionWindow, BasketWindow, Exposure
from streams.contracts.base import Trace
from streams.contracts.pos import Basket
from streams.contracts.signage import Decision, Play
from streams.contracts.vision import Audience, Crossing, Dwell, DwellBatch, Gaze, GazeBatch
from streams.sink import tables
from streams.sink.tables import Table

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECOND = timedelta(milliseconds=1)


class Row(NamedTuple):
    """A row of `table`, its values in the order of the table's columns."""

    table: Table
    values: tuple[Any, ...]


#: Rows that stand or fall together: a basket without its lines would be a wrong basket.
Unit = tuple[Row, ...]


def moment(at_ms: int) -> datetime:
    """Epoch milliseconds as the database's timestamptz, exactly.

    >>> moment(1_500).isoformat()
    '1970-01-01T00:00:01.500000+00:00'
    """
    return _EPOCH + at_ms * _MILLISECOND


def units(topic: str, event: Any) -> list[Unit]:
    """What `event` of `topic` leaves in the database.

    Raises KeyError for a topic that the sink does not read.
    """
    return _UNITS[topic](event)


def _moment_or_none(at_ms: int | None) -> datetime | None:
    return None if at_ms is None else moment(at_ms)


def _json(value: Any) -> str:
    return msgspec.json.encode(value).decode()


def _trace(trace: Trace | None) -> tuple[Any, ...]:
    if trace is None:
        return (None, None, None, None)
    return (
        trace.cause_id,
        moment(trace.captured_at_ms),
        moment(trace.inferred_at_ms),
        moment(trace.sent_at_ms),
    )


def _gaze(batch: GazeBatch) -> list[Unit]:
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
            _moment_or_none(gaze.ended_at_ms),
            gaze.attention_ms,
            gaze.distance_m,
            gaze.censored,
            gaze.calibration_version,
            *_trace(gaze.trace),
        ),
    )


def _dwell(batch: DwellBatch) -> list[Unit]:
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
            _moment_or_none(dwell.left_at_ms),
            dwell.censored,
            dwell.calibration_version,
            *_trace(dwell.trace),
        ),
    )


def _presences(audience: Audience) -> list[Unit]:
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
                ),
            ),
        )
        for presence in audience.presences
    ]


def _attention(window: AttentionWindow) -> list[Unit]:
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


def _exposure(exposure: Exposure) -> list[Unit]:
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


def _crossing(crossing: Crossing) -> list[Unit]:
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


def _basket(basket: Basket) -> list[Unit]:
    closed_at = moment(basket.closed_at_ms)
    head = Row(
        tables.BASKETS,
        (
            basket.store_id,
            basket.area_id,
            basket.basket_id,
            closed_at,
            basket.currency,
            sum((line.units for line in basket.lines), Decimal()),
            sum((line.net_value for line in basket.lines), Decimal()),
            basket.simulated,
        ),
    )
    lines = (
        Row(
            tables.BASKET_LINES,
            (
                basket.store_id,
                basket.basket_id,
                closed_at,
                number,
                line.sku,
                line.category,
                line.units,
                line.net_value,
            ),
        )
        for number, line in enumerate(basket.lines, start=1)
    )
    return [(head, *lines)]


def _basket_metrics(window: BasketWindow) -> list[Unit]:
    values = (
        window.store_id,
        moment(window.window_start_ms),
        moment(window.window_end_ms),
        moment(window.slot_start_ms),
        window.arm,
        window.currency,
        window.transactions,
        window.basket_units,
        window.basket_value,
        _json(window.category_units),
        window.late,
        window.simulated,
        window.through_offset,
    )
    return [(Row(tables.BASKET_METRICS, values),)]


def _decision(decision: Decision) -> list[Unit]:
    values = (
        decision.decision_id,
        decision.store_id,
        decision.area_id,
        decision.screen_id,
        moment(decision.decided_at_ms),
        moment(decision.slot_start_ms),
        decision.arm,
        decision.arm_probability,
        decision.policy_version,
        _json(decision.context),
        decision.showing,
        _json(decision.candidates),
        decision.creative_id,
        decision.creative_version,
        decision.reason,
        decision.sentence,
        *_trace(decision.trace),
    )
    return [(Row(tables.DECISIONS, values),)]


def _play(play: Play) -> list[Unit]:
    if play.phase != "ended":
        return []
    values = (
        play.play_id,
        play.player_id,
        play.store_id,
        play.area_id,
        play.screen_id,
        play.decision_id,
        play.creative_id,
        play.creative_version,
        moment(play.scheduled_at_ms),
        moment(play.rendered_at_ms),
        play.duration_ms,
        play.stop_reason,
        play.success,
        play.error,
        *_trace(play.trace),
    )
    return [(Row(tables.PLAYS, values),)]


_UNITS: dict[str, Callable[[Any], list[Unit]]] = {
    topics.GAZE.name: _gaze,
    topics.DWELL.name: _dwell,
    topics.AUDIENCE.name: _presences,
    topics.CROSSING.name: _crossing,
    topics.ATTENTION.name: _attention,
    topics.EXPOSURE.name: _exposure,
    topics.BASKET.name: _basket,
    topics.BASKET_METRICS.name: _basket_metrics,
    topics.DECISION.name: _decision,
    topics.PLAY.name: _play,
}

#: The topics that the sink reads.
SINK_TOPICS = tuple(_UNITS)
