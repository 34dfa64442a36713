-- What pages, learning and proofs ask beyond the events: creatives, plans, policies, prices that were
-- shown, the chain of the plays, receipts that were refused, counts at the door, kinds of receipts.
-- depends: 0004.exposures

-- Whether somebody in a presence was a watcher; null where no camera could tell.
ALTER TABLE presence ADD COLUMN IF NOT EXISTS watched boolean;

-- A return changes the sums and not the count; a void takes back the receipt that it names, at the
-- moment at which that one was closed. `transactions` is 1, 0 or -1.
ALTER TABLE baskets ADD COLUMN IF NOT EXISTS kind text NOT NULL DEFAULT 'sale';
ALTER TABLE baskets ADD COLUMN IF NOT EXISTS transactions smallint NOT NULL DEFAULT 1;
ALTER TABLE baskets ADD COLUMN IF NOT EXISTS voids text;
ALTER TABLE basket_lines ADD COLUMN IF NOT EXISTS currency text NOT NULL DEFAULT '';
ALTER TABLE basket_lines ADD COLUMN IF NOT EXISTS simulated boolean NOT NULL DEFAULT false;
ALTER TABLE basket_metrics ADD COLUMN IF NOT EXISTS returns bigint NOT NULL DEFAULT 0;
ALTER TABLE basket_metrics ADD COLUMN IF NOT EXISTS voids bigint NOT NULL DEFAULT 0;
ALTER TABLE basket_metrics ADD COLUMN IF NOT EXISTS experiment_id text;

ALTER TABLE plays ADD COLUMN IF NOT EXISTS seq bigint;
ALTER TABLE plays ADD COLUMN IF NOT EXISTS previous_sha256 text;
ALTER TABLE plays ADD COLUMN IF NOT EXISTS sha256 text;
ALTER TABLE plays ADD COLUMN IF NOT EXISTS clock_note text;

ALTER TABLE decisions ADD COLUMN IF NOT EXISTS algorithm text;
ALTER TABLE decisions ADD COLUMN IF NOT EXISTS snapshot text;
ALTER TABLE decisions ADD COLUMN IF NOT EXISTS experiment_id text;
ALTER TABLE decisions ADD COLUMN IF NOT EXISTS features jsonb;
ALTER TABLE decisions ADD COLUMN IF NOT EXISTS stock jsonb;
ALTER TABLE decisions ADD COLUMN IF NOT EXISTS barred jsonb;

-- A version of a creative never changes, so the first telling stays.
CREATE TABLE IF NOT EXISTS creatives (
    creative_id text NOT NULL,
    version integer NOT NULL,
    published_at timestamptz NOT NULL,
    title text NOT NULL,
    alt_text text NOT NULL,
    language text NOT NULL,
    media text NOT NULL,
    sha256 text NOT NULL,
    owner text NOT NULL,
    kind text NOT NULL,
    campaign text,
    categories jsonb NOT NULL,
    zones jsonb NOT NULL,
    screens jsonb NOT NULL,
    skus jsonb NOT NULL,
    prices jsonb NOT NULL,
    hours jsonb NOT NULL,
    valid_from timestamptz,
    valid_until timestamptz,
    max_plays_per_hour integer,
    budget_plays integer,
    ai_generated boolean NOT NULL,
    label jsonb,
    UNIQUE (creative_id, version)
);

CREATE TABLE IF NOT EXISTS creative_withdrawals (
    creative_id text NOT NULL,
    withdrawn_at timestamptz NOT NULL,
    UNIQUE (creative_id, withdrawn_at)
);

