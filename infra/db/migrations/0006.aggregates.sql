-- Aggregates by UTC minute, hour and day, kept for good: continuous aggregates on TimescaleDB, and
-- on plain PostgreSQL roll-up tables with a log of the buckets that changed since they were filled.
-- depends: 0005.proofs

-- What is aggregated. `keep` is how long rows of single tracks stay, null for good;
-- `deleted_through` is how far they were deleted: what was rolled up before is never made again.
-- `late_within` is TimescaleDB's: a row that comes later is in no aggregate, for refreshing further
-- back than rows are kept would erase history. It may be lowered and never raised again.
CREATE TABLE IF NOT EXISTS aggregate_sources (
    source text PRIMARY KEY,
    time_column text NOT NULL,
    keep interval,
    deleted_through timestamptz NOT NULL DEFAULT '-infinity',
    late_within interval
);

-- An aggregate is `terms` under `names`, by `keys` and a bucket. All terms are sums, so that hours
-- are sums of minutes and days of hours; a ratio is made by the view that shows it.
CREATE TABLE IF NOT EXISTS aggregates (
    name text PRIMARY KEY,
    source text NOT NULL REFERENCES aggregate_sources,
    finest text NOT NULL CHECK (finest IN ('1m', '1h')),
    keys text[] NOT NULL,
    names text[] NOT NULL,
    terms text[] NOT NULL
);

-- Buckets with rows that their roll-ups do not hold yet: level 0 minutes, 1 hours, 2 days. Only
-- appended to, so that writers never wait for each other, nor lose a note to whoever refreshes.
CREATE TABLE IF NOT EXISTS aggregate_dirty (
    source text NOT NULL,
    level smallint NOT NULL,
    bucket timestamptz NOT NULL,
    noted_at timestamptz NOT NULL DEFAULT now()
) WITH (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 10000);
CREATE INDEX IF NOT EXISTS aggregate_dirty_bucket ON aggregate_dirty (source, level, bucket);

-- Rows of single tracks that came after their neighbours had been deleted: in no aggregate.
CREATE TABLE IF NOT EXISTS aggregate_too_late (
    source text NOT NULL,
    bucket timestamptz NOT NULL,
    noticed_at timestamptz NOT NULL DEFAULT now(),
    told_rows bigint NOT NULL
);

