-- Every metric as a view over the aggregates, with its formula: pages, reports and exports read these
-- alone. Buckets are UTC; a ratio is null where it was not measured, or its denominator is nothing.
-- depends: 0006.aggregates

DO $$
DECLARE
    grain text[];
BEGIN
    -- Made anew below, with more columns before the old ones.
    DROP VIEW IF EXISTS v_baskets_by_day;

    FOREACH grain SLICE 1 IN ARRAY ARRAY[['minute', '1m'], ['hour', '1h'], ['day', '1d']] LOOP

        -- gross_impressions: presences that began (each presence is one, for nobody is recognised)
        -- ots:               of those, the ones with an opportunity above 0 ms; null: not measured
        -- watchers:          presences in which the target was looked at; null: not measured
        -- presence_ms:       first to last detection, of everybody
        -- dwell_ms:          the same, of watchers alone
        -- attention_ms:      sum of the intervals with the face directed at the target (estimate)
        -- conversion_ratio:  watchers / ots
        -- attraction_ratio:  attention_ms / dwell_ms
        EXECUTE format($v$
            CREATE OR REPLACE VIEW v_audience_by_%1$s AS
            SELECT store_id, area_id, target_id, target_kind, bucket,
                   sum(presences)::bigint AS gross_impressions,
                   CASE WHEN sum(ots_measured) > 0 THEN sum(ots)::bigint END AS ots,
                   CASE WHEN sum(watchers_measured) > 0 THEN sum(watchers)::bigint END AS watchers,
                   sum(presence_ms)::bigint AS presence_ms,
                   CASE WHEN sum(ots_measured) > 0 THEN sum(opportunity_ms)::bigint END AS opportunity_ms,
                   CASE WHEN sum(watchers_measured) > 0 THEN sum(dwell_ms)::bigint END AS dwell_ms,
                   sum(gazes)::bigint AS gazes,
                   sum(attention_ms)::bigint AS attention_ms,
                   sum(watchers)::double precision / nullif(sum(ots), 0) AS conversion_ratio,
                   sum(attention_ms)::double precision / nullif(sum(dwell_ms), 0) AS attraction_ratio,
                   sum(ots_measured)::bigint AS ots_measured,
                   sum(watchers_measured)::bigint AS watchers_measured
            FROM (
                SELECT store_id, area_id, target_id, target_kind, bucket, presences, presence_ms,
                       ots_measured, ots, opportunity_ms, watchers_measured, watchers, dwell_ms,
                       0::bigint AS gazes, 0::bigint AS attention_ms
                FROM agg_presence_%2$s
                UNION ALL
                SELECT store_id, area_id, target_id, target_kind, bucket, 0, 0, 0, 0, 0, 0, 0, 0,
                       gazes, attention_ms
                FROM agg_gaze_%2$s
            ) AS both_parts
            GROUP BY store_id, area_id, target_id, target_kind, bucket
            $v$, grain[1], grain[2]);

        -- stays:        stays in a zone longer than that zone's minimum (zone dwell), by length
        -- mean_stay_ms: stay_ms / stays
        EXECUTE format($v$
            CREATE OR REPLACE VIEW v_dwell_by_%1$s AS
            SELECT store_id, area_id, zone_id, bucket,
                   sum(stays)::bigint AS stays, sum(stay_ms)::bigint AS stay_ms,
                   sum(stay_ms)::double precision / sum(stays) AS mean_stay_ms,
                   sum(censored)::bigint AS censored,
                   sum(under_5_s)::bigint AS under_5_s, sum(under_10_s)::bigint AS under_10_s,
                   sum(under_20_s)::bigint AS under_20_s, sum(under_30_s)::bigint AS under_30_s,
                   sum(under_60_s)::bigint AS under_60_s, sum(under_120_s)::bigint AS under_120_s,
                   sum(under_300_s)::bigint AS under_300_s, sum(from_300_s)::bigint AS from_300_s
            FROM agg_dwell_%2$s
            GROUP BY store_id, area_id, zone_id, bucket
            $v$, grain[1], grain[2]);

        -- verified_impressions: play and presence in the exposure zone overlap by 1 s at least
        -- exposed_ms:           the sum of those overlaps
        -- gross_impressions, ots, watchers, attention_ms: of each play, summed over the plays
        -- impression_multiplier: gross_impressions / plays (OpenRTB qty)
        EXECUTE format($v$
            CREATE OR REPLACE VIEW v_exposures_by_%1$s AS
            SELECT store_id, area_id, screen_id, creative_id, creative_version, bucket,
                   sum(plays)::bigint AS plays, sum(shown_ms)::bigint AS shown_ms,
                   sum(gross_impressions)::bigint AS gross_impressions,
                   CASE WHEN sum(ots_measured) > 0 THEN sum(ots)::bigint END AS ots,
                   sum(verified_impressions)::bigint AS verified_impressions,
                   sum(exposed_ms)::bigint AS exposed_ms,
                   CASE WHEN sum(watchers_measured) > 0 THEN sum(watchers)::bigint END AS watchers,
                   sum(attention_ms)::bigint AS attention_ms,
                   sum(gross_impressions)::double precision / sum(plays) AS impression_multiplier,
                   sum(late)::bigint AS late
            FROM agg_exposures_%2$s
            GROUP BY store_id, area_id, screen_id, creative_id, creative_version, bucket
            $v$, grain[1], grain[2]);

        -- Proofs of play, counted. `caused`: those that a shopper's glance brought about.
        EXECUTE format($v$
            CREATE OR REPLACE VIEW v_plays_by_%1$s AS
            SELECT store_id, area_id, screen_id, creative_id, creative_version, bucket,
                   sum(plays)::bigint AS plays, sum(failed)::bigint AS failed,
                   sum(finished)::bigint AS finished, sum(preempted)::bigint AS preempted,
                   sum(caused)::bigint AS caused, sum(shown_ms)::bigint AS shown_ms
            FROM agg_plays_%2$s
            GROUP BY store_id, area_id, screen_id, creative_id, creative_version, bucket
            $v$, grain[1], grain[2]);

        EXECUTE format($v$
            CREATE OR REPLACE VIEW v_decisions_by_%1$s AS
            SELECT store_id, area_id, screen_id, arm, reason, bucket,
                   sum(decisions)::bigint AS decisions
            FROM agg_decisions_%2$s
            GROUP BY store_id, area_id, screen_id, arm, reason, bucket
            $v$, grain[1], grain[2]);

        -- transactions: sales - voids (a return changes the sums, not the count)
        -- basket_units, basket_value: net sums, returns and voids taken off
        -- upt: basket_units / transactions; atv: basket_value / transactions
        EXECUTE format($v$
            CREATE OR REPLACE VIEW v_baskets_by_%1$s AS
            SELECT store_id, bucket, bucket AS %1$I, currency, simulated,
                   sum(transactions)::bigint AS transactions,
                   sum(basket_units) AS basket_units, sum(basket_value) AS basket_value,
                   sum(basket_units) / nullif(sum(transactions), 0) AS upt,
                   sum(basket_value) / nullif(sum(transactions), 0) AS atv,
                   sum(receipts)::bigint AS receipts, sum(returns)::bigint AS returns,
                   sum(voids)::bigint AS voids
            FROM agg_baskets_%2$s
            GROUP BY store_id, bucket, currency, simulated
            $v$, grain[1], grain[2]);

        -- units_share: units / units of all categories; value_share likewise
        EXECUTE format($v$
            CREATE OR REPLACE VIEW v_categories_by_%1$s AS
            SELECT store_id, bucket, category, currency, simulated,
                   sum(lines)::bigint AS lines, sum(units) AS units, sum(net_value) AS net_value,
                   sum(units) / nullif(sum(sum(units)) OVER whole, 0) AS units_share,
                   sum(net_value) / nullif(sum(sum(net_value)) OVER whole, 0) AS value_share
            FROM agg_categories_%2$s
            GROUP BY store_id, bucket, category, currency, simulated
            WINDOW whole AS (PARTITION BY store_id, bucket, currency, simulated)
            $v$, grain[1], grain[2]);

        -- entering, leaving: what a counter of the store's own told for the bucket, else the cameras'
        --   lines; null: not measured. passers_by: a counter's alone
        -- transactions: of all tills; simulated: a till was simulated
        -- conversion:   transactions / entering
        -- capture_rate: entering / passers_by
        EXECUTE format($v$
            CREATE OR REPLACE VIEW v_store_by_%1$s AS
            SELECT store_id, bucket,
                   coalesce(sum(counted_in), sum(crossed_in))::bigint AS entering,
                   coalesce(sum(counted_out), sum(crossed_out))::bigint AS leaving,
                   sum(passing)::bigint AS passers_by,
                   CASE WHEN count(counted_in) > 0 THEN 'counter'
                        WHEN count(crossed_in) > 0 THEN 'camera' END AS counted_by,
                   coalesce(sum(sold), 0)::bigint AS transactions,
                   coalesce(bool_or(invented), false) AS simulated,
                   sum(sold)::double precision
                       / nullif(coalesce(sum(counted_in), sum(crossed_in)), 0) AS conversion,
                   coalesce(sum(counted_in), sum(crossed_in))::double precision
                       / nullif(sum(passing), 0) AS capture_rate
            FROM (
                SELECT store_id, bucket, transactions AS sold, simulated AS invented,
                       NULL::bigint AS crossed_in, NULL::bigint AS crossed_out,
                       NULL::bigint AS counted_in, NULL::bigint AS counted_out,
                       NULL::bigint AS passing
                FROM agg_baskets_%2$s
                UNION ALL
                SELECT store_id, bucket, NULL, NULL,
                       CASE WHEN direction = 'in' THEN crossings ELSE 0 END,
                       CASE WHEN direction = 'out' THEN crossings ELSE 0 END,
                       NULL, NULL, NULL
                FROM agg_crossings_%2$s
                UNION ALL
                SELECT store_id, date_bin(%3$L, counted_from, '2000-01-01 00:00+00'), NULL, NULL,
                       NULL, NULL, entering, leaving, passers_by
                FROM door_counts
            ) AS parts
            GROUP BY store_id, bucket
            $v$, grain[1], grain[2], '1 ' || grain[1]);

        EXECUTE format($v$
            CREATE OR REPLACE VIEW v_doors_by_%1$s AS
            SELECT store_id, area_id, line_id, bucket,
                   coalesce(sum(crossings) FILTER (WHERE direction = 'in'), 0)::bigint AS entering,
                   coalesce(sum(crossings) FILTER (WHERE direction = 'out'), 0)::bigint AS leaving
            FROM agg_crossings_%2$s
            GROUP BY store_id, area_id, line_id, bucket
            $v$, grain[1], grain[2]);

        -- exposure_rate: zone traffic (presences in the zone) / store traffic (entering)
        EXECUTE format($v$
            CREATE OR REPLACE VIEW v_exposure_rate_by_%1$s AS
            SELECT a.store_id, a.area_id, a.target_id AS zone_id, a.bucket,
                   a.gross_impressions AS zone_traffic, s.entering AS store_traffic,
                   a.gross_impressions::double precision / nullif(s.entering, 0) AS exposure_rate
            FROM v_audience_by_%1$s a LEFT JOIN v_store_by_%1$s s USING (store_id, bucket)
            WHERE a.target_kind = 'zone'
            $v$, grain[1]);
    END LOOP;

    FOREACH grain SLICE 1 IN ARRAY ARRAY[['hour', '1h'], ['day', '1d']] LOOP
        EXECUTE format($v$
            CREATE OR REPLACE VIEW v_products_by_%1$s AS
            SELECT store_id, bucket, category, sku, currency, simulated,
                   sum(lines)::bigint AS lines, sum(units) AS units, sum(net_value) AS net_value
            FROM agg_products_%2$s
            GROUP BY store_id, bucket, category, sku, currency, simulated
            $v$, grain[1], grain[2]);

        -- What each arm sold, as the stream processor counted it: late receipts are left out and
        -- counted. It describes; an effect is what the experiment page says, with its interval.
        EXECUTE format($v$
            CREATE OR REPLACE VIEW v_arms_by_%1$s AS
            SELECT store_id, bucket, arm, currency, simulated,
                   sum(transactions)::bigint AS transactions,
                   sum(basket_units) AS basket_units, sum(basket_value) AS basket_value,
                   sum(basket_units) / nullif(sum(transactions), 0) AS upt,
                   sum(basket_value) / nullif(sum(transactions), 0) AS atv,
                   sum(late)::bigint AS late
            FROM agg_arms_%2$s
            GROUP BY store_id, bucket, arm, currency, simulated
            $v$, grain[1], grain[2]);

        -- The minimum report of a campaign: plays and gross impressions by creative.
        EXECUTE format($v$
            CREATE OR REPLACE VIEW v_campaigns_by_%1$s AS
            SELECT e.store_id, c.campaign, c.owner, e.creative_id, e.bucket,
                   sum(e.plays)::bigint AS plays, sum(e.shown_ms)::bigint AS shown_ms,
                   sum(e.gross_impressions)::bigint AS gross_impressions, sum(e.ots)::bigint AS ots,
                   sum(e.verified_impressions)::bigint AS verified_impressions,
                   sum(e.attention_ms)::bigint AS attention_ms,
                   sum(e.gross_impressions)::double precision / sum(e.plays) AS impression_multiplier
            FROM v_exposures_by_%1$s e
            LEFT JOIN creatives c ON c.creative_id = e.creative_id AND c.version = e.creative_version
            GROUP BY e.store_id, c.campaign, c.owner, e.creative_id, e.bucket
            $v$, grain[1]);
    END LOOP;
