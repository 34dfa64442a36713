-- The spans of 0008 with edges that a planner knows, so that it leaves out chunks and whole grains of
-- which no bucket is asked: TimescaleDB planned every chunk of minutes, hours and days for each.
-- depends: 0023.words

-- The query for what fell between two moments: whole UTC days from days, hours at their edges, and
-- minutes at the edges of those.
CREATE OR REPLACE FUNCTION span_query(name text, since timestamptz, until timestamptz) RETURNS text
LANGUAGE plpgsql STABLE AS $fn$
DECLARE
    origin CONSTANT timestamptz := '2000-01-01 00:00+00';
    moment CONSTANT interval := '1 microsecond';
    days_from CONSTANT timestamptz := date_bin('1 day', since - moment, origin) + interval '1 day';
    days_until CONSTANT timestamptz := date_bin('1 day', until, origin);
    hours_from CONSTANT timestamptz := date_bin('1 hour', since - moment, origin) + interval '1 hour';
    hours_until CONSTANT timestamptz := date_bin('1 hour', until, origin);
    parts text[] := '{}';
    part record;
BEGIN
    FOR part IN
        SELECT * FROM (VALUES
            ('day', days_from, days_until),
            ('hour', hours_from, least(days_from, hours_until)),
            ('hour', greatest(days_from, days_until), hours_until),
            ('minute', since, least(hours_from, until)),
            ('minute', greatest(hours_from, hours_until), until)
        ) AS p (grain, opens, closes)
        WHERE opens < closes
    LOOP
        parts := parts || format('SELECT * FROM v_%s_by_%s WHERE bucket >= %L AND bucket < %L',
                                 name, part.grain, part.opens, part.closes);
    END LOOP;
    RETURN CASE WHEN parts = '{}' THEN format('SELECT * FROM v_%s_by_day WHERE false', name)
                ELSE array_to_string(parts, ' UNION ALL ') END;
END
$fn$;

DO $$
DECLARE
    name text;
BEGIN
    FOREACH name IN ARRAY ARRAY['audience', 'dwell', 'exposures', 'plays', 'decisions', 'baskets',
                                'categories', 'store', 'doors'] LOOP
        EXECUTE format($f$
            CREATE OR REPLACE FUNCTION %1$I(since timestamptz, until timestamptz)
            RETURNS SETOF v_%2$s_by_day LANGUAGE plpgsql STABLE AS $body$
            BEGIN
                RETURN QUERY EXECUTE span_query(%2$L, since, until);
            END
            $body$
            $f$, name || '_between', name);
    END LOOP;
END
$$;

-- The sums by slot of 0021, planned as queries of their own: within another query TimescaleDB asks for
-- each row anew how far an aggregate is filled.
CREATE OR REPLACE FUNCTION baskets_by_slot(
    of_store text, since timestamptz, until timestamptz, slot interval, washout interval)
RETURNS TABLE (slot_start timestamptz, currency text, simulated boolean, transactions bigint,
               basket_units numeric, basket_value numeric)
LANGUAGE plpgsql STABLE SET plan_cache_mode = force_custom_plan AS $fn$
BEGIN
    RETURN QUERY
    SELECT p.starts, p.currency, p.simulated, sum(p.transactions)::bigint, sum(p.basket_units),
           sum(p.basket_value)
    FROM (
        SELECT date_bin(slot, h.bucket, '1970-01-01 00:00+00') AS starts, h.currency, h.simulated,
               h.transactions, h.basket_units, h.basket_value
        FROM agg_baskets_1h h
        WHERE h.store_id = of_store AND h.bucket >= since AND h.bucket < until
          AND slot_holds_hour(h.bucket, slot, washout)
        UNION ALL
        SELECT date_bin(slot, m.bucket, '1970-01-01 00:00+00'), m.currency, m.simulated,
               m.transactions, m.basket_units, m.basket_value
        FROM agg_baskets_1m m
        WHERE m.store_id = of_store AND m.bucket >= since AND m.bucket < until
          AND m.bucket >= date_bin(slot, m.bucket, '1970-01-01 00:00+00') + washout
          AND NOT slot_holds_hour(date_bin('1 hour', m.bucket, '1970-01-01 00:00+00'), slot, washout)
    ) AS p
    GROUP BY p.starts, p.currency, p.simulated;
END
$fn$;

CREATE OR REPLACE FUNCTION lines_by_slot(
    of_store text, since timestamptz, until timestamptz, slot interval, washout interval,
    skus text[], categories text[], everything boolean)
RETURNS TABLE (slot_start timestamptz, currency text, simulated boolean, units numeric,
               net_value numeric)
LANGUAGE plpgsql STABLE SET plan_cache_mode = force_custom_plan AS $fn$
BEGIN
    RETURN QUERY
    SELECT p.starts, p.currency, p.simulated, sum(p.units), sum(p.net_value)
    FROM (
        SELECT date_bin(slot, h.bucket, '1970-01-01 00:00+00') AS starts, h.currency, h.simulated,
               h.units, h.net_value
        FROM agg_categories_1h h
        WHERE h.store_id = of_store AND h.bucket >= since AND h.bucket < until
          AND (everything OR h.category = ANY (categories))
          AND slot_holds_hour(h.bucket, slot, washout)
        UNION ALL
        SELECT date_bin(slot, m.bucket, '1970-01-01 00:00+00'), m.currency, m.simulated,
               m.units, m.net_value
        FROM agg_categories_1m m
        WHERE m.store_id = of_store AND m.bucket >= since AND m.bucket < until
          AND (everything OR m.category = ANY (categories))
          AND m.bucket >= date_bin(slot, m.bucket, '1970-01-01 00:00+00') + washout
          AND NOT slot_holds_hour(date_bin('1 hour', m.bucket, '1970-01-01 00:00+00'), slot, washout)
        UNION ALL
        SELECT date_bin(slot, r.closed_at, '1970-01-01 00:00+00'), r.currency, r.simulated,
               r.units, r.net_value
        FROM basket_lines r
        WHERE r.store_id = of_store AND r.closed_at >= since AND r.closed_at < until
          AND cardinality(skus) > 0 AND r.sku = ANY (skus)
          AND NOT (everything OR r.category = ANY (categories))
          AND r.closed_at >= date_bin(slot, r.closed_at, '1970-01-01 00:00+00') + washout
    ) AS p
    GROUP BY p.starts, p.currency, p.simulated;
END
$fn$;
