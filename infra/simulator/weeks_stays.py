"""One stay of a simulated store's days, as the gateway would tell of it. Pure."""

from dataclasses import dataclass
from typing import Any

from streams.contracts.base import Trace
from streams.contracts.ids import event_id
from streams.contracts.layout import Screen, Zone
from streams.contracts.vision import (
    Audience,
    Dwell,
    DwellBatch,
    Gaze,
    GazeBatch,
    Presence,
)


@dataclass(frozen=True, slots=True)
class Names:
    """Ids that are the same each time."""

    store_id: str
    seed: int
    visit: str

    @property
    def track(self) -> str:
        return event_id(self.store_id, self.seed, self.visit)

    @property
    def camera(self) -> str:
        return "simulated"

    def of(self, *what: str) -> str:
        return event_id(self.store_id, self.seed, self.visit, *what)


@dataclass(frozen=True, slots=True)
class Stay:
    """Somebody before a zone or a screen, from `at_ms` to `left_ms`."""

    names: Names
    target: Zone | Screen
    at_ms: int
    left_ms: int

    def audience(self, opportunity_ms: int, *, watched: bool) -> Audience:
        """The presence, told when it is over."""
        presence = Presence(
            presence_id=self.names.of(self._id, "presence"),
            track_id=self.names.track,
            target_id=self._id,
            target_kind=self._kind,
            entered_at_ms=self.at_ms,
            left_at_ms=self.left_ms,
            opportunity_ms=opportunity_ms,
            watched=watched,
        )
        return Audience(
            **self._batch,
            camera_id=self.names.camera,
            captured_at_ms=self.left_ms,
            inferred_at_ms=self.left_ms,
            sent_at_ms=self.left_ms,
            people=0,
            targets=(),
            presences=(presence,),
            calibration_version="simulated",
        )

    def dwell(self) -> DwellBatch:
        """The whole stay, as a dwell."""
        dwell = Dwell(
            **self._part,
            dwell_id=self.names.of(self._id, "dwell"),
            phase="ended",
            zone_id=self._id,
            entered_at_ms=self.at_ms,
            left_at_ms=self.left_ms,
            calibration_version="simulated",
        )
        return DwellBatch(**self._batch, events=(dwell,))

    def gaze(self, attention_ms: int) -> GazeBatch:
        """A look of `attention_ms` from the beginning on."""
        gaze = Gaze(
            **self._part,
            gaze_id=self.names.of(self._id, "gaze"),
            phase="ended",
            target_id=self._id,
            target_kind=self._kind,
            probability=0.9,
            started_at_ms=self.at_ms,
            ended_at_ms=self.at_ms + attention_ms,
            attention_ms=attention_ms,
            distance_m=2.0,
            calibration_version="simulated",
        )
        return GazeBatch(**self._batch, events=(gaze,))

    @property
    def _id(self) -> str:
        return self.target.zone_id if isinstance(self.target, Zone) else self.target.screen_id

    @property
    def _kind(self) -> Any:
        return "zone" if isinstance(self.target, Zone) else "screen"

    @property
    def _batch(self) -> dict[str, Any]:
        """What all that a gateway tells begins with."""
        return {
            "store_id": self.names.store_id,
            "area_id": self.target.area_id,
            "gateway_id": "simulated",
            "seq": self.at_ms % 2**31,
        }

    @property
    def _part(self) -> dict[str, Any]:
        trace = Trace(
            cause_id=self.names.of(self._id),
            captured_at_ms=self.at_ms,
            inferred_at_ms=self.at_ms + 60,
            sent_at_ms=self.at_ms + 65,
        )
        return {"track_id": self.names.track, "camera_id": self.names.camera, "trace": trace}