END
$$;

-- One row a slot and arm: a slot of a store-slot experiment has one arm.
CREATE OR REPLACE VIEW v_arms_by_slot AS
SELECT store_id, slot_start, arm, currency, simulated, experiment_id,
       sum(transactions)::bigint AS transactions,
       sum(basket_units) AS basket_units, sum(basket_value) AS basket_value,
       sum(basket_units) / nullif(sum(transactions), 0) AS upt,
       sum(basket_value) / nullif(sum(transactions), 0) AS atv,
       sum(returns)::bigint AS returns, sum(voids)::bigint AS voids, sum(late)::bigint AS late,
       min(window_start) AS first_window, max(window_end) AS last_window
FROM basket_metrics
GROUP BY store_id, slot_start, arm, currency, simulated, experiment_id;

CREATE OR REPLACE VIEW v_arm_categories_by_slot AS
SELECT b.store_id, b.slot_start, b.arm, b.currency, b.simulated, c.key AS category,
       sum(c.value::numeric) AS units
FROM basket_metrics b CROSS JOIN LATERAL jsonb_each_text(b.category_units) AS c
GROUP BY b.store_id, b.slot_start, b.arm, b.currency, b.simulated, c.key;

-- The receipts that stand: voids and what they take back are left out.
CREATE OR REPLACE VIEW v_receipts AS
SELECT store_id, area_id, basket_id, closed_at, currency, kind, basket_units, basket_value, simulated
FROM baskets b
WHERE b.kind <> 'void' AND NOT EXISTS (
    SELECT FROM baskets v
    WHERE v.kind = 'void' AND v.store_id = b.store_id AND v.voids = b.basket_id
      AND v.closed_at >= b.closed_at - interval '1 day' AND v.closed_at <= b.closed_at + interval '35 days');

