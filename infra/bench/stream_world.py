"""The messages that gateways publish of a busy, simulated store, as bytes for a log. Pure.

People are drawn, not seen: their stays and glances become a gateway's outputs, which its own
`EventWriter` and the publisher's own gathering and encoding make into messages. An area has up to
16 cameras of 10 pictures a second; what its pictures tell shares messages as far as nothing waits
that a screen may react to, and each camera tells its heartbeat 5 times a second with the presences
that ended since.
"""

import random
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import replace

from infra.bench.stream_sent import Sent, written
from streams.contracts.base import Trace
from streams.contracts.layout import Area, Camera, Screen, StoreLayout, Zone
from streams.contracts.topics import GAZE
from streams.contracts.vision import Gaze, GazeBatch, TargetKind
from vision.core.attention import GazeBegan, GazeOver, Look, TargetRules
from vision.core.dwell import DwellBegan, Stay, StayOver, StayRules
from vision.core.scene import Counts, TargetCount
from vision.core.targets import Target
from vision.core.told import DwellOutput, GazeOutput, PresenceOutput, SceneOutput
from vision.events import EventWriter, Message, Stamp
from vision.gathering import Gathering

#: As gateways do by default: what no screen waits for is kept for so long, to share a message.
_GATHER_MS = 50
CAMERAS_AN_AREA = 16
_PICTURE_MS = 100
_HEARTBEAT_MS = 200
#: Cameras take their pictures in turns; the pictures of one turn are all of the same moment.
_TURN_MS = 10
_ZONES_A_CAMERA = 6
_MIN_DWELL_MS = 3_000
_FIXATION_MS = 300
#: From a picture to its detections, and from there to the message.
_INFERENCE_MS, _WRITING_MS = 60, 2
_SENDING_MS = _INFERENCE_MS + _WRITING_MS

_STAY_RULES = StayRules(min_dwell_ms=_MIN_DWELL_MS, gap_ms=1_000, staff_limit_ms=600_000)
_GAZE_RULES = TargetRules(fixation_ms=_FIXATION_MS, gap_ms=400)


#: A zone before which nobody is but the probes of a measurement.
PROBE_ZONE = "zone-probe"


