"""The rows of decisions, plays, prices shown, creatives, experiments and policies. Pure."""

from streams.contracts.experiment import ExperimentPlan
from streams.contracts.learning import PolicySnapshot
from streams.contracts.signage import Creative, Decision, Play, PriceShown
from streams.sink import tables
from streams.sink.row import Row, Unit, json, json_or_none, moment, moment_or_none, trace


def decision(decision: Decision) -> list[Unit]:
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
        json(decision.context),
        decision.showing,
        json(decision.candidates),
        decision.creative_id,
        decision.creative_version,
        decision.reason,
        decision.sentence,
        decision.algorithm,
        decision.snapshot,
        decision.experiment_id,
        json_or_none(decision.features or None),
        json_or_none(decision.stock or None),
        json_or_none(decision.barred or None),
        *trace(decision.trace),
    )
    return [(Row(tables.DECISIONS, values),)]


def play(play: Play) -> list[Unit]:
    shown: list[Unit] = [(_price(play, price),) for price in play.prices]
    if play.phase != "ended":
        return shown
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
        play.seq,
        play.previous_sha256,
        play.sha256,
        play.clock_note,
        *trace(play.trace),
    )
    return [(Row(tables.PLAYS, values),), *shown]


def _price(play: Play, price: PriceShown) -> Row:
    values = (
        play.play_id,
        moment(play.rendered_at_ms),
        price.sku,
        play.store_id,
        play.area_id,
        play.screen_id,
        play.creative_id,
        play.creative_version,
        price.price,
        price.currency,
    )
    return Row(tables.PRICES_SHOWN, values)


def creative(of: Creative, told_at_ms: int) -> list[Unit]:
    """A version of a creative, published at `told_at_ms`."""
    values = (
        of.creative_id,
        of.version,
        moment(told_at_ms),
        of.title,
        of.alt_text,
        of.language,
        of.media,
        of.sha256,
        of.owner,
        of.kind,
        of.campaign,
        json(of.categories),
        json(of.zones),
        json(of.screens),
        json(of.skus),
        json(of.prices),
        json(of.hours),
        moment_or_none(of.valid_from_ms),
        moment_or_none(of.valid_until_ms),
        of.max_plays_per_hour,
        of.budget_plays,
        of.ai_generated,
        json_or_none(of.label),
    )
    return [(Row(tables.CREATIVES, values),)]


def withdrawal(creative_id: str, told_at_ms: int) -> list[Unit]:
    """A creative that was withdrawn at `told_at_ms`."""
    return [(Row(tables.CREATIVE_WITHDRAWALS, (creative_id, moment(told_at_ms))),)]


def experiment(plan: ExperimentPlan, told_at_ms: int) -> list[Unit]:
    """A plan as it was told at `told_at_ms`."""
    values = (
        plan.experiment_id,
        plan.store_id,
        moment(told_at_ms),
        plan.unit,
        plan.salt,
        plan.slot_ms,
        plan.washout_ms,
        plan.adaptive_share,
        plan.outcome,
        moment(plan.starts_at_ms),
        moment_or_none(plan.ends_at_ms),
        plan.approved_by,
        moment(plan.approved_at_ms),
        plan.hypothesis,
        moment_or_none(plan.stopped_at_ms),
        plan.stopped_by,
        json(plan),
        plan.simulated,
    )
    return [(Row(tables.EXPERIMENTS, values),)]


def policy(snapshot: PolicySnapshot, told_at_ms: int) -> list[Unit]:
    """A version of a policy as it was told at `told_at_ms`, without its sums."""
    values = (
        snapshot.store_id,
        snapshot.policy_id,
        snapshot.version,
        moment(told_at_ms),
        snapshot.told_by,
        snapshot.algorithm,
        moment(snapshot.made_at_ms),
        snapshot.reward,
        json(snapshot.features),
        len(snapshot.arms),
        snapshot.gamma,
        snapshot.floor,
        snapshot.rewards,
        moment_or_none(snapshot.learned_through_ms),
        snapshot.approved_by,
        moment_or_none(snapshot.approved_at_ms),
        snapshot.simulated,
    )
    return [(Row(tables.POLICIES, values),)]
