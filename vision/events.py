"""What the core tells, as events of the wire: ids, batches, sequence numbers, traces."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from msgspec import Struct

from streams.contracts.base import Trace
from streams.contracts.ids import event_id
from streams.contracts.layout import Camera
from streams.contracts.topics import AUDIENCE, CROSSING, DWELL, GAZE, Topic
from streams.contracts.vision import (
    Audience,
    Crossing,
    Dwell,
    DwellBatch,
    Gaze,
    GazeBatch,
    Presence,
    TargetAudience,
)
from vision.core.attention import GazeOver
from vision.core.dwell import DwellBegan, StaffFound, StayOver
from vision.core.scene import (
    Counts,
    CrossingOutput,
    DwellOutput,
    GazeOutput,
    PresenceOutput,
    SceneOutput,
    TargetCount,
)

Message = tuple[Topic, Struct]


@dataclass(frozen=True, slots=True)
class Stamp:
    """The times of the frame that told something, all UTC epoch ms."""

    captured_at_ms: int
    inferred_at_ms: int
    sent_at_ms: int


class EventWriter:
    """Writes the events of one area for one run of a gateway; keeps the sequence numbers.

    What a camera's picture tells may be of a person whom another of `cameras` leads: each event
    bears the name and the calibration of the camera that leads.
    """

    def __init__(
        self, store_id: str, area_id: str, gateway_id: str, cameras: Iterable[Camera] = ()
    ) -> None:
        self._cameras = {camera.camera_id: camera for camera in cameras}
        self._store_id = store_id
        self._area_id = area_id
        self._gateway_id = gateway_id
        self._seqs: Counter[tuple[str, str]] = Counter()

    def batches(
        self, camera: Camera, outputs: Sequence[SceneOutput], stamp: Stamp
    ) -> list[Message]:
        """At most one batch of gazes and one of dwells, and the crossings, for what one frame of
        `camera` told.
        """
        gazes = [self._gaze(camera, o, stamp) for o in outputs if isinstance(o, GazeOutput)]
        dwells = [self._dwell(camera, o, stamp) for o in outputs if isinstance(o, DwellOutput)]
        messages: list[Message] = []
        if gazes:
            batch = GazeBatch(
                store_id=self._store_id,
                area_id=self._area_id,
                gateway_id=self._gateway_id,
                seq=self._next(GAZE),
                events=tuple(gazes),
            )
            messages.append((GAZE, batch))
        if dwells:
            stays = DwellBatch(
                store_id=self._store_id,
                area_id=self._area_id,
                gateway_id=self._gateway_id,
                seq=self._next(DWELL),
                events=tuple(dwells),
            )
            messages.append((DWELL, stays))
        messages.extend(
            (CROSSING, self._crossing(camera, output))
            for output in outputs
            if isinstance(output, CrossingOutput)
        )
        return messages

    def audience(
        self,
        camera: Camera,
        people: int,
        counts: Sequence[TargetCount],
        presences: Sequence[PresenceOutput],
        so_far: Counts,
        stamp: Stamp,
        *,
        nudged: bool = False,
    ) -> Message:
        """The heartbeat of one camera, with the presences that ended since the last one."""
        return AUDIENCE, Audience(
            store_id=self._store_id,
            area_id=self._area_id,
            gateway_id=self._gateway_id,
            camera_id=camera.camera_id,
            seq=self._next(AUDIENCE, camera.camera_id),
            captured_at_ms=stamp.captured_at_ms,
            inferred_at_ms=stamp.inferred_at_ms,
            sent_at_ms=stamp.sent_at_ms,
            people=people,
            targets=tuple(
                TargetAudience(
                    target_id=count.target.target_id,
                    target_kind=count.target.kind,
                    people=count.people,
                    watchers=count.watchers,
                    attention_ms=count.attention_ms,
                    measured=count.target.measured,
                )
                for count in counts
            ),
            presences=tuple(self._presence(output) for output in presences),
            calibration_version=camera.calibration_version,
            stitched=so_far.stitched,
            staff_excluded=so_far.staff_excluded,
            nudged=nudged,
        )

    def _next(self, topic: Topic, of: str = "") -> int:
        seq = self._seqs[topic.name, of]
        self._seqs[topic.name, of] += 1
        return seq

    def _id(self, origin: str, what: str, person: str, target: str, since_ms: int) -> str:
        return event_id(self._gateway_id, origin, what, person, target, since_ms)

    def _leading(self, camera: Camera, camera_id: str) -> Camera:
        return self._cameras.get(camera_id, camera)

    def _gaze(self, camera: Camera, output: GazeOutput, stamp: Stamp) -> Gaze:
        look, event = output.event.look, output.event
        led_by = self._leading(camera, output.camera_id)
        over = isinstance(event, GazeOver)
        gaze_id = self._id(
            output.origin, "gaze", output.person_id, look.target_id, look.started_at_ms
        )
        return Gaze(
            gaze_id=gaze_id,
            phase="ended" if over else "started",
            track_id=output.person_id,
            camera_id=led_by.camera_id,
            target_id=look.target_id,
            target_kind=output.target.kind,
            probability=min(1.0, look.probability),
            started_at_ms=look.started_at_ms,
            ended_at_ms=look.ended_at_ms if over else None,
            attention_ms=look.attention_ms,
            distance_m=round(look.distance_m, 3),
            censored=isinstance(event, GazeOver) and event.censored,
            calibration_version=led_by.calibration_version,
            trace=_trace(gaze_id, stamp),
        )

    def _dwell(self, camera: Camera, output: DwellOutput, stamp: Stamp) -> Dwell:
        stay, event = output.event.stay, output.event
        led_by = self._leading(camera, output.camera_id)
        target_id = output.target.target_id
        dwell_id = self._id(output.origin, "dwell", output.person_id, target_id, stay.entered_at_ms)
        over = not isinstance(event, DwellBegan)
        return Dwell(
            dwell_id=dwell_id,
            phase="ended" if over else "started",
            track_id=output.person_id,
            camera_id=led_by.camera_id,
            zone_id=target_id,
            entered_at_ms=stay.entered_at_ms,
            left_at_ms=stay.seen_at_ms if over else None,
            censored=isinstance(event, StayOver) and event.censored,
            excluded=isinstance(event, StaffFound),
            calibration_version=led_by.calibration_version,
            trace=_trace(dwell_id, stamp),
        )

    def _crossing(self, camera: Camera, output: CrossingOutput) -> Crossing:
        led_by, event = self._leading(camera, output.camera_id), output.event
        return Crossing(
            crossing_id=self._id(
                output.origin, "crossing", output.person_id, event.line_id, event.at_ms
            ),
            store_id=self._store_id,
            area_id=self._area_id,
            camera_id=led_by.camera_id,
            line_id=event.line_id,
            direction=event.direction,
            crossed_at_ms=event.at_ms,
            calibration_version=led_by.calibration_version,
        )

    def _presence(self, output: PresenceOutput) -> Presence:
        stay, target = output.stay, output.target
        return Presence(
            presence_id=self._id(
                output.origin, "presence", output.person_id, target.target_id, stay.entered_at_ms
            ),
            track_id=output.person_id,
            target_id=target.target_id,
            target_kind=target.kind,
            entered_at_ms=stay.entered_at_ms,
            left_at_ms=stay.seen_at_ms,
            opportunity_ms=output.opportunity_ms,
            watched=output.watched,
        )


def _trace(cause_id: str, stamp: Stamp) -> Trace:
    return Trace(
        cause_id=cause_id,
        captured_at_ms=stamp.captured_at_ms,
        inferred_at_ms=stamp.inferred_at_ms,
        sent_at_ms=stamp.sent_at_ms,
    )
