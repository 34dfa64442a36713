"""What the user may set of the embedded stack."""

import os
from pathlib import Path

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict

from infra.stack.environment import default_cache

_Port = Field(default=None, ge=1, le=65_535)


class StackSettings(BaseSettings):
    """Settings of the embedded stack. A port that is None is drawn among the free ones."""

    model_config = SettingsConfigDict(env_prefix="SMARTSTORE_", frozen=True, extra="forbid")

    state: Path = Field(
        default=Path(".smartstore"), description="folder of data, logs and locks of this machine"
    )
    cache: Path = Field(
        default_factory=lambda: default_cache(os.environ),
        description="folder in which the model server's environment is made, for each user",
    )
    triton_environment: Path | None = Field(
        default=None,
        description="a ready environment with the model server, instead of one that we make",
    )
    kafka_port: int | None = _Port
    database_port: int | None = _Port
    triton_http_port: int | None = _Port
    triton_grpc_port: int | None = _Port
    triton_metrics_port: int | None = _Port