def store_of(cameras: int) -> StoreLayout:
    """A store with so many cameras, each before six zones and a screen."""
    areas = range(-(-cameras // CAMERAS_AN_AREA))
    cells = [(c, f"area-{c // CAMERAS_AN_AREA}") for c in range(cameras)]
    return StoreLayout(
        store_id="simulated",
        name="Simulated store",
        areas=tuple(Area(area_id=f"area-{number}") for number in areas),
        cameras=tuple(
            Camera(camera_id=f"camera-{c}", area_id=area, calibration_version="simulated-1")
            for c, area in cells
        ),
        zones=(
            Zone(zone_id=PROBE_ZONE, area_id="area-0", name="Probes"),
            *(
                Zone(zone_id=f"zone-{c}-{z}", area_id=area, name=f"Zone {z} of camera {c}")
                for c, area in cells
                for z in range(_ZONES_A_CAMERA)
            ),
        ),
        screens=tuple(
            Screen(screen_id=f"screen-{c}", area_id=area, name=f"Screen {c}") for c, area in cells
        ),
    )


def messages(
    layout: StoreLayout, *, people: int, begin_ms: int, length_ms: int, seed: int
) -> Iterator[Sent]:
    """What the gateways of all areas send, in the order of time; `people` stand before each camera
    at any time.
    """
    draw = random.Random(seed)  # noqa: S311 - data for a measurement, no secret
    areas = [
        _AreaGateway(layout, area.area_id, people, begin_ms, length_ms, draw.random())
        for area in layout.areas
    ]
    for at_ms in range(begin_ms, begin_ms + length_ms, _TURN_MS):
        for area in areas:
            for topic, event in area.step(at_ms):
                yield written(topic, event, at_ms + _SENDING_MS)
    for area in areas:
        for topic, event in area.rest():
            yield written(topic, event, begin_ms + length_ms + _SENDING_MS)


def probe(at_ms: int, number: int) -> Sent:
    """A message with one gaze at the probes' zone, which no other message changes."""
    gaze_id = f"probe-{at_ms}-{number}"
    gaze = Gaze(
        gaze_id=gaze_id,
        phase="ended",
        track_id=gaze_id,
        camera_id="camera-0",
        target_id=PROBE_ZONE,
        target_kind="zone",
        probability=1.0,
        started_at_ms=at_ms - 400,
        ended_at_ms=at_ms - 100,
        attention_ms=_FIXATION_MS,
        calibration_version="simulated-1",
        trace=Trace(cause_id=gaze_id, captured_at_ms=at_ms, inferred_at_ms=at_ms, sent_at_ms=at_ms),
    )
    batch = GazeBatch(
        store_id="simulated", area_id="area-0", gateway_id="probe", seq=number, events=(gaze,)
    )
    return written(GAZE, batch, at_ms + _SENDING_MS)


class _AreaGateway:
    """One area's gateway: what its people do, in the order in which it is told."""

    def __init__(
        self,
        layout: StoreLayout,
        area_id: str,
        people: int,
        begin_ms: int,
        length_ms: int,
        seed: float,
    ) -> None:
        self._draw = random.Random(seed)  # noqa: S311 - data for a measurement, no secret
        self._cameras = [c for c in layout.cameras if c.area_id == area_id]
        self._writer = EventWriter(
            layout.store_id, area_id, f"gateway-{area_id}", cameras=self._cameras
        )
        self._people = people
        self._counts: list[tuple[TargetCount, ...]] = []
        self._gathering = Gathering(_GATHER_MS)
        #: By picture and camera, and by camera and heartbeat, what it will tell.
        self._told: dict[tuple[int, int], list[SceneOutput]] = defaultdict(list)
        self._left: dict[tuple[int, int], list[PresenceOutput]] = defaultdict(list)
        for number, camera in enumerate(self._cameras):
            targets = _targets(camera.camera_id.removeprefix("camera-"))
            self._counts.append(
                tuple(TargetCount(t, self._draw.randrange(4), 1, 700) for t in targets)
            )
            for _ in range(people):
                self._shop(number, targets, begin_ms, begin_ms + length_ms)

    def step(self, at_ms: int) -> Iterator[Message]:
        """What is sent when the pictures of this moment have been looked at."""
        sent_ms = at_ms + _SENDING_MS
        stamp = Stamp(at_ms, at_ms + _INFERENCE_MS, sent_ms)
        yield from self._gathering.take_due(sent_ms / 1_000)
        for number, camera in enumerate(self._cameras):
            if (at_ms - _phase_ms(number)) % _PICTURE_MS:
                continue
            outputs = self._told.pop((at_ms, number), [])
            told = self._writer.batches(camera, outputs, stamp)
            if (at_ms - _phase_ms(number)) % _HEARTBEAT_MS == 0:
                told.append(self._heartbeat(number, at_ms, stamp))
            for topic, event in told:
                message = self._gathering.put(topic, event, sent_ms / 1_000)
                if message is not None:
                    yield message

    def rest(self) -> list[Message]:
        """What is still gathered."""
        return self._gathering.take_all()

    def _heartbeat(self, number: int, at_ms: int, stamp: Stamp) -> Message:
        presences = self._left.pop((number, at_ms // _HEARTBEAT_MS), [])
        camera, counts = self._cameras[number], self._counts[number]
        return self._writer.audience(camera, self._people, counts, presences, Counts(), stamp)

    def _shop(self, number: int, targets: Sequence[Target], begin_ms: int, end_ms: int) -> None:
        """One person after another before a camera: stays before its targets, one by one."""
        draw = self._draw
        at_ms = begin_ms - draw.randrange(10_000)
        while at_ms < end_ms:
            person = f"{draw.getrandbits(64):016x}"
            for target in draw.sample(targets, draw.randint(1, 4)):
                left_ms = at_ms + round(draw.expovariate(1 / 5_000)) + 400
                self._stay(person, number, target, at_ms, left_ms)
                self._look_around(person, number, targets, at_ms, left_ms)
                at_ms = left_ms + draw.randrange(100, 1_500)

    def _stay(
        self, person: str, number: int, target: Target, entered_ms: int, left_ms: int
    ) -> None:
        camera_id = self._cameras[number].camera_id
        length_ms = left_ms - entered_ms
        dwelling = target.kind == "zone" and length_ms >= _MIN_DWELL_MS
        opportunity_ms = round(length_ms * self._draw.random())
        stay = Stay(entered_ms, left_ms, opportunity_ms, True, True, dwelling)
        over_ms = left_ms + _STAY_RULES.gap_ms
        if dwelling:
            began = DwellBegan(replace(stay, seen_at_ms=entered_ms + _MIN_DWELL_MS))
            told = DwellOutput(person, target, began, camera_id, camera_id)
            self._tell(number, began.stay.seen_at_ms, told)
            over = StayOver(stay, censored=False)
            self._tell(number, over_ms, DwellOutput(person, target, over, camera_id, camera_id))
        gone = PresenceOutput(person, target, stay, opportunity_ms, camera_id, watched=True)
        self._left[number, over_ms // _HEARTBEAT_MS + 1].append(gone)

    def _look_around(
        self, person: str, number: int, targets: Sequence[Target], at_ms: int, until_ms: int
    ) -> None:
        """Gazes, one by one: each is told when it begins and when it is over."""
        draw, camera_id = self._draw, self._cameras[number].camera_id
        while at_ms < until_ms:
            target = draw.choice(targets)
            length_ms = _FIXATION_MS + round(draw.expovariate(1 / 700))
            look = Look(
                target_id=target.target_id,
                started_at_ms=at_ms,
                faced_at_ms=at_ms + _FIXATION_MS,
                attention_ms=_FIXATION_MS,
                facing=True,
                probability=draw.uniform(0.8, 1.0),
                faced=3,
                distance_m=draw.uniform(0.8, 3.0),
            )
            began = GazeBegan(look)
            told = GazeOutput(person, target, began, camera_id, camera_id)
            self._tell(number, look.faced_at_ms, told)
            ended_ms = at_ms + length_ms
            over = GazeOver(
                replace(
                    look,
                    faced_at_ms=ended_ms,
                    ended_at_ms=ended_ms,
                    attention_ms=round(length_ms * draw.uniform(0.8, 1.0)),
                ),
                censored=False,
            )
            told_ms = ended_ms + _GAZE_RULES.gap_ms
            self._tell(number, told_ms, GazeOutput(person, target, over, camera_id, camera_id))
            at_ms = ended_ms + draw.randrange(100, 900)

    def _tell(self, number: int, at_ms: int, output: SceneOutput) -> None:
        """With the camera's first picture at that time or after it."""
        picture_ms = at_ms + (_phase_ms(number) - at_ms) % _PICTURE_MS
        self._told[picture_ms, number].append(output)


def _phase_ms(number: int) -> int:
    """When a camera takes its pictures."""
    return number * _TURN_MS % _PICTURE_MS


def _targets(camera: str) -> list[Target]:
    names = [f"zone-{camera}-{zone}" for zone in range(_ZONES_A_CAMERA)]
    return [*(_target(name, "zone") for name in names), _target(f"screen-{camera}", "screen")]


def _target(target_id: str, kind: TargetKind) -> Target:
    return Target(
        target_id=target_id,
        kind=kind,
        ground=None,
        in_picture=False,
        margin=0.0,
        face=(0.0, 0.0, 1.0, 1.0),
        stay=_STAY_RULES,
        gaze=_GAZE_RULES,
    )
