-- Where a consumer of the log goes on, written in the same transaction as its rows.
-- depends: 0001.events

-- `last_record_digest` tells whether the record before `next_offset` is still the one that was
-- read: a broker that lost the end of its log gives the same offsets out again.
CREATE TABLE IF NOT EXISTS stream_offsets (
    consumer text NOT NULL,
    topic text NOT NULL,
    partition integer NOT NULL,
    next_offset bigint NOT NULL,
    last_record_at timestamptz NOT NULL,
    last_record_digest text NOT NULL,
    updated_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (consumer, topic, partition)
);

-- Each time that a stored offset did not fit the log: what was found and where reading went on.
-- `forgotten` counts the records that the log has lost for certain (stored offset - end of log).
CREATE TABLE IF NOT EXISTS stream_rewinds (
    consumer text NOT NULL,
    topic text NOT NULL,
    partition integer NOT NULL,
    noticed_at timestamptz NOT NULL DEFAULT now(),
    reason text NOT NULL,
    stored_offset bigint NOT NULL,
    log_start bigint NOT NULL,
    log_end bigint NOT NULL,
    resumed_at bigint NOT NULL,
    forgotten bigint NOT NULL
);
