"""A store with as many cameras as are wanted: the demo's shelf, again and again. Pure."""

import msgspec

from streams.contracts.layout import Camera, Screen, StoreLayout, Zone

#: Shelves stand so far apart that no two cameras see the same floor.
_APART_M = 12.0


def row_of_shelves(layout: StoreLayout, cameras: int) -> StoreLayout:
    """`layout` with its first posed camera, its zones and screens, `cameras` times in one area."""
    posed = next(camera for camera in layout.cameras if camera.pose is not None)
    area = posed.area_id
    zones = [zone for zone in layout.zones if zone.area_id == area]
    screens = [screen for screen in layout.screens if screen.area_id == area]
    return msgspec.structs.replace(
        layout,
        areas=tuple(each for each in layout.areas if each.area_id == area),
        cameras=tuple(_camera(posed, number) for number in range(cameras)),
        zones=tuple(_zone(zone, number) for number in range(cameras) for zone in zones),
        screens=tuple(_screen(screen, number) for number in range(cameras) for screen in screens),
    )


def _camera(camera: Camera, number: int) -> Camera:
    if camera.pose is None:
        raise AssertionError("chosen for its pose")
    x, y, z = camera.pose.position_m
    pose = msgspec.structs.replace(camera.pose, position_m=(x + number * _APART_M, y, z))
    return msgspec.structs.replace(
        camera, camera_id=f"{camera.camera_id}-{number}", pose=pose, fps=None
    )


def _zone(zone: Zone, number: int) -> Zone:
    return msgspec.structs.replace(
        zone, zone_id=f"{zone.zone_id}-{number}", **_moved(zone, number * _APART_M)
    )


def _screen(screen: Screen, number: int) -> Screen:
    return msgspec.structs.replace(
        screen, screen_id=f"{screen.screen_id}-{number}", **_moved(screen, number * _APART_M)
    )


def _moved(target: Zone | Screen, by_m: float) -> dict[str, tuple[float, ...] | object]:
    moved: dict[str, tuple[float, ...] | object] = {}
    if target.face is not None:
        x0, z0, x1, z1 = target.face
        moved["face"] = (x0 + by_m, z0, x1 + by_m, z1)
    if target.floor is not None:
        moved["floor"] = tuple((x + by_m, y) for x, y in target.floor)
    return moved
