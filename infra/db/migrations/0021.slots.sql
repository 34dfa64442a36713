-- What the slots of an experiment sold and followed, from aggregates: sums by slot of any length that
-- is whole minutes, and the arms that decisions followed.
-- depends: 0008.spans 0020.exports

DO $$
DECLARE
    agg aggregates;
BEGIN
    INSERT INTO aggregates (name, source, finest, keys, names, terms) VALUES
        ('drawn', 'decisions', '1h',
         ARRAY['store_id', 'screen_id', 'experiment_id', 'slot_start', 'arm'],
         ARRAY['decisions'],
         ARRAY['count(*)'])
    ON CONFLICT (name) DO UPDATE SET
        keys = excluded.keys, names = excluded.names, terms = excluded.terms;
    SELECT * INTO agg FROM aggregates WHERE name = 'drawn';
    IF EXISTS (SELECT 1 FROM pg_extension WHERE extname = 'timescaledb') THEN
        PERFORM aggregate_make_continuous(agg);
        RETURN;
    END IF;
    PERFORM aggregate_make_plain(agg);
    -- The new roll-up holds nothing yet: what there is, is dirty as a whole.
    INSERT INTO aggregate_dirty (source, level, bucket)
    SELECT DISTINCT 'decisions', 0, date_bin('1 minute', decided_at, '2000-01-01 00:00+00')
    FROM decisions;
END
$$;

-- Which arm the decisions of a slot followed; a slot of several hours comes once an hour.
CREATE OR REPLACE VIEW v_decisions_by_slot AS
SELECT store_id, screen_id, experiment_id, slot_start, arm, bucket,
       sum(decisions)::bigint AS decisions
FROM agg_drawn_1h
GROUP BY store_id, screen_id, experiment_id, slot_start, arm, bucket;

-- Whether an hour lies in one slot, behind its washout.
CREATE OR REPLACE FUNCTION slot_holds_hour(hour timestamptz, slot interval, washout interval)
RETURNS boolean LANGUAGE sql STABLE AS $fn$
    SELECT slot >= washout + interval '1 hour'
           AND hour >= date_bin(slot, hour, '1970-01-01 00:00+00') + washout
           AND hour + interval '1 hour' <= date_bin(slot, hour, '1970-01-01 00:00+00') + slot
$fn$;

-- Baskets of a store by slot, the first `washout` of each slot left out. Slots are counted from the
-- Unix epoch; they and the washout are whole minutes, `since` and `until` begin a slot. Hours that
-- lie in one slot behind its washout come from hours, all else from minutes. Planned as a query of its
-- own: within another TimescaleDB asks for each row anew how far an aggregate is filled.
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

-- The same of lines: those of `categories` (or all, with `everything`) from aggregates by category,
-- and beside them the rows of `skus` in other categories, so that no line comes twice.
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
