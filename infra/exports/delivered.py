"""What the database knows of plays and who was before them: reads for the exports."""

from datetime import date, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import psycopg

from infra.exports.campaign import Delivered
from infra.exports.openrtb import Hour
from streams.contracts.layout import StoreLayout

_HOURS = """
SELECT p.screen_id,
       ((extract(isodow FROM p.rendered_at AT TIME ZONE %(zone)s) - 1) * 24
        + extract(hour FROM p.rendered_at AT TIME ZONE %(zone)s))::int AS hour_of_week,
       count(*)::int AS plays,
       coalesce(sum(e.verified_impressions), 0)::int AS verified
FROM plays p
LEFT JOIN exposures e ON e.play_id = p.play_id AND e.started_at = p.rendered_at
WHERE p.store_id = %(store)s AND p.success
  AND p.rendered_at >= %(since)s AND p.rendered_at < %(until)s
GROUP BY 1, 2 ORDER BY 1, 2
"""

_DELIVERED = """
SELECT to_char(p.rendered_at AT TIME ZONE %(zone)s, 'YYYY-MM-DD') AS day,
       p.screen_id, p.creative_id, p.creative_version,
       count(*) FILTER (WHERE p.success)::int AS plays,
       count(*) FILTER (WHERE NOT p.success)::int AS dark_plays,
       coalesce(sum(p.duration_ms) FILTER (WHERE p.success), 0)::bigint AS on_glass_ms,
       coalesce(sum(e.gross_impressions), 0)::int AS gross_impressions,
       sum(e.ots)::int AS ots,
       coalesce(sum(e.verified_impressions), 0)::int AS verified_impressions,
       sum(e.attention_ms) FILTER (WHERE e.watchers IS NOT NULL)::bigint AS attention_ms
FROM plays p
LEFT JOIN exposures e ON e.play_id = p.play_id AND e.started_at = p.rendered_at
JOIN creatives c ON c.creative_id = p.creative_id AND c.version = p.creative_version
WHERE p.store_id = %(store)s AND c.campaign = %(campaign)s
  AND p.rendered_at >= %(since)s AND p.rendered_at < %(until)s
GROUP BY 1, 2, 3, 4 ORDER BY 1, 2, 3, 4
"""

_BOOKED = """
SELECT max(budget_plays) FROM creatives WHERE campaign = %s
"""


def hours(
    connection: psycopg.Connection[Any], layout: StoreLayout, first: date, last: date
) -> list[Hour]:
    """Plays and verified impressions of each screen by hour of the week, from `first` to `last`."""
    rows = connection.execute(_HOURS, _given(layout, first, last)).fetchall()
    return [Hour(*row) for row in rows]


def deliveries(
    connection: psycopg.Connection[Any],
    layout: StoreLayout,
    campaign: str,
    first: date,
    last: date,
) -> list[Delivered]:
    """What the campaign's creatives did, by day, screen and version."""
    given = {**_given(layout, first, last), "campaign": campaign}
    return [Delivered(*row) for row in connection.execute(_DELIVERED, given).fetchall()]


def booked(connection: psycopg.Connection[Any], campaign: str) -> int | None:
    """The plays that the campaign's creatives name as its budget, None where none does."""
    row = connection.execute(_BOOKED, [campaign]).fetchone()
    return None if row is None else row[0]


def _given(layout: StoreLayout, first: date, last: date) -> dict[str, Any]:
    zone = ZoneInfo(layout.time_zone)
    return {
        "store": layout.store_id,
        "zone": layout.time_zone,
        "since": datetime.combine(first, time.min, zone),
        "until": datetime.combine(last + timedelta(days=1), time.min, zone),
    }
