"""A simulated tester who follows a walk test's prompts in the rendered store. Frames come as fast
as they are taken, with the event times that a live test would have. Never reads a clock.
"""

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence

from infra.simulator.camera import ShelfCamera
from infra.simulator.people import Person, angles_towards
from streams.contracts.layout import CameraPose, Face
from vision.core.walktest import Prompt, spots_of
from vision.ports import Frame

#: Pictures of a prompt, one of them before it counts: a tracker names a head at the second.
_SETTLING, _MEASURED = 1, 2

#: Which of the simulated people it is, and between crown and eyes (`infra.simulator.people`).
_APPEARANCE = 1


class SimulatedTester:
    """What a camera sees of the tester; ends with the last prompt.

    Arguments:
        pose: where the camera really is, whatever the layout under test says.
        faces: name and face of each target as they really are: where the tester looks.
        prompts: of the test, by the layout under test; what they name is looked up in `faces`.
        begin_ms: event time of the test's beginning.
    """

    def __init__(
        self,
        pose: CameraPose,
        faces: Mapping[str, tuple[str, Face]],
        prompts: Sequence[Prompt],
        begin_ms: int,
        tester_height_m: float,
        size_px: tuple[int, int] = (1280, 720),
    ) -> None:
        self._camera_of = lambda: ShelfCamera(pose, *size_px)
        self._faces = dict(faces)
        self._spots = {(s.target_id, s.where): s.aim_m for s in spots_of(faces)}
        self._prompts = tuple(prompts)
        self._begin_ms, self._height_m = begin_ms, tester_height_m

    async def __aiter__(self) -> AsyncIterator[Frame]:
        """The pictures."""
        camera = await asyncio.to_thread(self._camera_of)
        index = 0
        for prompt in self._prompts:
            person = self._person(prompt)
            span_ms = prompt.end_ms - prompt.measure_ms
            step_ms = span_ms // (_MEASURED + 1)
            for number in range(-_SETTLING, _MEASURED):
                at_ms = self._begin_ms + prompt.measure_ms + (number + 1) * step_ms - 1
                image = await asyncio.to_thread(camera.render, [person])
                yield Frame(image, at_ms, index)
                index += 1

    async def close(self) -> None:
        """Nothing is open."""

    def _person(self, prompt: Prompt) -> Person:
        face = self._faces[prompt.mark_id][1]
        x, y = (face[0] + face[2]) / 2, prompt.mark_m[1]
        aim = self._spots[prompt.spot.target_id, prompt.spot.where]
        upright = Person("tester", x, y, self._height_m, 0.0, 0.0, None, _APPEARANCE)
        yaw, pitch = angles_towards(x, y, upright.eyes_m, (aim[0], 0.0, aim[1]))
        return Person(
            "tester", x, y, self._height_m, yaw, pitch, prompt.spot.target_id, _APPEARANCE
        )


class EmptyStore:
    """The rendered store with nobody in it, for the page on which points are clicked."""

    def __init__(self, pose: CameraPose, size_px: tuple[int, int] = (1280, 720)) -> None:
        self._camera_of = lambda: ShelfCamera(pose, *size_px)

    async def __aiter__(self) -> AsyncIterator[Frame]:
        """One picture, again and again, twice a second."""
        camera = await asyncio.to_thread(self._camera_of)
        image = await asyncio.to_thread(camera.render, [])
        index = 0
        while True:
            yield Frame(image, 500 * (index + 1), index)
            index += 1
            await asyncio.sleep(0.5)

    async def close(self) -> None:
        """Nothing is open."""
