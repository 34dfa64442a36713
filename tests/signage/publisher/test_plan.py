"""The playlist of the next hours, from creatives and their schedules."""

from typing import Any
from zoneinfo import ZoneInfo

import msgspec
import pytest

from signage.publisher.plan import Planned, make_playlist
from streams.contracts.layout import Screen, Zone
from streams.contracts.playlist import Playlist
from streams.contracts.signage import Creative, Hours, MediaFile

HOUR_MS = 3_600_000
#: A Tuesday, 2023-11-14, 12:00 UTC, 13:00 in Berlin.
NOON_MS = 1_699_963_200_000


def creative(name: str, **fields: Any) -> Creative:
    base = Creative(
        creative_id=name,
        version=1,
        title=name,
        alt_text=name,
        language="en",
        media=f"{name}/1/index.html",
        sha256="0" * 64,
        owner="o",
        files=(MediaFile(path=f"{name}/1/index.html", sha256="0" * 64, bytes=1),),
    )
    return msgspec.structs.replace(base, **fields)


def planned(*creatives: Creative) -> Playlist:
    plan = Planned(
        store_id="store",
        screen=Screen(screen_id="screen-1", area_id="main", name="", languages=("en",)),
        zones=[Zone(zone_id="tea", area_id="main", name="Tea")],
        horizon_ms=8 * HOUR_MS,
        slot_ms=10_000,
        time_zone=ZoneInfo("Europe/Berlin"),
    )
    return make_playlist(plan, creatives, NOON_MS)


def stretches(playlist: Playlist) -> dict[str, list[tuple[float, float]]]:
    """When each may be shown, in hours from now."""
    return {
        entry.creative_id: [
            ((t.from_ms - NOON_MS) / HOUR_MS, (t.until_ms - NOON_MS) / HOUR_MS) for t in entry.turns
        ]
        for entry in playlist.entries
    }


def test_what_has_no_schedule_may_always_be_shown() -> None:
    playlist = planned(creative("tea"), creative("coffee"))
    assert stretches(playlist) == {"coffee": [(-2.0, 8.0)], "tea": [(-2.0, 8.0)]}
    assert (playlist.version, playlist.valid_until_ms) == (NOON_MS, NOON_MS + 8 * HOUR_MS)
    assert [file.path for file in playlist.files] == ["coffee/1/index.html", "tea/1/index.html"]


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"hours": (Hours(from_minute=14 * 60, until_minute=15 * 60 + 30),)}, [(1.0, 2.5)]),
        ({"hours": (Hours(days=(2,), from_minute=18 * 60),)}, [(5.0, 8.0)]),
        ({"hours": (Hours(days=(6, 7)),)}, None),
        (
            {
                "hours": (
                    Hours(from_minute=12 * 60, until_minute=13 * 60),
                    Hours(from_minute=16 * 60, until_minute=17 * 60),
                )
            },
            [(-1.0, 0.0), (3.0, 4.0)],
        ),
        ({"valid_from_ms": NOON_MS + HOUR_MS}, [(1.0, 8.0)]),
        ({"valid_until_ms": NOON_MS + HOUR_MS}, [(-2.0, 1.0)]),
        ({"valid_until_ms": NOON_MS - 3 * HOUR_MS}, None),
        ({"valid_from_ms": NOON_MS + 9 * HOUR_MS}, None),
        ({"screens": ("screen-2",)}, None),
        ({"zones": ("coffee",)}, None),
        ({"language": "fr"}, None),
        ({"ai_generated": True}, None),
        ({"files": ()}, None),
        ({"prices": ("4001",)}, [(-2.0, 8.0)]),
    ],
)
def test_schedules_places_and_labels_are_kept(
    fields: dict[str, Any], expected: list[tuple[float, float]] | None
) -> None:
    found = stretches(planned(creative("tea", **fields)))
    assert found == ({} if expected is None else {"tea": expected})