-- What each screen showed, when, why and at whose cause: proof of play beside its decision.
CREATE OR REPLACE VIEW v_screen_timeline AS
SELECT p.store_id, p.area_id, p.screen_id, p.rendered_at,
       p.rendered_at + p.duration_ms * interval '1 millisecond' AS ended_at,
       p.duration_ms, p.scheduled_at, p.play_id, p.player_id, p.decision_id, p.creative_id,
       p.creative_version, c.title, c.campaign, p.stop_reason, p.success, p.error,
       p.captured_at IS NOT NULL AS caused, d.decided_at, d.arm, d.arm_probability, d.reason,
       d.sentence, d.algorithm, d.policy_version, d.experiment_id, p.seq, p.sha256, p.clock_note
FROM plays p
LEFT JOIN LATERAL (
    SELECT * FROM decisions d WHERE d.decision_id = p.decision_id
    ORDER BY d.decided_at DESC LIMIT 1
) AS d ON true
LEFT JOIN creatives c ON c.creative_id = p.creative_id AND c.version = p.creative_version;

-- Times of 2 s and more between two plays of a screen in which no play is known: its fallback picture
-- may have been up, so that this is no proof of dark seconds but where to look for them.
CREATE OR REPLACE VIEW v_screen_gaps AS
SELECT store_id, screen_id, gap_from, gap_until,
       (extract(epoch FROM gap_until - gap_from) * 1000)::bigint AS gap_ms