DO $$
BEGIN
    INSERT INTO aggregate_sources (source, time_column, keep, late_within) VALUES
        ('gaze', 'started_at', interval '24 hours', interval '23 hours'),
        ('dwell', 'entered_at', interval '24 hours', interval '23 hours'),
        ('presence', 'entered_at', interval '24 hours', interval '23 hours'),
        ('crossings', 'crossed_at', NULL, NULL),
        ('exposures', 'started_at', NULL, NULL),
        ('plays', 'rendered_at', NULL, NULL),
        ('decisions', 'decided_at', NULL, NULL),
        ('baskets', 'closed_at', NULL, NULL),
        ('basket_lines', 'closed_at', NULL, NULL),
        ('basket_metrics', 'window_start', NULL, NULL)
    ON CONFLICT DO NOTHING;
    INSERT INTO aggregates (name, source, finest, keys, names, terms) VALUES
        ('presence', 'presence', '1m',
         ARRAY['store_id', 'area_id', 'target_id', 'target_kind'],
         ARRAY['presences', 'presence_ms', 'ots_measured', 'ots', 'opportunity_ms',
               'watchers_measured', 'watchers', 'dwell_ms'],
         ARRAY['count(*)',
               'sum((extract(epoch FROM left_at - entered_at) * 1000)::bigint)::bigint',
               'count(opportunity_ms)',
               'count(*) FILTER (WHERE opportunity_ms > 0)',
               'coalesce(sum(opportunity_ms), 0)::bigint',
               'count(watched)',
               'count(*) FILTER (WHERE watched)',
               'coalesce(sum((extract(epoch FROM left_at - entered_at) * 1000)::bigint) FILTER (WHERE watched), 0)::bigint']),
        ('gaze', 'gaze', '1m',
         ARRAY['store_id', 'area_id', 'target_id', 'target_kind'],
         ARRAY['gazes', 'attention_ms'],
         ARRAY['count(*)', 'sum(attention_ms)::bigint']),
        ('dwell', 'dwell', '1m',
         ARRAY['store_id', 'area_id', 'zone_id'],
         ARRAY['stays', 'stay_ms', 'censored',
               'under_5_s', 'under_10_s', 'under_20_s', 'under_30_s', 'under_60_s', 'under_120_s',
               'under_300_s', 'from_300_s'],
         ARRAY['count(*)',
               'sum((extract(epoch FROM left_at - entered_at) * 1000)::bigint)::bigint',
               'count(*) FILTER (WHERE censored)',
               'count(*) FILTER (WHERE left_at - entered_at < interval ''5 s'')',
               'count(*) FILTER (WHERE left_at - entered_at >= interval ''5 s'' AND left_at - entered_at < interval ''10 s'')',
               'count(*) FILTER (WHERE left_at - entered_at >= interval ''10 s'' AND left_at - entered_at < interval ''20 s'')',
               'count(*) FILTER (WHERE left_at - entered_at >= interval ''20 s'' AND left_at - entered_at < interval ''30 s'')',
               'count(*) FILTER (WHERE left_at - entered_at >= interval ''30 s'' AND left_at - entered_at < interval ''60 s'')',
               'count(*) FILTER (WHERE left_at - entered_at >= interval ''60 s'' AND left_at - entered_at < interval ''120 s'')',
               'count(*) FILTER (WHERE left_at - entered_at >= interval ''120 s'' AND left_at - entered_at < interval ''300 s'')',
               'count(*) FILTER (WHERE left_at - entered_at >= interval ''300 s'')']),
        ('crossings', 'crossings', '1m',
         ARRAY['store_id', 'area_id', 'line_id', 'direction'],
         ARRAY['crossings'],
         ARRAY['count(*)']),
        ('exposures', 'exposures', '1m',
         ARRAY['store_id', 'area_id', 'screen_id', 'creative_id', 'creative_version'],
         ARRAY['plays', 'gross_impressions', 'ots_measured', 'ots', 'verified_impressions',
               'exposed_ms', 'watchers_measured', 'watchers', 'attention_ms', 'shown_ms', 'late'],
         ARRAY['count(*)',
               'sum(gross_impressions)::bigint',
               'count(ots)',
               'coalesce(sum(ots), 0)::bigint',
               'sum(verified_impressions)::bigint',
               'sum(exposed_ms)::bigint',
               'count(watchers)',
               'coalesce(sum(watchers), 0)::bigint',
               'sum(attention_ms)::bigint',
               'sum((extract(epoch FROM ended_at - started_at) * 1000)::bigint)::bigint',
               'sum(late)::bigint']),
        ('plays', 'plays', '1m',
         ARRAY['store_id', 'area_id', 'screen_id', 'creative_id', 'creative_version'],
         ARRAY['plays', 'failed', 'finished', 'preempted', 'shown_ms', 'caused'],
         ARRAY['count(*)',
               'count(*) FILTER (WHERE NOT success)',
               'count(*) FILTER (WHERE stop_reason = ''finished'')',
               'count(*) FILTER (WHERE stop_reason = ''pre-empted'')',
               'sum(duration_ms)::bigint',
               'count(captured_at)']),
        ('decisions', 'decisions', '1m',
         ARRAY['store_id', 'area_id', 'screen_id', 'arm', 'reason'],
         ARRAY['decisions'],
         ARRAY['count(*)']),
        ('baskets', 'baskets', '1m',
         ARRAY['store_id', 'currency', 'simulated'],
         ARRAY['transactions', 'receipts', 'returns', 'voids', 'basket_units', 'basket_value'],
         ARRAY['sum(transactions)::bigint',
               'count(*)',
               'count(*) FILTER (WHERE kind = ''return'')',
               'count(*) FILTER (WHERE kind = ''void'')',
               'sum(basket_units)',
               'sum(basket_value)']),
        ('categories', 'basket_lines', '1m',
         ARRAY['store_id', 'category', 'currency', 'simulated'],
         ARRAY['lines', 'units', 'net_value'],
         ARRAY['count(*)', 'sum(units)', 'sum(net_value)']),
        ('products', 'basket_lines', '1h',
         ARRAY['store_id', 'category', 'sku', 'currency', 'simulated'],
         ARRAY['lines', 'units', 'net_value'],
         ARRAY['count(*)', 'sum(units)', 'sum(net_value)']),
        ('arms', 'basket_metrics', '1h',
         ARRAY['store_id', 'arm', 'currency', 'simulated'],
         ARRAY['transactions', 'basket_units', 'basket_value', 'late'],
         ARRAY['sum(transactions)::bigint', 'sum(basket_units)', 'sum(basket_value)',
               'sum(late)::bigint'])
    ON CONFLICT (name) DO UPDATE SET
        keys = excluded.keys, names = excluded.names, terms = excluded.terms;
