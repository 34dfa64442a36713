"""Factories for the events of signage."""

from collections.abc import Callable

import msgspec
import pytest

from streams.contracts.base import Trace
from streams.contracts.signage import Content, Play

T0 = 1_700_000_000_000

MakeContent = Callable[..., Content]
MakePlay = Callable[..., Play]


@pytest.fixture
def make_content() -> MakeContent:
    base = Content(
        decision_id="d-1",
        store_id="store",
        area_id="main",
        screen_id="screen-1",
        creative_id="coffee",
        creative_version=1,
        not_before_ms=T0,
        expires_at_ms=T0 + 30_000,
        arm="adaptive",
        reason="attention",
        sentence="Someone has looked at the coffee shelf for 1.2 s.",
        trace=Trace(
            cause_id="g-1", captured_at_ms=T0 - 400, inferred_at_ms=T0 - 300, sent_at_ms=T0 - 200
        ),
    )
    return lambda **fields: msgspec.structs.replace(base, **fields)


@pytest.fixture
def make_play() -> MakePlay:
    base = Play(
        play_id="p-1",
        phase="started",
        player_id="screen-1",
        store_id="store",
        area_id="main",
        screen_id="screen-1",
        decision_id="d-1",
        creative_id="coffee",
        creative_version=1,
        scheduled_at_ms=T0,
        rendered_at_ms=T0 + 100,
    )
    return lambda **fields: msgspec.structs.replace(base, **fields)
