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
