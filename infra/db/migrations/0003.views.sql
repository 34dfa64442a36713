-- What the pages and reports read.
-- depends: 0001.events

-- The newest attention windows of each target. OTS is a rung of its own and may be unknown.
CREATE OR REPLACE VIEW v_attention_recent AS
SELECT store_id, area_id, target_id, target_kind, window_start, window_end,
       gross_impressions, ots, watchers, attention_ms, dwell_ms,
       watchers::double precision / nullif(ots, 0) AS conversion_ratio,
       attention_ms::double precision / nullif(dwell_ms, 0) AS attraction_ratio
FROM attention
WHERE window_start > now() - interval '15 minutes';

-- Totals a store, UTC day and currency; UPT and ATV are those over transactions.
CREATE OR REPLACE VIEW v_baskets_by_day AS
SELECT store_id, date_trunc('day', closed_at, 'UTC') AS day, currency, simulated,
       count(*) AS transactions,
       sum(basket_units) AS basket_units,
       sum(basket_value) AS basket_value,
       sum(basket_units) / count(*) AS upt,
       sum(basket_value) / count(*) AS atv
FROM baskets
GROUP BY store_id, date_trunc('day', closed_at, 'UTC'), currency, simulated;

-- From the frame that caused a play to the glass.
CREATE OR REPLACE VIEW v_glass_to_glass AS
SELECT store_id, screen_id, play_id, rendered_at,
       (extract(epoch FROM rendered_at - captured_at) * 1000)::bigint AS capture_to_render_ms
FROM plays
WHERE captured_at IS NOT NULL AND success;
