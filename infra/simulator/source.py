"""The simulated store as a camera of the gateway: pictures at the wall clock's pace, late ones
skipped as a live camera would. Draws in a thread of its own; adapters alone read the clock.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack

from infra.simulator.camera import ShelfCamera
from infra.simulator.errors import StageError
from infra.simulator.scenario import Scenario
from infra.simulator.settings import SimulatorSettings
from infra.simulator.truth import TruthWriter
from streams.contracts.layout import Camera, CameraPose, StoreLayout
from vision.clock import wall_ms
from vision.ports import Frame, Image


class SimulatedSource:
    """What one camera of the layout sees of the simulated store; goes on until closed.

    Event time is the wall clock when a picture is taken. The first camera with a pose of each area
    writes the area's truth file, if the settings name one.

    Raises:
        StageError: the camera has no pose, or the area nothing to look at.
    """

    def __init__(
        self,
        settings: SimulatorSettings,
        layout: StoreLayout,
        camera: Camera,
        now_ms: Callable[[], int] = wall_ms,
    ) -> None:
        if camera.pose is None:
            raise StageError(
                f"the camera {camera.camera_id!r} has no pose; give it one in the layout, since "
                "simulated shoppers are drawn as a camera in its place sees them"
            )
        self._settings, self._layout, self._camera = settings, layout, camera
        self._pose: CameraPose = camera.pose
        self._now_ms = now_ms
        self._period_s = 1.0 / (camera.fps or settings.picture_fps)
        # Checked here and not at the first picture: a wrong layout is the caller's mistake.
        self._scenario = self._make_scenario(settings.start_ms or 0)
        # One thread of its own: a ShelfCamera must not be used by two at once.
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="simulator")
        self._closed = asyncio.Event()
        self._open = ExitStack()
        self._truth: TruthWriter | None = None
        self._view: ShelfCamera | None = None

    async def __aiter__(self) -> AsyncIterator[Frame]:
        """The pictures."""
        loop = asyncio.get_running_loop()
        await loop.run_in_executor(self._thread, self._set_up)
        began_s, index, tick, last_ms = time.monotonic(), 0, 0, -1
        while not self._closed.is_set():
            at_ms = max(self._now_ms(), last_ms + 1)
            image = await loop.run_in_executor(self._thread, self._picture, at_ms)
            yield Frame(image, at_ms, index)
            index, last_ms = index + 1, at_ms
            # The next beat that is not over yet: whoever is slow misses pictures, never lags.
            tick = max(tick + 1, int((time.monotonic() - began_s) / self._period_s) + 1)
            await self._sleep_until(began_s + tick * self._period_s)

    async def close(self) -> None:
        """Stop, and write the end of the truth."""
        if self._closed.is_set():
            return
        self._closed.set()
        loop = asyncio.get_running_loop()
        await loop.run_in_executor(self._thread, self._tear_down, self._now_ms())
        self._thread.shutdown(wait=False)

    async def _sleep_until(self, monotonic_s: float) -> None:
        try:
            await asyncio.wait_for(self._closed.wait(), max(0.0, monotonic_s - time.monotonic()))
        except TimeoutError:
            return

    def _make_scenario(self, start_ms: int) -> Scenario:
        settings = self._settings
        return Scenario(
            self._layout,
            settings.seed,
            start_ms,
            area_id=self._camera.area_id,
            restless=settings.restless,
        )

    def _set_up(self) -> None:
        """In the thread: draw what can be drawn beforehand, then begin."""
        settings = self._settings
        view = ShelfCamera(self._pose, settings.picture_width_px, settings.picture_height_px)
        first = self._scenario.visit(0)
        if first is not None:
            view.warm(first.appearance)
        self._view = view
        now_ms = self._now_ms()
        if settings.start_ms is None:
            self._scenario = self._make_scenario(now_ms)
        if settings.truth_file is not None and self._writes_truth():
            writer = TruthWriter(settings.truth_file, self._scenario, now_ms, settings.true_effect)
            self._truth = self._open.enter_context(writer)

    def _writes_truth(self) -> bool:
        cameras = [c for c in self._layout.cameras if c.area_id == self._camera.area_id]
        first = next((c for c in cameras if c.pose is not None), None)
        return first is not None and first.camera_id == self._camera.camera_id

    def _picture(self, at_ms: int) -> Image:
        if self._view is None:
            raise RuntimeError("the simulated camera is drawn before it is set up")
        if self._truth is not None:
            self._truth.write_until(at_ms)
        return self._view.render(self._scenario.people(at_ms))

    def _tear_down(self, at_ms: int) -> None:
        if self._truth is not None:
            self._truth.finish(at_ms)
        self._open.close()
