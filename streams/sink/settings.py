"""Settings of the sink process."""

from typing import Annotated

from pydantic import Field, SecretStr
from pydantic_settings import BaseSettings, SettingsConfigDict

from streams.settings import MetricsHost, MetricsPort


class SinkSettings(BaseSettings):
    """What the sink needs to know. Environment: SMARTSTORE_KAFKA, SMARTSTORE_DATABASE, ..."""

    model_config = SettingsConfigDict(
        env_prefix="SMARTSTORE_", extra="forbid", frozen=True, env_ignore_empty=True
    )

    kafka: str = Field(
        pattern=r"^[^,\s]+:\d{1,5}(,[^,\s]+:\d{1,5})*$",
        description="bootstrap address of the broker, host:port",
    )
    database: SecretStr = Field(description="address (DSN) of PostgreSQL or TimescaleDB")
    sink_name: str = Field(
        default="sink",
        min_length=1,
        max_length=64,
        description="names the stored offsets and the right to write; one sink a name at a time",
    )
    sink_batch_records: Annotated[int, Field(ge=1, le=100_000)] = Field(
        default=2_000, description="the most messages in one transaction"
    )
    sink_batch_wait_ms: Annotated[int, Field(ge=1, le=60_000)] = Field(
        default=200, description="how long a transaction waits to fill, in ms"
    )
    sink_fence_wait_s: Annotated[float, Field(ge=0, le=3_600)] = Field(
        default=30.0, description="how long to wait for another sink of this name to end, in s"
    )
    sink_drain_s: Annotated[float, Field(ge=0, le=600)] = Field(
        default=10.0, description="at a stop, how long to go on reading what is in the log, in s"
    )
    sink_rewind_ms: Annotated[int, Field(ge=1_000, le=86_400_000)] = Field(
        default=60_000,
        description="how far to go back, in ms of the log's time, when the log lost its end",
    )
    metrics_port: MetricsPort = None
    metrics_host: MetricsHost = "127.0.0.1"
