"""Settings that belong to no single room: the experiment, and what a layout-driven process reads.

Each process reads its environment once, in the command line.
"""

from pathlib import Path

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict

from infra.commands.logs import LogFormat
from streams.contracts.experiment import Experiment


class ExperimentSettings(BaseSettings):
    """Which slots react to shoppers and which are control. Every process is told the same."""

    model_config = SettingsConfigDict(
        env_prefix="SMARTSTORE_EXPERIMENT_", frozen=True, extra="forbid"
    )

    salt: str = Field(
        default="first", min_length=1, max_length=128, description="Names the draw of the arms"
    )
    slot_ms: int = Field(default=3_600_000, ge=1_000, description="Length of a slot (ms)")
    adaptive_share: float = Field(
        default=0.5, ge=0.0, le=1.0, description="Probability that a slot is adaptive"
    )

    @property
    def chosen(self) -> Experiment | None:
        """The experiment, where the environment names one; else nobody has asked for any."""
        return self.experiment() if self.model_fields_set else None

    def experiment(self) -> Experiment:
        """The experiment as policy and analysis know it."""
        return Experiment(salt=self.salt, slot_ms=self.slot_ms, adaptive_share=self.adaptive_share)


class ContentSettings(BaseSettings):
    """What may decide about the screens."""

    model_config = SettingsConfigDict(env_prefix="SMARTSTORE_", frozen=True, extra="forbid")

    adaptive: bool = Field(
        default=True,
        description="off: no screen follows anybody's attention, whatever is approved",
    )


class LogSettings(BaseSettings):
    """How a long-running process logs."""

    model_config = SettingsConfigDict(env_prefix="SMARTSTORE_", frozen=True, extra="forbid")

    log_format: LogFormat = Field(
        default="text", description="Lines of the log: text for people, or json, one object a line"
    )


class PlaceSettings(BaseSettings):
    """Where a process is: the layout of its store."""

    model_config = SettingsConfigDict(env_prefix="SMARTSTORE_", frozen=True, extra="forbid")

    layout: Path | None = Field(default=None, description="The layout file of the store")
    models: Path | None = Field(default=None, description="A folder that holds weights")
    database: str | None = Field(default=None, description="DSN of the database")
    kafka: str | None = Field(default=None, description="The Kafka broker, host:port")
    fetch_pause_ms: int = Field(
        default=0,
        ge=0,
        le=1_000,
        description="Wait after a fetch that brought nothing (ms), for a broker that does not",
    )
    triton: str | None = Field(default=None, description="Triton's gRPC address, host:port")
