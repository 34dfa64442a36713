"""Runs a walk test through the gateway's own pipeline and judges it; no picture is kept, and its
events go nowhere.
"""

import asyncio
from collections import defaultdict
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

import msgspec

from infra.errors import UserError
from streams.contracts.layout import Camera, Certificate, Face, StoreLayout
from streams.contracts.topics import Topic
from vision.core.diagnosis import FEWEST_LOOKS, FEWEST_SHARE, Finding, diagnose
from vision.core.walktest import (
    Errors,
    Glimpse,
    Look,
    Prompt,
    confused,
    confusion,
    errors,
    look_of,
    script,
)
from vision.gateway import run_gateway
from vision.pipeline import View
from vision.ports import Detector, FrameSource
from vision.settings import GatewaySettings

#: An adult's height with shoes, when the tester gives none.
USUAL_HEIGHT_M = 1.70

#: Event time of a simulated test: any will do.
_SIMULATED_BEGIN_MS = 1_000_000

Faces = Mapping[str, tuple[str, Face]]


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a walk test says of a camera.

    `refused`: why there is no certificate, with how to mend it; None when certified. `confused`:
    groups of zones that it cannot tell apart; `table`: how often a target was asked for and which
    was named (None: none was sure enough).
    """

    prompts: int
    errors: Errors | None
    findings: tuple[Finding, ...]
    refused: str | None
    confused: tuple[tuple[str, ...], ...]
    table: Mapping[tuple[str, str | None], int]
    simulated: bool

    def certificate(self, measured_at_ms: int, calibration_version: str) -> Certificate | None:
        """What goes into the layout; None when refused."""
        if self.refused is not None or self.errors is None:
            return None
        e = self.errors
        return Certificate(
            measured_at_ms=measured_at_ms,
            calibration_version=calibration_version,
            looks=e.looks,
            yaw_bias_deg=round(e.yaw_bias_deg, 2),
            yaw_sigma_deg=round(e.yaw_sigma_deg, 2),
            pitch_bias_deg=round(e.pitch_bias_deg, 2),
            pitch_sigma_deg=round(e.pitch_sigma_deg, 2),
            place_error_m=round(e.place_error_m, 3),
            named=round(e.named, 3),
            right_when_named=round(e.right_when_named, 3),
            simulated=self.simulated,
        )


class _Nobody:
    """A publisher for what nobody is told."""

    dropped = 0

    def publish(self, topic: Topic, event: msgspec.Struct) -> None:
        """Drop it."""

    async def flush(self, timeout_s: float) -> bool:
        """Nothing waits."""
        return True


def faces_of(layout: StoreLayout, area_id: str) -> dict[str, tuple[str, Face]]:
    """Name and face of all that hangs on the shelf of an area."""
    found = {
        z.zone_id: (z.name, z.face)
        for z in layout.zones
        if z.area_id == area_id and z.face is not None
    }
    found |= {
        s.screen_id: (s.name, s.face)
        for s in layout.screens
        if s.area_id == area_id and s.face is not None
    }
    return found


class WalkTest:
    """One camera's test: its prompts, what is seen meanwhile, and the verdict.

    Raises:
        UserError: the camera has no pose, or there is nothing to look at.
    """

    def __init__(
        self,
        layout: StoreLayout,
        camera: Camera,
        settings: GatewaySettings,
        tester_height_m: float = USUAL_HEIGHT_M,
        *,
        simulated: bool = False,
    ) -> None:
        if camera.pose is None:
            raise UserError(
                f"the camera {camera.camera_id!r} has no pose yet; calibrate it first: "
                "smartstore calibrate"
            )
        self._faces = faces_of(layout, camera.area_id)
        self._zones = [z.zone_id for z in layout.zones if z.zone_id in self._faces]
        if not self._zones:
            raise UserError(
                f"the area {camera.area_id!r} has no zone with a face to look at; import a "
                "planogram: smartstore calibrate planogram FILE.csv"
            )
        self._pose, self._camera, self._layout = camera.pose, camera, layout
        self._settings, self._simulated = settings, simulated
        self.tester_height_m = tester_height_m
        self.prompts = script(self._faces, camera.pose.position_m[0])
        self.begin_ms: int | None = None
        self._glimpses: dict[int, list[Glimpse]] = defaultdict(list)

    @property
    def length_ms(self) -> int:
        """How long it takes."""
        return self.prompts[-1].end_ms

    def begin(self, at_ms: int) -> None:
        """Begin, or begin anew, at that event time."""
        self.begin_ms = at_ms
        self._glimpses.clear()

    def prompt_at(self, at_ms: int) -> Prompt | None:
        """What is asked at an event time; None before the beginning and after the end."""
        if self.begin_ms is None:
            return None
        since = at_ms - self.begin_ms
        return next((p for p in self.prompts if p.begin_ms <= since < p.end_ms), None)

    def seen_of(self, prompt: Prompt) -> int:
        """In how many pictures the face was seen while the prompt counted."""
        return len(self._glimpses[prompt.number])

    def take(self, view: View) -> None:
        """Keep what a picture shows of the tester: the nearest person whose face is seen."""
        at_ms = view.scene.at_ms
        prompt = self.prompt_at(at_ms)
        if prompt is None or self.begin_ms is None or at_ms - self.begin_ms < prompt.measure_ms:
            return
        there = [
            p
            for p in view.scene.people.values()
            if p.seen_at_ms == at_ms and p.head_m is not None and p.direction is not None
        ]
        if there:
            person = max(there, key=lambda p: (p.box[2] - p.box[0]) * (p.box[3] - p.box[1]))
            if person.head_m is not None and person.direction is not None:
                self._glimpses[prompt.number].append(Glimpse(person.head_m, person.direction))

    async def run(
        self,
        detector: Detector,
        source: FrameSource,
        *,
        stop: asyncio.Event,
        ready: Callable[[], None] = lambda: None,
    ) -> None:
        """Look at the source's pictures until it ends or `stop` is set."""
        # Every picture counts here, whatever the camera's rate is in the store.
        camera = msgspec.structs.replace(self._camera, fps=None)
        layout = msgspec.structs.replace(self._layout.area(camera.area_id), cameras=(camera,))
        await run_gateway(
            layout,
            camera.area_id,
            {camera.camera_id: source},
            detector,
            _Nobody(),
            self._settings,
            stop=stop,
            ready=ready,
            on_view=self.take,
        )

    def looks(self) -> list[Look]:
        """What was measured, one look for each prompt that was followed."""
        faces = {name: face for name, (_, face) in self._faces.items()}
        sigma = self._settings.gaze_sigma_deg
        found = [look_of(p, self._glimpses[p.number], faces, sigma) for p in self.prompts]
        return [look for look in found if look is not None]

    def verdict(self) -> Verdict:
        """What the test says of the camera."""
        looks, name_probability = self.looks(), self._settings.name_probability
        needed = max(FEWEST_LOOKS, round(FEWEST_SHARE * len(self.prompts)))
        if len(looks) < needed:
            return self._verdict(
                f"the camera saw the tester's face in {len(looks)} of {len(self.prompts)} looks, "
                f"and needs {needed}; stand on the marks with nobody else in view, in better "
                "light, and do the test again",
            )
        findings = tuple(diagnose(looks, self._pose, self.tester_height_m))
        refused = findings[0].sentence if findings[0].wrong else None
        return replace(
            self._verdict(refused),
            errors=errors(looks, self.tester_height_m, name_probability),
            findings=findings,
            # A wrong calibration confuses zones by itself: it is mended first.
            confused=() if refused else tuple(confused(looks, self._zones)),
            table=confusion(looks, name_probability),
        )

    def _verdict(self, refused: str | None) -> Verdict:
        return Verdict(
            prompts=len(self.prompts),
            errors=None,
            findings=(),
            refused=refused,
            confused=(),
            table={},
            simulated=self._simulated,
        )


async def simulate(
    test: WalkTest,
    detector: Detector,
    real: StoreLayout,
    camera: Camera,
    stop: asyncio.Event,
) -> None:
    """The test with a simulated tester in the rendered store, as fast as the networks are.

    Arguments:
        real, camera: the store and the camera as they really are, whatever the layout under test
            says of them.

    Raises:
        UserError: the real store has no pose, or lacks what the prompts name.
    """
    from infra.calibrate.tester import SimulatedTester

    faces = faces_of(real, camera.area_id)
    missing = {p.spot.target_id for p in test.prompts} - set(faces)
    if camera.pose is None or missing:
        raise UserError(
            "the rendered store lacks "
            f"{'the pose of its camera' if not missing else 'what the layout names: '}"
            f"{', '.join(sorted(missing))}; name a layout of the same targets with --store"
        )
    test.begin(_SIMULATED_BEGIN_MS)
    tester = SimulatedTester(
        camera.pose, faces, test.prompts, _SIMULATED_BEGIN_MS, test.tester_height_m
    )
    await test.run(detector, tester, stop=stop)
