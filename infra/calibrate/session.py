"""What stands behind the calibration's pages: one camera, its layout file, and the time of day."""

import asyncio
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec

from infra.calibrate.clicked import Clicked, Solved, put_into, solve
from infra.calibrate.layout_file import Data, Saved, change_layout
from infra.calibrate.overlay import overlay
from infra.calibrate.pictures import Pictures
from infra.calibrate.walk import Verdict, WalkTest
from infra.errors import UserError
from streams.contracts.layout import Camera, CameraPose, StoreLayout
from vision.core.surfaces import Rectangle

#: From pressing the button to the first prompt.
_GET_READY_MS = 5_000


def camera_named(layout: StoreLayout, camera_id: str | None) -> Camera:
    """The camera of that name, or the only one. Raises UserError."""
    known = ", ".join(c.camera_id for c in layout.cameras) or "none"
    if camera_id is None and len(layout.cameras) == 1:
        return layout.cameras[0]
    found = [c for c in layout.cameras if c.camera_id == camera_id]
    if not found:
        what = "more than one camera" if camera_id is None else f"no camera {camera_id!r}"
        raise UserError(f"the layout has {what}; name one with --camera: {known}")
    return found[0]


def stamp() -> str:
    """Now, as a part of a backup's name."""
    return datetime.now(UTC).strftime("%Y%m%dT%H%M%SZ")


class Session:
    """The calibration of one camera by a page."""

    def __init__(
        self,
        path: Path,
        layout: StoreLayout,
        camera: Camera,
        pictures: Pictures,
        out: Path | None = None,
        lens: CameraPose | None = None,
    ) -> None:
        """`lens`: as measured by a checkerboard, in a pose that says nothing else."""
        self._path, self._layout, self._camera, self._out = path, layout, camera, out
        self._lens = lens
        self.pictures = pictures

    async def state(self) -> dict[str, Any]:
        """What the page begins with."""
        height, width = (await self.pictures.first()).shape[:2]
        area = self._camera.area_id
        return {
            "store": self._layout.name,
            "camera_id": self._camera.camera_id,
            "version": self._camera.calibration_version,
            "pose": self._camera.pose,
            "certificate": self._camera.certificate,
            "width_px": width,
            "height_px": height,
            "screens": [
                {"screen_id": s.screen_id, "name": s.name, "on_shelf": s.face is not None}
                for s in self._layout.screens
                if s.area_id == area
            ],
            "reach": self._reach(),
        }

    async def fit(self, clicked: Clicked) -> dict[str, Any]:
        """The calibration that follows, and the lines to look at."""
        solved = await self._solve(clicked)
        given = [
            Rectangle(s.surface, s.across_m, s.other_m, s.away_m, s.inwards).corners()
            for s in clicked.surfaces
        ]
        rectangles = [list(c) for c in given] + [list(c) for c, _ in solved.screens.values()]
        fit = solved.fit
        return {
            "pose": fit.pose,
            "error": fit.error,
            "place_sigma_m": fit.place_sigma_m,
            "angle_sigma_deg": fit.angle_sigma_deg,
            "fov_sigma_deg": fit.fov_sigma_deg,
            "fov_measured": fit.fov_measured,
            "screens": {name: corners for name, (corners, _) in solved.screens.items()},
            "strokes": overlay(
                fit.pose, solved.aspect, self._layout, self._camera.area_id, rectangles
            ),
        }

    async def save(self, clicked: Clicked) -> dict[str, Any]:
        """Writes it into the layout file."""
        solved = await self._solve(clicked)
        found = await self.pictures.landmarks()
        saved, version = save_calibration(
            self._path, self._camera.camera_id, solved, found, self._out
        )
        self._layout = saved.layout
        self._camera = camera_named(saved.layout, self._camera.camera_id)
        return {
            "version": version,
            "path": str(saved.path),
            "backup": str(saved.backup),
            "comments_kept": saved.comments_kept,
            "landmarks": len(found),
        }

    async def _solve(self, clicked: Clicked) -> Solved:
        height, width = (await self.pictures.first()).shape[:2]
        before = self._camera.pose
        if self._lens is not None:
            before = self._lens
            clicked = msgspec.structs.replace(
                clicked, horizontal_fov_deg=before.horizontal_fov_deg, fov_is_measured=True
            )
        return await asyncio.to_thread(solve, clicked, height / width, before)

    def _reach(self) -> tuple[float, float]:
        """The stretch of shelf that the layout knows, as a first guess of what is clicked."""
        faces = [z.face for z in self._layout.zones if z.face is not None]
        return (min(f[0] for f in faces), max(f[2] for f in faces)) if faces else (0.0, 3.0)


def save_calibration(
    path: Path,
    camera_id: str,
    solved: Solved,
    landmarks: tuple[tuple[float, float], ...],
    out: Path | None,
) -> tuple[Saved, str]:
    """Writes a calibration of today; returns what was written and the version. Raises UserError."""
    versions: list[str] = []

    def change(data: Data) -> None:
        day = datetime.now(UTC).date().isoformat()
        versions.append(put_into(data, camera_id, solved, landmarks, day))

    saved = change_layout(path, change, stamp(), out)
    return saved, versions[0]


class WalkSession:
    """A walk test with a person: prompts by the wall clock, the verdict at the end."""

    def __init__(
        self,
        test: WalkTest,
        conclude: Callable[[Verdict], list[str]],
        now_ms: Callable[[], int] = lambda: int(time.time() * 1_000),
    ) -> None:
        self.test, self._conclude, self._now_ms = test, conclude, now_ms
        self.told: list[str] | None = None
        self.over = asyncio.Event()

    def begin(self) -> None:
        """Begin, or begin anew."""
        self.told = None
        self.over.clear()
        self.test.begin(self._now_ms() + _GET_READY_MS)

    def state(self) -> dict[str, Any]:
        """What the page shows now."""
        test, now_ms = self.test, self._now_ms()
        about = {
            "prompts": len(test.prompts),
            "length_s": test.length_ms / 1000,
            "height_m": test.tester_height_m,
        }
        if test.begin_ms is None:
            return {**about, "phase": "idle"}
        since = now_ms - test.begin_ms
        if since < 0:
            first = test.prompts[0]
            return {
                **about,
                "phase": "ready",
                "stand": first.stand,
                "face": "",
                "left_s": -since / 1000,
            }
        prompt = test.prompt_at(now_ms)
        if prompt is None:
            self._end()
            return {**about, "phase": "done", "told": self.told or []}
        return {
            **about,
            "phase": "hold" if since >= prompt.measure_ms else "turn",
            "number": prompt.number + 1,
            "stand": prompt.stand,
            "face": prompt.spot.where + " " + prompt.spot.name,
            "distance_m": prompt.mark_m[1],
            "walks": prompt.walks and since < prompt.measure_ms,
            "left_s": (prompt.end_ms - since) / 1000,
            "seen": test.seen_of(prompt),
        }

    def _end(self) -> None:
        if self.told is None:
            self.told = self._conclude(self.test.verdict())
            self.over.set()
