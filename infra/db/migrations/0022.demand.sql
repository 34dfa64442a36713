-- Where the upkeep makes a store's demand signal by itself, and from when on a day's rows were still
-- there when it was told.
-- depends: 0021.slots

-- Since when a store's signal is made, at what cost a day, and when its upkeep was last seen.
CREATE TABLE IF NOT EXISTS demand_upkeep (
    store_id text NOT NULL UNIQUE,
    epsilon double precision NOT NULL,
    time_zone text NOT NULL,
    since timestamptz NOT NULL,
    seen_at timestamptz NOT NULL
);

-- Later than the day's midnight where its first rows were deleted already; null where an older
-- version told the day.
ALTER TABLE demand_signals ADD COLUMN IF NOT EXISTS counted_from timestamptz;
