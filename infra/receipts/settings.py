"""Settings of the intake of receipts."""

from pathlib import Path

from pydantic import Field, SecretStr, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

_LOOPBACK = ("127.0.0.1", "localhost", "::1")


class ReceiptsSettings(BaseSettings):
    """What the intake needs to know. Environment: SMARTSTORE_KAFKA, SMARTSTORE_RECEIPTS_..."""

    model_config = SettingsConfigDict(env_prefix="SMARTSTORE_", extra="forbid", frozen=True)

    kafka: str = Field(description="the Kafka broker, host:port")
    state: Path = Field(default=Path(".smartstore"), description="folder for what is remembered")
    receipts_mapping: Path | None = Field(
        default=None, description="YAML file: names of columns, times, limits"
    )
    receipts_host: str = Field(
        default="127.0.0.1", min_length=1, description="address to listen on; others need a token"
    )
    receipts_port: int = Field(
        default=8300, ge=0, le=65_535, description="port to listen on; 0 takes a free one"
    )
    receipts_token: SecretStr | None = Field(
        default=None, min_length=16, description="who sends receipts gives it as a bearer token"
    )

    @model_validator(mode="after")
    def _nobody_listens_to_everybody(self) -> "ReceiptsSettings":
        if self.receipts_host not in _LOOPBACK and self.receipts_token is None:
            raise ValueError(
                f"receipts_host {self.receipts_host} lets others send receipts: set receipts_token"
            )
        return self