END
$$;

-- ── plain PostgreSQL: roll-up tables ──────────────────────────────────────────────────────────────

-- The dirty minutes, hours and days of each source. A bucket whose rows are partly deleted is none.
CREATE OR REPLACE VIEW aggregate_dirty_1m AS
SELECT DISTINCT d.source, d.bucket
FROM aggregate_dirty d JOIN aggregate_sources s USING (source)
WHERE d.level = 0 AND d.bucket >= s.deleted_through;

CREATE OR REPLACE VIEW aggregate_dirty_1h AS
SELECT DISTINCT d.source, date_bin('1 hour', d.bucket, '2000-01-01 00:00+00') AS bucket
FROM aggregate_dirty d JOIN aggregate_sources s USING (source)
WHERE d.level = 1 OR (d.level = 0 AND d.bucket >= s.deleted_through);

CREATE OR REPLACE VIEW aggregate_dirty_1d AS
SELECT DISTINCT d.source, date_bin('1 day', d.bucket, '2000-01-01 00:00+00') AS bucket
FROM aggregate_dirty d JOIN aggregate_sources s USING (source)
WHERE d.level > 0 OR d.bucket >= s.deleted_through;

-- Notes the minutes of the rows that a statement wrote; its argument is their time column.
CREATE OR REPLACE FUNCTION aggregate_note() RETURNS trigger LANGUAGE plpgsql AS $fn$
BEGIN
    EXECUTE format(
        'INSERT INTO aggregate_dirty (source, level, bucket)
         SELECT DISTINCT %L, 0, date_bin(''1 minute'', %I, ''2000-01-01 00:00+00'') FROM told',
        TG_TABLE_NAME, TG_ARGV[0]);
    RETURN NULL;
END
$fn$;

-- The select list of an aggregate: its sums of its source's rows, or of a finer roll-up's.
CREATE OR REPLACE FUNCTION aggregate_sums(of aggregates, again boolean) RETURNS text
LANGUAGE sql STABLE AS $fn$
    SELECT string_agg(
        CASE WHEN NOT again THEN format('%s AS %I', term, name)
             WHEN term LIKE '%::bigint' OR term LIKE 'count%' THEN format('sum(%1$I)::bigint AS %1$I', name)
             ELSE format('sum(%1$I) AS %1$I', name) END,
        ', ' ORDER BY number)
    FROM unnest(of.names, of.terms) WITH ORDINALITY AS each (name, term, number)
$fn$;

-- Rolls the oldest dirty buckets up that ended before `until`, `most` of them a source and level at
-- the most; returns how many it did. One at a time: a second caller does nothing.
-- By the index of the time column whatever the planner believes: statistics of young tables are none.
CREATE OR REPLACE FUNCTION aggregates_refresh(most integer DEFAULT 1440, until timestamptz DEFAULT now())
RETURNS bigint LANGUAGE plpgsql SET enable_seqscan = off SET enable_material = off AS $fn$
DECLARE
    origin CONSTANT timestamptz := '2000-01-01 00:00+00';
    widths CONSTANT interval[] := ARRAY[interval '1 minute', interval '1 hour', interval '1 day'];
    grains CONSTANT text[] := ARRAY['1m', '1h', '1d'];
    src aggregate_sources;
    agg aggregates;
    buckets timestamptz[];
    stale timestamptz[];
    last timestamptz;
    done bigint := 0;
    rung integer;