FROM (
    SELECT store_id, screen_id,
           max(rendered_at + duration_ms * interval '1 millisecond') OVER earlier AS gap_from,
           lead(rendered_at) OVER (PARTITION BY store_id, screen_id ORDER BY rendered_at) AS gap_until
    FROM plays WHERE success
    WINDOW earlier AS (PARTITION BY store_id, screen_id ORDER BY rendered_at)
) AS pairs
WHERE gap_until - gap_from >= interval '2 seconds';

CREATE OR REPLACE VIEW v_creatives AS
SELECT c.*, w.withdrawn_at
FROM creatives c
LEFT JOIN LATERAL (
    SELECT max(withdrawn_at) AS withdrawn_at FROM creative_withdrawals w
    WHERE w.creative_id = c.creative_id AND w.withdrawn_at >= c.published_at
) AS w ON true;

-- Booked against delivered: what a campaign may show in a store, and how often it did.
CREATE OR REPLACE VIEW v_campaign_delivery AS
SELECT p.store_id, c.campaign, min(c.owner) AS owner, max(c.budget_plays) AS booked_plays,
       sum(p.plays)::bigint AS delivered_plays, sum(p.failed)::bigint AS failed_plays,
       sum(p.shown_ms)::bigint AS shown_ms, min(p.bucket) AS first_day, max(p.bucket) AS last_day
