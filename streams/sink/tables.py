"""The tables that the sink fills: columns with their PostgreSQL types, and keys.

A test compares them with the migrations.
"""

from streams.sink.table import Table


def _columns(text: str) -> tuple[tuple[str, str], ...]:
    """`name type` pairs, one a line."""
    pairs = (line.split(maxsplit=1) for line in text.strip().splitlines())
    return tuple((name, kind.strip()) for name, kind in pairs)


_TRACE = """
    cause_id text
    captured_at timestamptz
    inferred_at timestamptz
    sent_at timestamptz
"""

GAZE = Table(
    "gaze",
    _columns(
        """
    gaze_id text
    store_id text
    area_id text
    gateway_id text
    track_id text
    camera_id text
    target_id text
    target_kind text
    probability double precision
    started_at timestamptz
    ended_at timestamptz
    attention_ms bigint
    distance_m double precision
    censored boolean
    calibration_version text"""
        + _TRACE
    ),
    key=("gaze_id", "started_at"),
)
DWELL = Table(
    "dwell",
    _columns(
        """
    dwell_id text
    store_id text
    area_id text
    gateway_id text
    track_id text
    camera_id text
    zone_id text
    entered_at timestamptz
    left_at timestamptz
    censored boolean
    calibration_version text"""
        + _TRACE
    ),
    key=("dwell_id", "entered_at"),
)
PRESENCE = Table(
    "presence",
    _columns(
        """
    presence_id text
    store_id text
    area_id text
    gateway_id text
    camera_id text
    track_id text
    target_id text
    target_kind text
    entered_at timestamptz
    left_at timestamptz
    opportunity_ms bigint
    watched boolean"""
    ),
    key=("presence_id", "entered_at"),
)
ATTENTION = Table(
    "attention",
    _columns(
        """
    store_id text
    area_id text
    target_id text
    target_kind text
    window_start timestamptz
    window_end timestamptz
    gross_impressions bigint
    ots bigint
    watchers bigint
    attention_ms bigint
    dwell_ms bigint
    late bigint
    through_offset bigint
    watchers_measured boolean"""
    ),
    key=("store_id", "target_id", "window_start", "window_end"),
    newest="through_offset",
)
EXPOSURES = Table(
    "exposures",
    _columns(
        """
    play_id text
    store_id text
    area_id text
    screen_id text
    decision_id text
    creative_id text
    creative_version integer
    started_at timestamptz
    ended_at timestamptz
    ended boolean
    gross_impressions bigint
    ots bigint
    verified_impressions bigint
    exposed_ms bigint
    watchers bigint
    attention_ms bigint
    late bigint
    through_offset bigint"""
    ),
    key=("play_id", "started_at"),
    newest="through_offset",
)
CROSSINGS = Table(
    "crossings",
    _columns(
        """
    crossing_id text
    store_id text
    area_id text
    camera_id text
    line_id text
    direction text
    crossed_at timestamptz
    calibration_version text"""
    ),
    key=("crossing_id", "crossed_at"),
)
BASKETS = Table(
    "baskets",
    _columns(
        """
    store_id text
    area_id text
    basket_id text
    closed_at timestamptz
    currency text
    basket_units numeric
    basket_value numeric
    simulated boolean
    kind text
    transactions smallint
    voids text"""
    ),
    key=("store_id", "basket_id", "closed_at"),
)
BASKET_LINES = Table(
    "basket_lines",
    _columns(
        """
    store_id text
    basket_id text
    closed_at timestamptz
    line_no integer
    sku text
    category text
    units numeric
    net_value numeric
    currency text
    simulated boolean"""
    ),
    key=("store_id", "basket_id", "closed_at", "line_no"),
)
BASKET_METRICS = Table(
    "basket_metrics",
    _columns(
        """
    store_id text
    window_start timestamptz
    window_end timestamptz
    slot_start timestamptz
    arm text
    currency text
    transactions bigint
    basket_units numeric
    basket_value numeric
    category_units jsonb
    late bigint
    simulated boolean
    through_offset bigint
    returns bigint
    voids bigint
    experiment_id text"""
    ),
    key=("store_id", "window_start", "arm", "currency"),
    newest="through_offset",
)
DECISIONS = Table(
    "decisions",
    _columns(
        """
    decision_id text
    store_id text
    area_id text
    screen_id text
    decided_at timestamptz
    slot_start timestamptz
    arm text
    arm_probability double precision
    policy_version text
    context jsonb
    showing text
    candidates jsonb
    creative_id text
    creative_version integer
    reason text
    sentence text
    algorithm text
    snapshot text
    experiment_id text
    features jsonb
    stock jsonb
    barred jsonb"""
        + _TRACE
    ),
    key=("decision_id", "decided_at"),
)
PLAYS = Table(
    "plays",
    _columns(
        """
    play_id text
    player_id text
    store_id text
    area_id text
    screen_id text
    decision_id text
    creative_id text
    creative_version integer
    scheduled_at timestamptz
    rendered_at timestamptz
    duration_ms bigint
    stop_reason text
    success boolean
    error text
    seq bigint
    previous_sha256 text
    sha256 text
    clock_note text"""
        + _TRACE
    ),
    key=("play_id", "rendered_at"),
)