BEGIN
    IF NOT pg_try_advisory_xact_lock(hashtext('smartstore.aggregates')) THEN
        RETURN 0;
    END IF;
    FOR src IN SELECT * FROM aggregate_sources ORDER BY source LOOP
        FOR rung IN 0..2 LOOP
            -- Deleted first, counted after: a row that is written meanwhile leaves a note of its own.
            SELECT max(bucket) INTO last FROM (
                SELECT DISTINCT bucket FROM aggregate_dirty d
                WHERE d.source = src.source AND d.level = rung
                  AND d.bucket < date_bin(widths[rung + 1], until, origin)
                ORDER BY bucket LIMIT most) AS due;
            CONTINUE WHEN last IS NULL;
            WITH gone AS (
                DELETE FROM aggregate_dirty d
                WHERE d.source = src.source AND d.level = rung AND d.bucket <= last
                RETURNING d.bucket
            )
            SELECT array_agg(DISTINCT bucket) FILTER (WHERE rung > 0 OR bucket >= src.deleted_through),
                   array_agg(DISTINCT bucket) FILTER (WHERE rung = 0 AND bucket < src.deleted_through)
            INTO buckets, stale FROM gone;
            IF stale IS NOT NULL THEN
                EXECUTE format(
                    'INSERT INTO aggregate_too_late (source, bucket, told_rows)
                     SELECT %1$L, d.bucket, count(*) FROM unnest($1) AS d (bucket) JOIN %1$I s
                     ON s.%2$I >= d.bucket AND s.%2$I < d.bucket + interval ''1 minute''
                     GROUP BY d.bucket', src.source, src.time_column) USING stale;
            END IF;
            CONTINUE WHEN buckets IS NULL;
            done := done + cardinality(buckets);
            FOR agg IN SELECT * FROM aggregates a WHERE a.source = src.source ORDER BY a.name LOOP
                CONTINUE WHEN rung = 0 AND agg.finest <> '1m';
                EXECUTE format('DELETE FROM %I WHERE bucket = ANY ($1)',
                               'rolled_' || agg.name || '_' || grains[rung + 1]) USING buckets;
                IF agg.finest = grains[rung + 1] THEN
                    EXECUTE format(
                        'INSERT INTO %1$I SELECT %2$s, d.bucket, %3$s FROM unnest($1) AS d (bucket)
                         JOIN %4$I s ON s.%5$I >= d.bucket AND s.%5$I < d.bucket + %6$L::interval
                         GROUP BY %2$s, d.bucket',
                        'rolled_' || agg.name || '_' || agg.finest,
                        array_to_string(agg.keys, ', '), aggregate_sums(agg, false),
                        src.source, src.time_column, widths[rung + 1]) USING buckets;
                ELSE
                    EXECUTE format(
                        'INSERT INTO %1$I SELECT %2$s, d.bucket, %3$s FROM unnest($1) AS d (bucket)
                         JOIN %4$I f ON f.bucket >= d.bucket AND f.bucket < d.bucket + %5$L::interval
                         GROUP BY %2$s, d.bucket',
                        'rolled_' || agg.name || '_' || grains[rung + 1],
                        array_to_string(agg.keys, ', '), aggregate_sums(agg, true),
                        'rolled_' || agg.name || '_' || grains[rung], widths[rung + 1]) USING buckets;
                END IF;
            END LOOP;
            IF rung < 2 THEN
                INSERT INTO aggregate_dirty (source, level, bucket)
                SELECT DISTINCT src.source, rung + 1, date_bin(widths[rung + 2], b, origin)
                FROM unnest(buckets) AS b;
            END IF;
        END LOOP;
    END LOOP;
    RETURN done;
END
$fn$;

-- Lets go of the rows of single tracks that are older than `keep`, once they are rolled up: from now
-- on no bucket before it is made again. Returns what was decided; deleting the rows comes after.
CREATE OR REPLACE FUNCTION aggregates_let_go() RETURNS SETOF aggregate_sources
LANGUAGE plpgsql AS $fn$
BEGIN
    PERFORM pg_advisory_xact_lock(hashtext('smartstore.aggregates'));
    WHILE EXISTS (
        SELECT FROM aggregate_dirty_1m d JOIN aggregate_sources s USING (source)
        WHERE d.bucket < date_bin('1 minute', now() - s.keep, '2000-01-01 00:00+00')
    ) LOOP
        PERFORM aggregates_refresh();
    END LOOP;
    RETURN QUERY
    UPDATE aggregate_sources
    SET deleted_through = greatest(
        deleted_through, date_bin('1 minute', now() - keep, '2000-01-01 00:00+00'))
    WHERE keep IS NOT NULL
    RETURNING *;
END
$fn$;

-- Makes an aggregate's roll-up tables, and over them the views agg_NAME_1m, _1h and _1d: what is
-- rolled up, and what is dirty from its source. They are exact at every moment. One key and bucket
-- may come in several rows: sum them.
CREATE OR REPLACE FUNCTION aggregate_make_plain(agg aggregates) RETURNS void LANGUAGE plpgsql AS $fn$
DECLARE
    grains CONSTANT text[] := ARRAY['1m', '1h', '1d'];
    widths CONSTANT text[] := ARRAY['1 minute', '1 hour', '1 day'];
    first CONSTANT integer := array_position(ARRAY['1m', '1h'], agg.finest);
    src aggregate_sources;
    keys CONSTANT text := array_to_string(agg.keys, ', ');
    names CONSTANT text := (SELECT string_agg(format('r.%I', n), ', ') FROM unnest(agg.names) AS n);
    own CONSTANT text := (SELECT string_agg(format('r.%I', k), ', ') FROM unnest(agg.keys) AS k);
    arms text[];
    grain integer;
    finer integer;
BEGIN
    SELECT * INTO src FROM aggregate_sources s WHERE s.source = agg.source;
    FOR grain IN first..3 LOOP
        EXECUTE format(
            'CREATE TABLE IF NOT EXISTS %1$I AS SELECT %2$s, %3$I AS bucket, %4$s FROM %5$I
             GROUP BY %2$s, %3$I WITH NO DATA',
            'rolled_' || agg.name || '_' || grains[grain], keys, src.time_column,
            aggregate_sums(agg, false), agg.source);
        EXECUTE format('CREATE INDEX IF NOT EXISTS %I ON %I (bucket, store_id)',
                       'rolled_' || agg.name || '_' || grains[grain] || '_bucket',
                       'rolled_' || agg.name || '_' || grains[grain]);
        arms := ARRAY[format(
            'SELECT %s, r.bucket, %s FROM %I r WHERE NOT EXISTS
             (SELECT FROM aggregate_dirty_%s n WHERE n.source = %L AND n.bucket = r.bucket)',
            own, names, 'rolled_' || agg.name || '_' || grains[grain], grains[grain], agg.source)];
        FOR finer IN REVERSE grain - 1..first LOOP
            arms := arms || format(
                'SELECT %1$s, date_bin(%2$L, r.bucket, ''2000-01-01 00:00+00''), %3$s
                 FROM aggregate_dirty_%4$s d JOIN %5$I r
                 ON r.bucket >= d.bucket AND r.bucket < d.bucket + %6$L::interval
                 WHERE d.source = %7$L AND NOT EXISTS
                 (SELECT FROM aggregate_dirty_%8$s n WHERE n.source = %7$L AND n.bucket = r.bucket)',
                own, widths[grain], names, grains[finer + 1],
                'rolled_' || agg.name || '_' || grains[finer], widths[finer + 1], agg.source,
                grains[finer]);
        END LOOP;
        arms := arms || format(
            'SELECT %1$s, date_bin(%2$L, d.bucket, ''2000-01-01 00:00+00''), %3$s
             FROM aggregate_dirty_%4$s d JOIN %5$I s
             ON s.%6$I >= d.bucket AND s.%6$I < d.bucket + %7$L::interval
             WHERE d.source = %5$L GROUP BY %1$s, d.bucket',
            keys, widths[grain], aggregate_sums(agg, false), agg.finest, agg.source,
            src.time_column, widths[first]);
        EXECUTE format('CREATE OR REPLACE VIEW %I AS %s',
                       'agg_' || agg.name || '_' || grains[grain],
                       array_to_string(arms, ' UNION ALL '));
    END LOOP;
END
$fn$;

-- ── TimescaleDB: continuous aggregates, hours from minutes and days from hours ────────────────────

-- Real-time ones: what is not materialised yet is read from the source. Never filled here: that
-- may not happen in a transaction. Their policies are set after the migrations.
CREATE OR REPLACE FUNCTION aggregate_make_continuous(agg aggregates) RETURNS void
LANGUAGE plpgsql AS $fn$
DECLARE
    grains CONSTANT text[] := ARRAY['1m', '1h', '1d'];
    widths CONSTANT text[] := ARRAY['1 minute', '1 hour', '1 day'];
    first CONSTANT integer := array_position(ARRAY['1m', '1h'], agg.finest);
    keys CONSTANT text := array_to_string(agg.keys, ', ');
    grain integer;
BEGIN
    FOR grain IN first..3 LOOP
        EXECUTE format(
            'CREATE MATERIALIZED VIEW IF NOT EXISTS %1$I
             WITH (timescaledb.continuous, timescaledb.materialized_only = false) AS
             SELECT %2$s, time_bucket(%3$L, %4$I) AS bucket, %5$s FROM %6$I
             GROUP BY %2$s, time_bucket(%3$L, %4$I) WITH NO DATA',
            'agg_' || agg.name || '_' || grains[grain], keys, widths[grain],
            CASE WHEN grain = first
                 THEN (SELECT time_column FROM aggregate_sources s WHERE s.source = agg.source)
                 ELSE 'bucket' END,
            aggregate_sums(agg, grain > first),
            CASE WHEN grain = first THEN agg.source
                 ELSE 'agg_' || agg.name || '_' || grains[grain - 1] END);
    END LOOP;
END
$fn$;

DO $$
DECLARE
    agg aggregates;
    src aggregate_sources;
    deed text;
    continuous boolean := EXISTS (SELECT 1 FROM pg_extension WHERE extname = 'timescaledb');
BEGIN
    IF continuous AND current_setting('timescaledb.license', true) = 'apache' THEN
        RAISE EXCEPTION 'continuous aggregates need the community edition: set timescaledb.license = timescale';
    END IF;
    FOR agg IN SELECT * FROM aggregates ORDER BY name LOOP
        IF continuous THEN
            PERFORM aggregate_make_continuous(agg);
        ELSE
            PERFORM aggregate_make_plain(agg);
        END IF;
    END LOOP;
    IF continuous THEN
        RETURN;
    END IF;
    FOR src IN SELECT * FROM aggregate_sources LOOP
        FOREACH deed IN ARRAY ARRAY['INSERT', 'UPDATE'] LOOP
            EXECUTE format(
                'CREATE OR REPLACE TRIGGER %1$I AFTER %2$s ON %3$I REFERENCING NEW TABLE AS told
                 FOR EACH STATEMENT EXECUTE FUNCTION aggregate_note(%4$L)',
                'aggregate_note_' || lower(deed), deed, src.source, src.time_column);
        END LOOP;
        -- What an older version has stored is dirty as a whole.
        EXECUTE format(
            'INSERT INTO aggregate_dirty (source, level, bucket)
             SELECT DISTINCT %1$L, 0, date_bin(''1 minute'', %2$I, ''2000-01-01 00:00+00'') FROM %1$I',
            src.source, src.time_column);
    END LOOP;
END
$$;
