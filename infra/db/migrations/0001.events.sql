-- Each statement may run twice: yoyo marks a migration after its transaction, and a kill may fall
-- between the two.
-- The tables of events, for TimescaleDB (community edition) and for plain PostgreSQL.
-- One unique key a table, and it holds the time column: TimescaleDB wants the time in every unique
-- key, and a second unique key on a compressed hypertable goes wrong.

CREATE TABLE IF NOT EXISTS gaze (
    gaze_id text NOT NULL,
    store_id text NOT NULL,
    area_id text NOT NULL,
    gateway_id text NOT NULL,
    track_id text NOT NULL,
    camera_id text NOT NULL,
    target_id text NOT NULL,
    target_kind text NOT NULL,
    probability double precision NOT NULL,
    started_at timestamptz NOT NULL,
    ended_at timestamptz NOT NULL,
    attention_ms bigint NOT NULL,
    distance_m double precision,
    censored boolean NOT NULL,
    calibration_version text NOT NULL,
    cause_id text NOT NULL,
    captured_at timestamptz NOT NULL,
    inferred_at timestamptz NOT NULL,
    sent_at timestamptz NOT NULL,
    UNIQUE (gaze_id, started_at)
);

CREATE TABLE IF NOT EXISTS dwell (
    dwell_id text NOT NULL,
    store_id text NOT NULL,
    area_id text NOT NULL,
    gateway_id text NOT NULL,
    track_id text NOT NULL,
    camera_id text NOT NULL,
    zone_id text NOT NULL,
    entered_at timestamptz NOT NULL,
    left_at timestamptz NOT NULL,
    censored boolean NOT NULL,
    calibration_version text NOT NULL,
    cause_id text NOT NULL,
    captured_at timestamptz NOT NULL,
    inferred_at timestamptz NOT NULL,
    sent_at timestamptz NOT NULL,
    UNIQUE (dwell_id, entered_at)
);

CREATE TABLE IF NOT EXISTS presence (
    presence_id text NOT NULL,
    store_id text NOT NULL,
    area_id text NOT NULL,
    gateway_id text NOT NULL,
    camera_id text NOT NULL,
    track_id text NOT NULL,
    target_id text NOT NULL,
    target_kind text NOT NULL,
    entered_at timestamptz NOT NULL,
    left_at timestamptz NOT NULL,
    opportunity_ms bigint,
    UNIQUE (presence_id, entered_at)
);

CREATE TABLE IF NOT EXISTS attention (
    store_id text NOT NULL,
    area_id text NOT NULL,
    target_id text NOT NULL,
    target_kind text NOT NULL,
    window_start timestamptz NOT NULL,
    window_end timestamptz NOT NULL,
    gross_impressions bigint NOT NULL,
    ots bigint,
    watchers bigint NOT NULL,
    attention_ms bigint NOT NULL,
    dwell_ms bigint NOT NULL,
    late bigint NOT NULL,
    through_offset bigint NOT NULL,
    UNIQUE (store_id, target_id, window_start)
);

CREATE TABLE IF NOT EXISTS baskets (
    store_id text NOT NULL,
    area_id text NOT NULL,
    basket_id text NOT NULL,
    closed_at timestamptz NOT NULL,
    currency text NOT NULL,
    basket_units numeric(18, 4) NOT NULL,
    basket_value numeric(18, 4) NOT NULL,
    simulated boolean NOT NULL,
    UNIQUE (store_id, basket_id, closed_at)
);

CREATE TABLE IF NOT EXISTS basket_lines (
    store_id text NOT NULL,
    basket_id text NOT NULL,
    closed_at timestamptz NOT NULL,
    line_no integer NOT NULL,
    sku text NOT NULL,
    category text NOT NULL,
    units numeric(18, 4) NOT NULL,
    net_value numeric(18, 4) NOT NULL,
    UNIQUE (store_id, basket_id, closed_at, line_no)
);

CREATE TABLE IF NOT EXISTS basket_metrics (
    store_id text NOT NULL,
    window_start timestamptz NOT NULL,
    window_end timestamptz NOT NULL,
    slot_start timestamptz NOT NULL,
    arm text NOT NULL,
    currency text NOT NULL,
    transactions bigint NOT NULL,
    basket_units numeric(18, 4) NOT NULL,
    basket_value numeric(18, 4) NOT NULL,
    category_units jsonb NOT NULL,
    late bigint NOT NULL,
    simulated boolean NOT NULL,
    through_offset bigint NOT NULL,
    UNIQUE (store_id, window_start, arm, currency)
);

