"""The settings of one gateway process; making one, in the command line, reads the environment."""

from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import Field, SecretStr, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from vision.cameras.supervised import Supervision
from vision.core.rate import RateRules
from vision.core.targets import SceneRules

Share = Annotated[float, Field(gt=0.0, le=1.0)]
Milliseconds = Annotated[int, Field(ge=0, le=3_600_000)]
Degrees = Annotated[float, Field(gt=0.0, le=90.0)]

#: What decodes video: the first device that opens, software, or one kind of device.
HardwareDecode = Literal["auto", "never", "vaapi", "cuda", "qsv", "videotoolbox"]


class GatewaySettings(BaseSettings):
    """How a gateway reads pictures, asks its detector and hands on its events."""

    model_config = SettingsConfigDict(frozen=True, extra="forbid", env_prefix="SMARTSTORE_")

    kafka: str = Field("127.0.0.1:9092", description="broker, host:port")
    triton: str = Field("127.0.0.1:8001", description="Triton's gRPC endpoint, host:port")
    state: Path = Field(
        Path(".smartstore"), description="folder for what a killed gateway must leave: ids, times"
    )

    camera_urls: SecretStr | None = Field(
        None,
        description="cameras whose addresses hold a password: CAMERA_ID=rtsp://..., one a line",
    )
    camera_urls_file: Path | None = Field(
        None, description="a file that holds the same, for addresses that are kept as a secret"
    )
    camera_stall_s: Annotated[float, Field(ge=1.0, le=60.0)] = Field(
        4.0, description="a camera that gives no picture for so long is connected to again, s"
    )
    camera_frozen_s: Annotated[float, Field(ge=0.0, le=3_600.0)] = Field(
        30.0,
        description="a picture that stands still for so long no longer counts as one, s; 0: never",
    )

    hardware_decode: HardwareDecode = Field(
        "auto",
        description="what decodes the video of network cameras: the first device that opens, "
        "software, or one kind of device; where none opens, software",
    )

    detector_model: str = Field("shopper_detector", description="name of the model in Triton")
    image_format: Literal["shared", "raw", "jpeg"] = Field(
        "shared",
        description="frames to Triton through shared memory (on one machine; else they go raw), "
        "as uint8 over the network, or as JPEG",
    )
    shm_prefix: Annotated[str, Field(pattern=r"^[A-Za-z0-9_-]{1,64}$")] = Field(
        "smartstore_", description="how the names of our shared memory begin"
    )
    jpeg_quality: Annotated[int, Field(ge=10, le=100)] = Field(
        90, description="of JPEG frames to Triton, 10 to 100"
    )
    infer_timeout_ms: Annotated[int, Field(ge=50, le=60_000)] = Field(
        3_000, description="one attempt at one frame, ms"
    )
    infer_deadline_ms: Annotated[int, Field(ge=50, le=600_000)] = Field(
        20_000, description="all attempts at one frame, ms; after it the frame counts as failed"
    )

    name_probability: Share = Field(
        0.32, description="a target is named for a gaze from this probability on"
    )
    keep_probability: Share = Field(
        0.28, description="an open gaze is kept from this probability on (hysteresis)"
    )
    gaze_sigma_deg: Degrees = Field(
        6.0,
        description="what eyes may differ from the head, one sigma in degrees, beside the "
        "keypoints' own error",
    )
    gaze_gap_ms: Milliseconds = Field(
        700, description="a gaze ends after this long without facing, ms (or the zone's gap_ms)"
    )
    facing_bridge_ms: Milliseconds = Field(
        600, description="attention bridges pictures without a face up to this long, ms"
    )
    smoothing_ms: Milliseconds = Field(120, description="time constant of head direction, ms")
    min_keypoint_confidence: Share = Field(0.5, description="keypoints below it are not used")
    opportunity_half_angle_deg: Degrees = Field(
        60.0, description="a target further aside from the head's direction is not seen, degrees"
    )
    floor_margin_m: Annotated[float, Field(ge=0.0, le=5.0)] = Field(
        0.25, description="a stay holds up to this far outside the zone's floor, metres"
    )
    screen_gap_ms: Milliseconds = Field(1_500, description="gap window of a screen's zone, ms")
    screen_fixation_ms: Milliseconds = Field(300, description="fixation time of a screen, ms")
    screen_staff_limit_ms: Milliseconds = Field(
        900_000, description="a longer stay before a screen is taken for staff, ms"
    )
    stitch_reach: Annotated[float, Field(ge=0.0, le=10.0)] = Field(
        1.0, description="a lost track goes on in a new one this near: metres, or box sizes"
    )

    frames_in_flight: Annotated[int, Field(ge=1, le=4)] = Field(
        2,
        description="frames of one recording that are inferred at a time; of a live camera always "
        "one, so that the next is the newest",
    )
    adaptive_rate: Literal["live", "always", "never"] = Field(
        "live",
        description="whether a camera that sees nobody is inferred at idle_fps: live cameras, "
        "recordings too, or none",
    )
    idle_fps: Annotated[float, Field(ge=1.0, le=10.0)] = Field(
        2.0, description="pictures a second that are inferred while nobody is there, 1 to 10"
    )
    awake_ms: Milliseconds = Field(
        3_000, description="the full rate goes on for so long after the last person or motion, ms"
    )

    nudge_limit_deg: Annotated[float, Field(ge=0.0, le=45.0)] = Field(
        0.8,
        description="a camera that was moved by more than this no longer tells gaze, degrees; 0: "
        "nobody looks",
    )

    audience_per_s: Annotated[float, Field(ge=1.0, le=5.0)] = Field(
        5.0,
        description="audience messages per camera and second at the most, 1 to 5; one a second "
        "where nothing changes",
    )
    gather_ms: Annotated[int, Field(ge=0, le=50)] = Field(
        50,
        description="what no screen waits for (all but heartbeats, crossings and gazes that begin) "
        "is kept for so long to share a message, ms, 0 to 50",
    )
    buffer_messages: Annotated[int, Field(ge=10, le=1_000_000)] = Field(
        20_000, description="messages kept while the broker is away; more are dropped and counted"
    )
    flush_timeout_ms: Milliseconds = Field(10_000, description="wait for the broker at the end, ms")

    preview_port: Annotated[int, Field(ge=0, le=65_535)] | None = Field(
        None,
        description="port, on this machine alone, where people may look at the pictures with every "
        "head blurred; 0 takes a free one; off when not given",
    )
    preview_mirrored: bool = Field(
        False, description="the preview as in a mirror, for a camera above one's own screen"
    )

    metrics_port: Annotated[int, Field(ge=1, le=65_535)] | None = Field(
        None, description="port at which Prometheus may ask for figures; off when not given"
    )
    metrics_host: Annotated[str, Field(min_length=1)] = Field(
        "127.0.0.1", description="address of that port; this machine alone by default"
    )

    @model_validator(mode="after")
    def _keeps_what_it_names(self) -> Self:
        if self.keep_probability > self.name_probability:
            raise ValueError(
                f"keep_probability {self.keep_probability} is greater than name_probability "
                f"{self.name_probability}; make it the same or smaller"
            )
        return self

    def supervision(self, patience_s: float | None = None) -> Supervision:
        """How a live camera is watched over; it is given up when `patience_s` is over."""
        return Supervision(
            stall_s=self.camera_stall_s, frozen_s=self.camera_frozen_s, patience_s=patience_s
        )

    def rate_rules(self, full_fps: float | None, *, live: bool) -> RateRules:
        """How often a camera is looked at that gives `full_fps` (None: all of its pictures)."""
        adapts = self.adaptive_rate == "always" or (self.adaptive_rate == "live" and live)
        idle_fps = self.idle_fps
        if full_fps is not None and full_fps < idle_fps:
            idle_fps = full_fps
        return RateRules(full_fps, idle_fps if adapts else None, self.awake_ms)

    def scene_rules(self) -> SceneRules:
        """The numbers that the core needs."""
        return SceneRules(
            name_probability=self.name_probability,
            keep_probability=self.keep_probability,
            gaze_sigma_deg=self.gaze_sigma_deg,
            gaze_gap_ms=self.gaze_gap_ms,
            facing_bridge_ms=self.facing_bridge_ms,
            smoothing_ms=float(self.smoothing_ms),
            min_keypoint_confidence=self.min_keypoint_confidence,
            opportunity_half_angle_deg=self.opportunity_half_angle_deg,
            floor_margin_m=self.floor_margin_m,
            screen_gap_ms=self.screen_gap_ms,
            screen_fixation_ms=self.screen_fixation_ms,
            screen_staff_limit_ms=self.screen_staff_limit_ms,
            stitch_reach=self.stitch_reach,
        )
