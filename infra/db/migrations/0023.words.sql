-- How staff are counted, said in the definitions: whoever was in a staff area, or stayed for longer than
-- a zone's staff limit, was present; they are no opportunity, no watchers and no dwells.
-- depends: 0022.demand

CREATE OR REPLACE VIEW v_definitions (metric, formula, unit, source) AS VALUES
    ('gross_impressions', 'presences in the zone that began, staff''s too; nobody is recognised, so whoever comes back is counted again', 'people', 'v_audience_by_*, v_exposures_by_*'),
    ('ots', 'of the gross impressions, those whose place and heading let them see the target; staff left out', 'people', 'v_audience_by_*, v_exposures_by_*'),
    ('watchers', 'of the gross impressions, those who faced the target at least once for its fixation time (estimated from facing); staff left out', 'people', 'v_audience_by_*, v_exposures_by_*'),
    ('presence_ms', 'first to last detection in the zone, of everybody, staff too', 'ms', 'v_audience_by_*'),
    ('dwell_ms', 'first to last detection in the zone, of watchers', 'ms', 'v_audience_by_*'),
    ('attention_ms', 'sum of the intervals in which a face was directed at the target (estimated from facing)', 'ms', 'v_audience_by_*, v_exposures_by_*'),
    ('conversion_ratio', 'watchers / ots', 'share', 'v_audience_by_*'),
    ('attraction_ratio', 'attention_ms / dwell_ms', 'share', 'v_audience_by_*'),
    ('stays', 'stays in a zone longer than its configured minimum (zone dwell); staff left out', 'stays', 'v_dwell_by_*'),
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