CREATE TABLE IF NOT EXISTS decisions (
    decision_id text NOT NULL,
    store_id text NOT NULL,
    area_id text NOT NULL,
    screen_id text NOT NULL,
    decided_at timestamptz NOT NULL,
    slot_start timestamptz NOT NULL,
    arm text NOT NULL,
    arm_probability double precision NOT NULL,
    policy_version text NOT NULL,
    context jsonb NOT NULL,
    showing text,
    candidates jsonb NOT NULL,
    creative_id text NOT NULL,
    creative_version integer NOT NULL,
    reason text NOT NULL,
    sentence text NOT NULL,
    cause_id text,
    captured_at timestamptz,
    inferred_at timestamptz,
    sent_at timestamptz,
    UNIQUE (decision_id, decided_at)
);

-- One row a play that has ended: only its end knows duration and stop reason.
CREATE TABLE IF NOT EXISTS plays (
    play_id text NOT NULL,
    player_id text NOT NULL,
    store_id text NOT NULL,
    area_id text NOT NULL,
    screen_id text NOT NULL,
    decision_id text NOT NULL,
    creative_id text NOT NULL,
    creative_version integer NOT NULL,
    scheduled_at timestamptz NOT NULL,
    rendered_at timestamptz NOT NULL,
    duration_ms bigint NOT NULL,
    stop_reason text NOT NULL,
    success boolean NOT NULL,
    error text,
    cause_id text,
    captured_at timestamptz,
    inferred_at timestamptz,
    sent_at timestamptz,
    UNIQUE (play_id, rendered_at)
);

-- Chunks of a day: a store's day of events is far below the quarter of memory that TimescaleDB
-- advises for a chunk, and reports ask for days. On plain PostgreSQL the tables stay as they are,
-- with the same names and keys.
DO $$
DECLARE
    hypertable record;
    preloaded boolean;
BEGIN
    -- The loader defines this setting, so any role may see whether it is preloaded.
    preloaded := current_setting('timescaledb.disable_load', true) IS NOT NULL;
    IF NOT preloaded THEN
        BEGIN
            preloaded := current_setting('shared_preload_libraries') LIKE '%timescaledb%';
        EXCEPTION WHEN insufficient_privilege THEN
            preloaded := false;
        END;
    END IF;
    IF preloaded AND EXISTS (SELECT 1 FROM pg_available_extensions WHERE name = 'timescaledb') THEN
        CREATE EXTENSION IF NOT EXISTS timescaledb;
        FOR hypertable IN
            SELECT * FROM (VALUES
                ('gaze', 'started_at'), ('dwell', 'entered_at'), ('presence', 'entered_at'),
                ('attention', 'window_start'), ('baskets', 'closed_at'),
                ('basket_lines', 'closed_at'), ('basket_metrics', 'window_start'),
                ('decisions', 'decided_at'), ('plays', 'rendered_at')
            ) AS t (name, time_column)
        LOOP
            PERFORM create_hypertable(
                hypertable.name::regclass, hypertable.time_column::name,
                chunk_time_interval => interval '1 day', create_default_indexes => false, if_not_exists => true
            );
        END LOOP;
    ELSE
        RAISE NOTICE 'TimescaleDB is not preloaded: plain tables of the same names';
    END IF;
END
$$;

CREATE INDEX IF NOT EXISTS gaze_started_at ON gaze (started_at DESC);
CREATE INDEX IF NOT EXISTS dwell_entered_at ON dwell (entered_at DESC);
CREATE INDEX IF NOT EXISTS presence_entered_at ON presence (entered_at DESC);
CREATE INDEX IF NOT EXISTS attention_window_start ON attention (window_start DESC);
CREATE INDEX IF NOT EXISTS baskets_closed_at ON baskets (closed_at DESC);
CREATE INDEX IF NOT EXISTS basket_lines_closed_at ON basket_lines (closed_at DESC);
CREATE INDEX IF NOT EXISTS basket_metrics_window_start ON basket_metrics (window_start DESC);
CREATE INDEX IF NOT EXISTS decisions_decided_at ON decisions (decided_at DESC);
CREATE INDEX IF NOT EXISTS plays_rendered_at ON plays (rendered_at DESC);
