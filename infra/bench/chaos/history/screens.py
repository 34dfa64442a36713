"""Plays with their decisions, and receipts. Pure."""

from decimal import Decimal

import msgspec

from infra.bench.chaos.history.store import Story, Told, trace
from streams.contracts import topics
from streams.contracts.pos import Basket, BasketLine
from streams.contracts.signage import Candidate, Decision, Play, ZoneAttention


def plays(story: Story, area: int) -> None:
    """One play after the other, each with the decision that caused it."""
    draw, at_ms, number = story.draw, story.start_ms, 0
    while (length_ms := draw.randint(3_000, 9_000)) + at_ms < story.start_ms + story.length_ms:
        number += 1
        decision = _decision(story, area, number, at_ms)
        story.told.append(Told(at_ms, area, topics.DECISION, decision))
        play = Play(
            play_id=story.id("play", area, number),
            phase="started",
            player_id=f"player-{area}",
            store_id=story.store_id,
            area_id=f"area-{area}",
            screen_id=f"screen-{area}",
            decision_id=decision.decision_id,
            creative_id=decision.creative_id,
            creative_version=1,
            scheduled_at_ms=at_ms,
            rendered_at_ms=at_ms + 40,
            trace=decision.trace,
        )
        ended = msgspec.structs.replace(
            play, phase="ended", duration_ms=length_ms - 40, stop_reason="finished"
        )
        story.told.append(Told(at_ms + 40, area, topics.PLAY, play))
        story.told.append(Told(at_ms + length_ms, area, topics.PLAY, ended))
        at_ms += length_ms


def _decision(story: Story, area: int, number: int, at_ms: int) -> Decision:
    name, creative = story.id("decision", area, number), f"creative-{story.draw.randrange(5)}"
    return Decision(
        decision_id=name,
        store_id=story.store_id,
        area_id=f"area-{area}",
        screen_id=f"screen-{area}",
        decided_at_ms=at_ms,
        slot_start_ms=at_ms - at_ms % 60_000,
        arm="adaptive",
        arm_probability=0.5,
        policy_version="chaos-1",
        context=(
            ZoneAttention(
                zone_id=f"zone-{area}-0",
                attention_ms=story.draw.randrange(3_000),
                watchers=1,
                people=2,
            ),
        ),
        showing=None,
        candidates=(Candidate(creative_id=creative, creative_version=1, propensity=0.25),),
        creative_id=creative,
        creative_version=1,
        reason="rotation",
        sentence="In turn.",
        trace=None if number % 2 else trace(name, at_ms),
    )


def tills(story: Story) -> None:
    """Receipts of the store, told under its first area as tills do."""
    draw, at_ms, number = story.draw, story.start_ms, 0
    while at_ms < story.start_ms + story.length_ms:
        number += 1
        lines = tuple(
            BasketLine(
                sku=f"sku-{draw.randrange(40)}",
                category=draw.choice(("tea", "coffee", "chocolate")),
                units=Decimal(draw.choice((1, 1, 2, 3, -1))),
                net_value=Decimal(draw.randint(-500, 2_500)) / 100,
            )
            for _ in range(draw.randint(1, 5))
        )
        basket = Basket(
            basket_id=story.id("basket", number),
            store_id=story.store_id,
            area_id="area-0",
            closed_at_ms=at_ms,
            currency=draw.choice(("EUR", "EUR", "EUR", "USD")),
            lines=lines,
            simulated=True,
        )
        story.told.append(Told(at_ms, 0, topics.BASKET, basket))
        at_ms += draw.randint(300, 2_500)
