-- What was exported under differential privacy, and what it cost: a day is told once, so that asking
-- again draws no new noise.
-- depends: 0004.exposures

CREATE TABLE IF NOT EXISTS demand_signals (
    store_id text NOT NULL,
    day date NOT NULL,
    told_at timestamptz NOT NULL DEFAULT now(),
    epsilon double precision NOT NULL,
    delta double precision NOT NULL,
    sensitivity integer NOT NULL,
    threshold bigint NOT NULL,
    standard_error double precision NOT NULL,
    error_95 bigint NOT NULL,
    simulated boolean NOT NULL,
    UNIQUE (store_id, day)
);

CREATE TABLE IF NOT EXISTS demand_signal_cells (
    store_id text NOT NULL,
    day date NOT NULL,
    zone_id text NOT NULL,
    category text NOT NULL,
    noised_visits bigint NOT NULL,
    UNIQUE (store_id, day, zone_id, category)
);