FROM v_plays_by_day p
JOIN creatives c ON c.creative_id = p.creative_id AND c.version = p.creative_version
WHERE c.campaign IS NOT NULL
GROUP BY p.store_id, c.campaign;

CREATE OR REPLACE VIEW v_experiments AS
SELECT *, least(ends_at, stopped_at) AS closed_at,
       CASE WHEN starts_at > now() THEN 'planned'
            WHEN least(ends_at, stopped_at) <= now() THEN 'over'
            ELSE 'running' END AS state
FROM experiments;

CREATE OR REPLACE VIEW v_policies AS
SELECT store_id, policy_id, version, algorithm, reward, features, arms, gamma, floor, rewards,
       made_at, learned_through, approved_by, approved_at, simulated
FROM policies;

CREATE OR REPLACE VIEW v_prices_shown AS
SELECT store_id, area_id, screen_id, shown_at, sku, price, currency, creative_id, creative_version,
       play_id
FROM prices_shown;

CREATE OR REPLACE VIEW v_receipts_refused AS
SELECT store_id, source, place, reason, detail, masked_text, refused_at FROM receipts_refused;

CREATE OR REPLACE VIEW v_receipts_refused_by_day AS
SELECT store_id, date_bin('1 day', refused_at, '2000-01-01 00:00+00') AS bucket, source, reason,
       count(*) AS refused
FROM receipts_refused
GROUP BY store_id, date_bin('1 day', refused_at, '2000-01-01 00:00+00'), source, reason;

-- The words and formulas, to be printed beside the numbers.
CREATE OR REPLACE VIEW v_definitions (metric, formula, unit, source) AS VALUES
    ('gross_impressions', 'presences in the zone that began; nobody is recognised, so whoever comes back is counted again', 'people', 'v_audience_by_*, v_exposures_by_*'),
    ('ots', 'of the gross impressions, those whose place and heading let them see the target', 'people', 'v_audience_by_*, v_exposures_by_*'),
    ('watchers', 'of the gross impressions, those who faced the target at least once for its fixation time (estimated from facing)', 'people', 'v_audience_by_*, v_exposures_by_*'),
    ('presence_ms', 'first to last detection in the zone, of everybody', 'ms', 'v_audience_by_*'),
    ('dwell_ms', 'first to last detection in the zone, of watchers', 'ms', 'v_audience_by_*'),
    ('attention_ms', 'sum of the intervals in which a face was directed at the target (estimated from facing)', 'ms', 'v_audience_by_*, v_exposures_by_*'),
    ('conversion_ratio', 'watchers / ots', 'share', 'v_audience_by_*'),
    ('attraction_ratio', 'attention_ms / dwell_ms', 'share', 'v_audience_by_*'),
    ('stays', 'stays in a zone longer than its configured minimum (zone dwell)', 'stays', 'v_dwell_by_*'),
    ('verified_impressions', 'a play was on the glass and a presence in the exposure zone overlapped it by at least 1 s', 'people', 'v_exposures_by_*'),
    ('exposed_ms', 'sum of the overlaps of play and presence', 'ms', 'v_exposures_by_*'),
    ('impression_multiplier', 'gross_impressions / plays (OpenRTB qty)', 'people a play', 'v_exposures_by_*'),
    ('entering', 'crossings of the entrance lines inwards, or a counter''s own count', 'people', 'v_store_by_*'),
    ('passers_by', 'a counter''s own count of who passed the door', 'people', 'v_store_by_*'),
    ('capture_rate', 'entering / passers_by', 'share', 'v_store_by_*'),
    ('conversion', 'transactions / entering', 'share', 'v_store_by_*'),
    ('exposure_rate', 'zone traffic / store traffic: presences in the zone / entering', 'share', 'v_exposure_rate_by_*'),
    ('transactions', 'sales - voids; a return changes the sums and not the count', 'receipts', 'v_baskets_by_*'),
    ('basket_units', 'sum of units, returns and voids taken off', 'units', 'v_baskets_by_*'),
    ('basket_value', 'sum of net value, returns and voids taken off', 'currency', 'v_baskets_by_*'),
    ('upt', 'basket_units / transactions', 'units a transaction', 'v_baskets_by_*'),
    ('atv', 'basket_value / transactions', 'currency a transaction', 'v_baskets_by_*'),
    ('units_share', 'units of the category / units of all', 'share', 'v_categories_by_*'),
    ('value_share', 'net value of the category / net value of all', 'share', 'v_categories_by_*'),
    ('plays', 'plays that ended, successful or not', 'plays', 'v_plays_by_*');
