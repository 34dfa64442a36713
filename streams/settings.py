"""What the streams' processes are told: one frozen model a process. Only the command line builds
them, and it alone reads the environment (prefix `SMARTSTORE_`)."""

from pathlib import Path
from typing import Annotated

from pydantic import Field, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

#: `host:port`, or several of them parted by commas; IPv6 hosts stand in brackets.
Bootstrap = Annotated[
    str, Field(pattern=r"^[A-Za-z0-9._\-\[\]:]+:\d{1,5}(,[A-Za-z0-9._\-\[\]:]+:\d{1,5})*$")
]

#: Nothing is told when it is not given.
MetricsPort = Annotated[
    int | None, Field(ge=1, le=65_535, description="Port at which Prometheus may ask for figures")
]
MetricsHost = Annotated[
    str, Field(min_length=1, description="Address of that port; this machine alone by default")
]


class KafkaSettings(BaseSettings):
    """What every process of the streams needs: the broker, and a folder for itself."""

    model_config = SettingsConfigDict(env_prefix="SMARTSTORE_", frozen=True, extra="forbid")

    kafka: Bootstrap = Field(description="The Kafka broker, host:port")
    state: Path = Field(default=Path(".smartstore"), description="Folder for the process's state")

    @property
    def bootstrap(self) -> str:
        """The Kafka broker, `host:port`."""
        return self.kafka


class ProcessorSettings(KafkaSettings):
    """What both Faust applications need."""

    ready_deadline_s: float = Field(
        default=20.0, gt=0, description="Give up reading state back after this many seconds"
    )
    stop_deadline_s: float = Field(
        default=10.0, gt=0, description="A stop that takes longer is cut short, in seconds"
    )
    session_timeout_s: int = Field(
        default=6,
        ge=1,
        le=300,
        description="A worker that is silent for so long is dead to its group, in seconds; Kafka "
        "takes no less than 6 by default",
    )
    liveness_interval_s: float = Field(
        default=0.0, ge=0, description="How often the consumer's lag is looked at; 0 is never"
    )
    liveness_stuck_s: float = Field(
        default=30.0,
        gt=0,
        description="Exit when the lag grows and nothing is committed for this many seconds",
    )
    rewind_ms: int = Field(
        default=300_000,
        ge=0,
        description="How far before the log's end to read again when the broker has lost its tail",
    )
    metrics_port: MetricsPort = None
    metrics_host: MetricsHost = "127.0.0.1"


class ReactSettings(ProcessorSettings):
    """`react`: attention now, and what the screens show."""

    group: str = Field(default="react", min_length=1, description="Consumer group")
    member: str = Field(
        default="react-1",
        min_length=1,
        description="Fixed id of this member in its group, one a worker",
    )
    glance_window_ms: int = Field(
        default=3_000, ge=100, description="Attention of this last stretch counts as now"
    )
    stale_after_ms: int = Field(
        default=5_000,
        ge=100,
        description="An event captured longer ago than this changes no screen",
    )
    gateway_silence_ms: int = Field(
        default=3_000,
        ge=100,
        description="Open gazes of a gateway not heard for this long are taken for ended",
    )
    lookback_ms: int = Field(
        default=60_000,
        ge=1_000,
        description="At a start the log is read back this far; what lies before is skipped",
    )
    content_lookback_ms: int = Field(
        default=3_600_000,
        ge=1_000,
        description="Content told longer ago than this has expired on every screen",
    )
    variety_window_ms: int = Field(
        default=600_000, ge=10_000, description="The variety of the screens is that of this stretch"
    )
    tick_ms: int = Field(
        default=500, ge=50, le=60_000, description="How often rotation is looked at"
    )


class MeasureSettings(ProcessorSettings):
    """`measure`: windows of attention and of baskets, in event time."""

    group: str = Field(default="measure", min_length=1, description="Consumer group")
    member: str = Field(
        default="measure-1",
        min_length=1,
        description="Fixed id of this member in its group, one a worker",
    )
    attention_window_ms: int = Field(
        default=10_000, ge=1_000, description="Length of an attention window"
    )
    sliding_window_ms: int = Field(
        default=0,
        ge=0,
        description="Length of attention windows that overlap, told beside the others; 0 for none",
    )
    sliding_hop_ms: int = Field(
        default=10_000, ge=1_000, description="An overlapping window begins this often"
    )
    allowed_lateness_ms: int = Field(
        default=5_000, ge=0, description="An attention window takes events this long after its end"
    )
    basket_window_ms: int = Field(
        default=60_000, ge=1_000, description="Length of a window of basket metrics"
    )
    basket_lateness_ms: int = Field(
        default=600_000, ge=0, description="A basket window takes baskets this long after its end"
    )
    keep_ms: int = Field(
        default=900_000, ge=1_000, description="How long a window's state is kept for revisions"
    )
    emit_interval_ms: int = Field(
        default=1_000,
        ge=10,
        description="A changed window is told at most this often, and once a second at the most by "
        "a worker that is behind its log",
    )
    max_ahead_ms: int = Field(
        default=60_000,
        ge=0,
        description="A stamp further beyond the log's own time than this moves no watermark beyond "
        "it, and its event is counted and put into no window",
    )

    @model_validator(mode="after")
    def _keeps_what_may_still_change(self) -> "MeasureSettings":
        if self.sliding_window_ms % self.sliding_hop_ms:
            raise ValueError(
                f"sliding_window_ms {self.sliding_window_ms} is no multiple of sliding_hop_ms "
                f"{self.sliding_hop_ms}: make it one"
            )
        longest = max(
            self.attention_window_ms + self.allowed_lateness_ms,
            self.sliding_window_ms + self.allowed_lateness_ms,
            self.basket_window_ms + self.basket_lateness_ms,
        )
        if self.keep_ms < longest:
            raise ValueError(
                f"keep_ms is {self.keep_ms} but a window may change for {longest} ms: "
                "raise keep_ms or lower the lateness"
            )
        return self