PRICES_SHOWN = Table(
    "prices_shown",
    _columns(
        """
    play_id text
    shown_at timestamptz
    sku text
    store_id text
    area_id text
    screen_id text
    creative_id text
    creative_version integer
    price numeric
    currency text"""
    ),
    key=("play_id", "shown_at", "sku"),
)
CREATIVES = Table(
    "creatives",
    _columns(
        """
    creative_id text
    version integer
    published_at timestamptz
    title text
    alt_text text
    language text
    media text
    sha256 text
    owner text
    kind text
    campaign text
    categories jsonb
    zones jsonb
    screens jsonb
    skus jsonb
    prices jsonb
    hours jsonb
    valid_from timestamptz
    valid_until timestamptz
    max_plays_per_hour integer
    budget_plays integer
    ai_generated boolean
    label jsonb"""
    ),
    key=("creative_id", "version"),
)
CREATIVE_WITHDRAWALS = Table(
    "creative_withdrawals",
    _columns(
        """
    creative_id text
    withdrawn_at timestamptz"""
    ),
    key=("creative_id", "withdrawn_at"),
)
EXPERIMENTS = Table(
    "experiments",
    _columns(
        """
    experiment_id text
    store_id text
    told_at timestamptz
    unit text
    salt text
    slot_ms bigint
    washout_ms bigint
    adaptive_share double precision
    outcome text
    starts_at timestamptz
    ends_at timestamptz
    approved_by text
    approved_at timestamptz
    hypothesis text
    stopped_at timestamptz
    stopped_by text
    plan jsonb
    simulated boolean"""
    ),
    key=("experiment_id", "store_id"),
    newest="told_at",
)
POLICIES = Table(
    "policies",
    _columns(
        """
    store_id text
    policy_id text
    version integer
    told_at timestamptz
    told_by text
    algorithm text
    made_at timestamptz
    reward text
    features jsonb
    arms integer
    gamma double precision
    floor double precision
    rewards bigint
    learned_through timestamptz
    approved_by text
    approved_at timestamptz
    simulated boolean"""
    ),
    key=("store_id", "policy_id", "version"),
    newest="told_at",
)
RECEIPTS_REFUSED = Table(
    "receipts_refused",
    _columns(
        """
    refused_id text
    store_id text
    source text
    place text
    reason text
    detail text
    masked_text text
    refused_at timestamptz"""
    ),
    key=("refused_id", "refused_at"),
)
DOOR_COUNTS = Table(
    "door_counts",
    _columns(
        """
    store_id text
    counter_id text
    counted_from timestamptz
    counted_until timestamptz
    entering bigint
    leaving bigint
    passers_by bigint
    told_at timestamptz"""
    ),
    key=("store_id", "counter_id", "counted_from"),
    newest="told_at",
)

#: In the order in which a transaction fills them: the same for every writer, so that no two of
#: them wait for each other.
TABLES = (
    GAZE,
    DWELL,
    PRESENCE,
    CROSSINGS,
    ATTENTION,
    EXPOSURES,
    BASKETS,
    BASKET_LINES,
    BASKET_METRICS,
    DECISIONS,
    PLAYS,
    PRICES_SHOWN,
    CREATIVES,
    CREATIVE_WITHDRAWALS,
    EXPERIMENTS,
    POLICIES,
    RECEIPTS_REFUSED,
    DOOR_COUNTS,
)
