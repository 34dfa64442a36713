"""The store of the delay bench: the demo's shelf four times, each with a camera and a screen."""

from dataclasses import dataclass
from pathlib import Path

import msgspec

from streams.contracts.layout import Area, StoreLayout

BAYS = 4
#: What two cores can do for four cameras.
FPS = 3.0


@dataclass(frozen=True, slots=True)
class Bays:
    """The layout, its file, and the screen that a browser shows; programs read the others."""

    layout: StoreLayout
    path: Path
    glass: str


def bays_of(demo: StoreLayout, path: Path) -> Bays:
    """`demo` has one area with one screen and one camera; the layout of four is written to `path`.

    Raises:
        OSError: it cannot be written.
    """
    named = [_bay(demo, f"bay-{number}") for number in range(1, BAYS + 1)]
    layout = StoreLayout(
        store_id="latency",
        name="Four bays",
        currency=demo.currency,
        time_zone=demo.time_zone,
        areas=tuple(area for bay in named for area in bay.areas),
        zones=tuple(zone for bay in named for zone in bay.zones),
        screens=tuple(screen for bay in named for screen in bay.screens),
        cameras=tuple(camera for bay in named for camera in bay.cameras),
    )
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(msgspec.json.format(msgspec.json.encode(layout)))  # JSON is YAML too
    return Bays(layout, path, layout.screens[0].screen_id)


def _bay(demo: StoreLayout, name: str) -> StoreLayout:
    def own(part: msgspec.Struct, key: str, **more: object) -> msgspec.Struct:
        changes = {"area_id": name, key: f"{getattr(part, key)}-{name}", **more}
        return msgspec.structs.replace(part, **changes)

    return msgspec.structs.replace(
        demo,
        areas=(Area(area_id=name),),
        zones=tuple(own(zone, "zone_id") for zone in demo.zones),
        screens=tuple(own(screen, "screen_id") for screen in demo.screens),
        cameras=tuple(own(camera, "camera_id", fps=FPS) for camera in demo.cameras),
    )
