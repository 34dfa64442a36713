"""What the page shows, as it goes to the browser. Numbers only: the words are the page's."""

from typing import Literal

from msgspec import Struct

from streams.contracts.signage import Arm, ReasonCode
from streams.contracts.vision import TargetKind


class TargetView(Struct, frozen=True, kw_only=True):
    """A zone or screen now. None where no camera has told for some seconds.

    `attention_ms`: attention (facing) of the last minute, of gazes that ended in it and of those
    that go on. `window_watchers`: watchers of the newest closed window.
    """

    target_id: str
    target_kind: TargetKind
    name: str
    people: int | None
    watchers: int | None
    attention_ms: int
    window_watchers: int | None


class ScreenView(Struct, frozen=True, kw_only=True):
    """What a screen shows, by its own proof, and why. None where nothing is known yet."""

    screen_id: str
    name: str
    creative_id: str | None
    title: str | None
    since_ms: int | None
    arm: Arm | None
    reason: ReasonCode | None
    sentence: str | None
    next_creative_id: str | None


class StepsView(Struct, frozen=True, kw_only=True):
    """Where the time of one play went: frame to detections, to the event, to the decision, to the
    glass. They add up to the whole."""

    infer_ms: int
    event_ms: int
    decide_ms: int
    render_ms: int


class LatencyView(Struct, frozen=True, kw_only=True):
    """From the frame that showed the glance to the glass, of the newest plays. `recent` is in
    order of time."""

    last_ms: int | None
    p50_ms: int | None
    p95_ms: int | None
    plays: int
    last_steps: StepsView | None
    recent_ms: tuple[int, ...]


class ReactionView(Struct, frozen=True, kw_only=True):
    """The newest play that a shopper caused: where they looked, and what came on which screen.
    `target_*` and `title` are None where the page has not heard of them."""

    target_id: str | None
    target_name: str | None
    screen_id: str
    creative_id: str
    title: str | None
    rendered_at_ms: int
    latency_ms: int


class BasketView(Struct, frozen=True, kw_only=True):
    """Baskets of today, of one kind (simulated or real). `units` and `value` are sums."""

    simulated: bool
    currency: str
    transactions: int
    units: float
    value: float
    units_per_basket: float
    value_per_basket: float


class CountView(Struct, frozen=True, kw_only=True):
    """The same things counted in the log (all that was ever read there) and in the database. None:
    not (yet) known. `forgotten`: they differ by no more than the broker forgot when it died."""

    what: str
    log: int | None
    database: int | None
    state: Literal["equal", "behind", "forgotten"]


class OutageView(Struct, frozen=True, kw_only=True):
    """The broker's last outage. `killed_at_ms` is None where nobody pressed the button,
    `equal_at_ms` until every kind of thing was found equal (or forgotten) again."""

    killed_at_ms: int | None
    gone_at_ms: int
    back_at_ms: int | None = None
    equal_at_ms: int | None = None


class LeftView(Struct, frozen=True, kw_only=True):
    """What left the cameras since the page began to count."""

    messages: int
    size_bytes: int


class ServersView(Struct, frozen=True, kw_only=True):
    """What answers now. None where none was named in the settings."""

    broker: bool
    database: bool
    preview: bool | None
    player: bool | None
    broker_breaks: int


class AlertView(Struct, frozen=True, kw_only=True):
    """Something that should be looked at now."""

    title: str
    sentence: str


class LiveView(Struct, frozen=True, kw_only=True):
    """The whole page at `at_ms`.

    `true_effect`: what the simulated store's screens really do to its baskets, as a share.
    `silent_ms`: how long no camera has told anything, None where none ever has. `broker_forgot`:
    records that the sink had stored and the broker no longer had, by offset.
    """

    at_ms: int
    store_id: str
    store_name: str
    simulated: bool
    true_effect: float | None
    servers: ServersView
    silent_ms: int | None
    people: int | None
    watchers: int | None
    targets: tuple[TargetView, ...]
    screens: tuple[ScreenView, ...]
    latency: LatencyView
    reaction: ReactionView | None
    baskets: tuple[BasketView, ...]
    counts: tuple[CountView, ...]
    outage: OutageView | None
    broker_forgot: int | None
    left: LeftView
    alerts: tuple[AlertView, ...] = ()


class LeftMessage(Struct, frozen=True, kw_only=True):
    """A message that left a camera's gateway, as it is in the log."""

    topic: str
    partition: int
    offset: int
    at_ms: int
    size_bytes: int
    text: str


class LeftPage(Struct, frozen=True, kw_only=True):
    """The newest of them, newest first, and how many there were. `fields`: every name of a field
    that such a message can have, by topic: there is no other."""

    total: LeftView
    fields: dict[str, tuple[str, ...]]
    messages: tuple[LeftMessage, ...]
