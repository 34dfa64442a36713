-- What fell between two moments, from the coarsest buckets that fit: whole UTC days, hours at their
-- edges, and minutes where a time zone is no whole hours from UTC. Sum the rows; one key may come in
-- several. The functions are inlined: conditions on their rows reach the aggregates.
-- depends: 0007.metrics

DO $$
DECLARE
    name text;
BEGIN
    FOREACH name IN ARRAY ARRAY['audience', 'dwell', 'exposures', 'plays', 'decisions', 'baskets',
                                'categories', 'store', 'doors'] LOOP
        EXECUTE format($f$
            CREATE OR REPLACE FUNCTION %1$I(since timestamptz, until timestamptz)
            RETURNS SETOF v_%2$s_by_day LANGUAGE sql STABLE AS $body$
                SELECT * FROM v_%2$s_by_day
                WHERE bucket >= date_bin('1 day', since - interval '1 microsecond', '2000-01-01 00:00+00') + interval '1 day'
                  AND bucket < date_bin('1 day', until, '2000-01-01 00:00+00')
                UNION ALL
                SELECT * FROM v_%2$s_by_hour
                WHERE bucket >= date_bin('1 hour', since - interval '1 microsecond', '2000-01-01 00:00+00') + interval '1 hour'
                  AND bucket < date_bin('1 hour', until, '2000-01-01 00:00+00')
                  AND (bucket < date_bin('1 day', since - interval '1 microsecond', '2000-01-01 00:00+00') + interval '1 day'
                       OR bucket >= date_bin('1 day', until, '2000-01-01 00:00+00'))
                UNION ALL
                SELECT * FROM v_%2$s_by_minute
                WHERE bucket >= since AND bucket < until
                  AND (bucket < date_bin('1 hour', since - interval '1 microsecond', '2000-01-01 00:00+00') + interval '1 hour'
                       OR bucket >= date_bin('1 hour', until, '2000-01-01 00:00+00'))
            $body$
            $f$, name || '_between', name);
    END LOOP;
END
$$;
