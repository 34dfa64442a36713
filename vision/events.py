"""What the core tells, as events of the wire: ids, batches, sequence numbers, traces."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from msgspec import Struct

from streams.contracts.base import Trace
from streams.contracts.ids import event_id
from streams.contracts.layout import Camera
from streams.contracts.topics import AUDIENCE, DWELL, GAZE, Topic
from streams.contracts.vision import (
    Audience,
    Dwell,
    DwellBatch,
    Gaze,
    GazeBatch,
    Presence,
    TargetAudience,
)
from vision.core.attention import GazeOver
from vision.core.dwell import StayOver
from vision.core.scene import DwellOutput, GazeOutput, PresenceOutput, SceneOutput, TargetCount

Message = tuple[Topic, Struct]


@dataclass(frozen=True, slots=True)
class Stamp:
    """The times of the frame that told something, all UTC epoch ms."""

    captured_at_ms: int
    inferred_at_ms: int
    sent_at_ms: int


class EventWriter:
    """Writes the events of one area for one run of a gateway; keeps the sequence numbers."""

    def __init__(self, store_id: str, area_id: str, gateway_id: str) -> None:
        self._store_id = store_id
        self._area_id = area_id
        self._gateway_id = gateway_id
        self._seqs: Counter[tuple[str, str]] = Counter()

    def batches(
        self, camera: Camera, outputs: Sequence[SceneOutput], stamp: Stamp
    ) -> list[Message]:
        """At most one batch of gazes and one of dwells, for what one frame told."""
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
        return messages

    def audience(
        self,
        camera: Camera,
        people: int,
        counts: Sequence[TargetCount],
        presences: Sequence[PresenceOutput],
        stamp: Stamp,
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
                )
                for count in counts
            ),
            presences=tuple(self._presence(camera, output) for output in presences),
        )

    def _next(self, topic: Topic, of: str = "") -> int:
        seq = self._seqs[topic.name, of]
        self._seqs[topic.name, of] += 1
        return seq

    def _id(self, camera: Camera, what: str, person: str, target: str, since_ms: int) -> str:
        return event_id(self._gateway_id, camera.camera_id, what, person, target, since_ms)

    def _gaze(self, camera: Camera, output: GazeOutput, stamp: Stamp) -> Gaze:
        look, event = output.event.look, output.event
        over = isinstance(event, GazeOver)
        gaze_id = self._id(camera, "gaze", output.person_id, look.target_id, look.started_at_ms)
        return Gaze(
            gaze_id=gaze_id,
            phase="ended" if over else "started",
            track_id=output.person_id,
            camera_id=camera.camera_id,
            target_id=look.target_id,
            target_kind=output.target.kind,
            probability=min(1.0, look.probability),
            started_at_ms=look.started_at_ms,
            ended_at_ms=look.faced_at_ms if over else None,
            attention_ms=look.attention_ms,
            distance_m=round(look.distance_m, 3),
            censored=isinstance(event, GazeOver) and event.censored,
            calibration_version=camera.calibration_version,
            trace=_trace(gaze_id, stamp),
        )

    def _dwell(self, camera: Camera, output: DwellOutput, stamp: Stamp) -> Dwell:
        stay, event = output.event.stay, output.event
        target_id = output.target.target_id
        dwell_id = self._id(camera, "dwell", output.person_id, target_id, stay.entered_at_ms)
        return Dwell(
            dwell_id=dwell_id,
            phase="ended" if isinstance(event, StayOver) else "started",
            track_id=output.person_id,
            camera_id=camera.camera_id,
            zone_id=target_id,
            entered_at_ms=stay.entered_at_ms,
            left_at_ms=stay.seen_at_ms if isinstance(event, StayOver) else None,
            censored=isinstance(event, StayOver) and event.censored,
            calibration_version=camera.calibration_version,
            trace=_trace(dwell_id, stamp),
        )

    def _presence(self, camera: Camera, output: PresenceOutput) -> Presence:
        stay, target = output.stay, output.target
        return Presence(
            presence_id=self._id(
                camera, "presence", output.person_id, target.target_id, stay.entered_at_ms
            ),
            track_id=output.person_id,
            target_id=target.target_id,
            target_kind=target.kind,
            entered_at_ms=stay.entered_at_ms,
            left_at_ms=stay.seen_at_ms,
            opportunity_ms=output.opportunity_ms,
        )


def _trace(cause_id: str, stamp: Stamp) -> Trace:
    return Trace(
        cause_id=cause_id,
        captured_at_ms=stamp.captured_at_ms,
        inferred_at_ms=stamp.inferred_at_ms,
        sent_at_ms=stamp.sent_at_ms,
    )