-- The newest telling of a plan holds: it is told again when it is stopped.
CREATE TABLE IF NOT EXISTS experiments (
    experiment_id text NOT NULL,
    store_id text NOT NULL,
    told_at timestamptz NOT NULL,
    unit text NOT NULL,
    salt text NOT NULL,
    slot_ms bigint NOT NULL,
    washout_ms bigint NOT NULL,
    adaptive_share double precision NOT NULL,
    outcome text NOT NULL,
    starts_at timestamptz NOT NULL,
    ends_at timestamptz,
    approved_by text NOT NULL,
    approved_at timestamptz NOT NULL,
    hypothesis text NOT NULL,
    stopped_at timestamptz,
    stopped_by text,
    plan jsonb NOT NULL,
    simulated boolean NOT NULL,
    UNIQUE (experiment_id, store_id)
);

-- Without the sums: who learned what from how much, and who approved it.
CREATE TABLE IF NOT EXISTS policies (
    store_id text NOT NULL,
    policy_id text NOT NULL,
    version integer NOT NULL,
    told_at timestamptz NOT NULL,
    told_by text NOT NULL,
    algorithm text NOT NULL,
    made_at timestamptz NOT NULL,
    reward text NOT NULL,
    features jsonb NOT NULL,
    arms integer NOT NULL,
    gamma double precision NOT NULL,
    floor double precision NOT NULL,
    rewards bigint NOT NULL,
    learned_through timestamptz,
    approved_by text,
    approved_at timestamptz,
    simulated boolean NOT NULL,
    UNIQUE (store_id, policy_id, version)
);

CREATE TABLE IF NOT EXISTS prices_shown (
    play_id text NOT NULL,
    shown_at timestamptz NOT NULL,
    sku text NOT NULL,
    store_id text NOT NULL,
    area_id text NOT NULL,
    screen_id text NOT NULL,
    creative_id text NOT NULL,
    creative_version integer NOT NULL,
    price numeric(18, 4) NOT NULL,
    currency text NOT NULL,
    UNIQUE (play_id, shown_at, sku)
);

-- Kept 7 days. Long runs of digits are masked before anything reaches the log or this table.
CREATE TABLE IF NOT EXISTS receipts_refused (
    refused_id text NOT NULL,
    store_id text NOT NULL,
    source text NOT NULL,
    place text NOT NULL,
    reason text NOT NULL,
    detail text NOT NULL,
    masked_text text NOT NULL,
    refused_at timestamptz NOT NULL,
    UNIQUE (refused_id, refused_at)
);

-- What a counter of the store's own says, by interval; null where it does not count that.
CREATE TABLE IF NOT EXISTS door_counts (
    store_id text NOT NULL,
    counter_id text NOT NULL,
    counted_from timestamptz NOT NULL,
    counted_until timestamptz NOT NULL,
    entering bigint NOT NULL,
    leaving bigint,
    passers_by bigint,
    told_at timestamptz NOT NULL,
    UNIQUE (store_id, counter_id, counted_from)
);

DO $$
DECLARE
    hypertable record;
BEGIN
    IF EXISTS (SELECT 1 FROM pg_extension WHERE extname = 'timescaledb') THEN
        FOR hypertable IN
            SELECT * FROM (VALUES
                ('prices_shown', 'shown_at'), ('receipts_refused', 'refused_at'),
                ('door_counts', 'counted_from')
            ) AS t (name, time_column)
        LOOP
            PERFORM create_hypertable(
                hypertable.name::regclass, hypertable.time_column::name,
                chunk_time_interval => interval '1 day', create_default_indexes => false, if_not_exists => true
            );
        END LOOP;
        -- Rows of single tracks go after a day: chunks of an hour let them go on time.
        FOR hypertable IN SELECT unnest(ARRAY['gaze', 'dwell', 'presence']) AS name LOOP
            PERFORM set_chunk_time_interval(hypertable.name::regclass, interval '1 hour');
        END LOOP;
    END IF;
END
$$;

CREATE INDEX IF NOT EXISTS prices_shown_shown_at ON prices_shown (shown_at DESC);
CREATE INDEX IF NOT EXISTS receipts_refused_refused_at ON receipts_refused (refused_at DESC);
CREATE INDEX IF NOT EXISTS door_counts_counted_from ON door_counts (counted_from DESC);
