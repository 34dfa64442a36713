"""Joins zones that a camera cannot tell apart, in a layout's data."""

from typing import Any

import cv2
import numpy as np

from infra.calibrate.layout_file import Data


def merge_zones(data: Data, groups: list[tuple[str, ...]]) -> tuple[list[str], list[str]]:
    """Makes one zone of each group: the face that holds all of theirs, their floors' convex hull.

    Returns the ids of the joined zones, and a sentence for each group that cannot be joined.
    """
    made: list[str] = []
    refused: list[str] = []
    for group in groups:
        zones = [zone for zone in data["zones"] if zone["zone_id"] in group]
        joined = _joined(zones)
        if _blocked(data, joined, group):
            refused.append(
                f"{' and '.join(group)} cannot be told apart, but something else lies between "
                "them; divide that shelf anew"
            )
            continue
        first = data["zones"].index(zones[0])
        data["zones"][first] = joined
        data["zones"] = [z for z in data["zones"] if z["zone_id"] not in group or z is joined]
        for camera in data.get("cameras") or []:
            _rename_views(camera, group, joined["zone_id"])
        made.append(joined["zone_id"])
    return made, refused


def _joined(zones: list[Any]) -> Data:
    first = zones[0]
    faces = np.array([zone["face"] for zone in zones], dtype=float)
    joined: Data = {
        **first,
        "zone_id": "+".join(zone["zone_id"] for zone in zones)[:128],
        "name": " and ".join(zone["name"] for zone in zones)[:500],
        "face": [*faces[:, :2].min(axis=0).tolist(), *faces[:, 2:].max(axis=0).tolist()],
    }
    if len({zone.get("category") for zone in zones}) > 1:
        joined.pop("category", None)
    floors = [zone.get("floor") for zone in zones]
    if all(floors):
        joined["floor"] = _hull([point for floor in floors for point in floor])
    else:
        joined.pop("floor", None)
    skus = [sku for zone in zones for sku in zone.get("skus", ())]
    if skus:
        joined["skus"] = list(dict.fromkeys(skus))[:1_000]
    return joined


def _hull(points: list[Any]) -> list[list[float]]:
    hull = cv2.convexHull(np.array(points, dtype=np.float32))[:, 0]
    return [[round(float(x), 4), round(float(y), 4)] for x, y in hull[:64]]


def _blocked(data: Data, joined: Data, group: tuple[str, ...]) -> bool:
    """Whether another face lies within the joined one."""
    a = joined["face"]
    others = [z for z in data["zones"] if z["zone_id"] not in group]
    others += data.get("screens") or []
    for other in others:
        b = other.get("face")
        if b and other["area_id"] == joined["area_id"]:
            if a[0] < b[2] and b[0] < a[2] and a[1] < b[3] and b[1] < a[3]:
                return True
    return False


def _rename_views(camera: Data, group: tuple[str, ...], joined: str) -> None:
    """A camera's drawn floors of the group: their hull, under the new name."""
    views = camera.get("views") or []
    theirs = [view for view in views if view["target_id"] in group]
    if theirs:
        hull = _hull([point for view in theirs for point in view["polygon"]])
        rest = [view for view in views if view["target_id"] not in group]
        camera["views"] = [*rest, {"target_id": joined, "polygon": hull}]
