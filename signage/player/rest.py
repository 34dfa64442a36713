"""The fallback picture: what a screen shows when there is nothing else that it may show. It comes
with the player, so it needs no playlist.
"""

import hashlib
from pathlib import Path

from streams.contracts.signage import Creative

REST_FILE = Path(__file__).parent / "static" / "rest.html"
REST_MEDIA = "player-rest/1/rest.html"


def rest_creative() -> Creative:
    """The fallback picture as a creative; its plays are proven like any other."""
    return Creative(
        creative_id="player-rest",
        version=1,
        title="Fallback picture",
        alt_text="A plain warm colour.",
        language="en",
        media=REST_MEDIA,
        sha256=hashlib.sha256(REST_FILE.read_bytes()).hexdigest(),
        owner="smartstore",
    )
