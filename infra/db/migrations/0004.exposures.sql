-- Exposure (play x presence x pairing), door counts, sliding windows beside tumbling ones, and
-- watchers that nobody could measure.
-- depends: 0003.views

CREATE TABLE IF NOT EXISTS exposures (
    play_id text NOT NULL,
    store_id text NOT NULL,
    area_id text NOT NULL,
    screen_id text NOT NULL,
    decision_id text NOT NULL,
    creative_id text NOT NULL,
    creative_version integer NOT NULL,
    started_at timestamptz NOT NULL,
    ended_at timestamptz NOT NULL,
    ended boolean NOT NULL,
    gross_impressions bigint NOT NULL,
    ots bigint,
    verified_impressions bigint NOT NULL,
    exposed_ms bigint NOT NULL,
    watchers bigint,
    attention_ms bigint NOT NULL,
    late bigint NOT NULL,
    through_offset bigint NOT NULL,
    UNIQUE (play_id, started_at)
);

CREATE TABLE IF NOT EXISTS crossings (
    crossing_id text NOT NULL,
    store_id text NOT NULL,
    area_id text NOT NULL,
    camera_id text NOT NULL,
    line_id text NOT NULL,
    direction text NOT NULL,
    crossed_at timestamptz NOT NULL,
    calibration_version text NOT NULL,
    UNIQUE (crossing_id, crossed_at)
);

DO $$
DECLARE
    hypertable record;
BEGIN
    IF EXISTS (SELECT 1 FROM pg_extension WHERE extname = 'timescaledb') THEN
        FOR hypertable IN
            SELECT * FROM (VALUES ('exposures', 'started_at'), ('crossings', 'crossed_at'))
                AS t (name, time_column)
        LOOP
            PERFORM create_hypertable(
                hypertable.name::regclass, hypertable.time_column::name,
                chunk_time_interval => interval '1 day', create_default_indexes => false, if_not_exists => true
            );
        END LOOP;
    END IF;
END
$$;

CREATE INDEX IF NOT EXISTS exposures_started_at ON exposures (started_at DESC);
CREATE INDEX IF NOT EXISTS crossings_crossed_at ON crossings (crossed_at DESC);

-- Windows of several lengths may begin at one moment: the end belongs to the key.
DO $$
BEGIN
    IF NOT EXISTS (SELECT 1 FROM pg_constraint WHERE conname = 'attention_window') THEN
        ALTER TABLE attention
            DROP CONSTRAINT IF EXISTS attention_store_id_target_id_window_start_key;
        ALTER TABLE attention
            ADD CONSTRAINT attention_window UNIQUE (store_id, target_id, window_start, window_end);
    END IF;
END
$$;

ALTER TABLE attention ADD COLUMN IF NOT EXISTS watchers_measured boolean NOT NULL DEFAULT true;
