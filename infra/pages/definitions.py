"""What each figure is called, and the formula that stands beside it: those of `v_definitions`."""

from infra.pages.model import Unit

#: key: (title, unit, formula)
DEFINITIONS: dict[str, tuple[str, Unit, str]] = {
    "gross_impressions": (
        "Gross impressions",
        "count",
        "all who were present in the zone, staff too; who comes back is counted again",
    ),
    "ots": (
        "Opportunity to see",
        "count",
        "of the gross impressions, those whose place and heading let them see it; not staff",
    ),
    "watchers": (
        "Watchers",
        "count",
        "those who faced it at least once for its fixation time (estimated from facing); not staff",
    ),
    "verified_impressions": (
        "Verified impressions",
        "count",
        "a play on the glass and a presence that overlap by at least 1 s",
    ),
    "presence_ms": ("Presence time", "ms", "first to last detection, of everybody, staff too"),
    "dwell_ms": ("Dwell time", "ms", "first to last detection, of watchers"),
    "attention_ms": (
        "Attention time",
        "ms",
        "sum of the intervals with the face directed at it (an estimate)",
    ),
    "exposed_ms": ("Exposed time", "ms", "sum of the overlaps of play and presence"),
    "conversion_ratio": ("Conversion ratio", "share", "watchers / opportunity to see"),
    "attraction_ratio": ("Attraction ratio", "share", "attention time / dwell time"),
    "stays": ("Zone dwells", "count", "stays longer than the zone's minimum; not staff"),
    "mean_stay_ms": ("Mean zone dwell", "ms", "time of the zone dwells / zone dwells"),
    "entering": ("Entering", "count", "crossings of the entrance inwards, or a counter's count"),
    "passers_by": ("Passers-by", "count", "a counter's count of who passed the door"),
    "capture_rate": ("Capture rate", "share", "entering / passers-by"),
    "conversion": ("Conversion", "share", "transactions / entering"),
    "exposure_rate": ("Exposure rate", "share", "zone traffic / store traffic (entering)"),
    "transactions": ("Transactions", "count", "sales - voids"),
    "basket_units": ("Units sold", "number", "returns and voids taken off"),
    "basket_value": ("Net sales", "money", "returns and voids taken off"),
    "upt": ("Units per transaction", "number", "units / transactions"),
    "atv": ("Average transaction value", "money", "net sales / transactions"),
    "plays": ("Plays", "count", "proofs of play that ended"),
    "failed": ("Failed plays", "count", "plays that the page could not show"),
    "shown_ms": ("Time on the glass", "ms", "sum of the plays' own durations"),
    "caused": ("Reactions", "count", "plays that a shopper's glance brought about"),
    "impression_multiplier": ("Impression multiplier", "number", "gross impressions / plays"),
}


def title(key: str) -> str:
    """The name of a metric for people."""
    return DEFINITIONS[key][0]


def formula(key: str) -> str:
    """Its formula."""
    return DEFINITIONS[key][2]
