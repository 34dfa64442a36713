"""Settings of the live page's process."""

from pathlib import Path
from typing import Annotated, Literal

from pydantic import AnyHttpUrl, Field, SecretStr
from pydantic_settings import BaseSettings, SettingsConfigDict

from signage.settings import is_loopback


class WebSettings(BaseSettings):
    """What the page needs to know. Environment: SMARTSTORE_KAFKA, SMARTSTORE_DATABASE, ..."""

    model_config = SettingsConfigDict(
        env_prefix="SMARTSTORE_", extra="forbid", frozen=True, env_ignore_empty=True
    )

    kafka: str = Field(
        pattern=r"^[^,\s]+:\d{1,5}(,[^,\s]+:\d{1,5})*$",
        description="bootstrap address of the broker, host:port",
    )
    database: SecretStr = Field(description="address (DSN) of PostgreSQL or TimescaleDB")
    web_host: str = Field(default="127.0.0.1", description="address that the page listens on")
    web_port: Annotated[int, Field(ge=0, le=65_535)] = Field(
        default=8080, description="port that the page listens on; 0 takes a free one"
    )
    web_pairing: Literal["auto", "on", "off"] = Field(
        default="auto",
        description="whether browsers must be paired, over TLS; auto: whenever the pages are "
        "served to other machines than this one",
    )
    state: Path = Field(
        default=Path(".smartstore"), description="where the paired browsers are remembered"
    )
    web_allowed_hosts: tuple[str, ...] = Field(
        default=(), description="host names, besides this machine's own, that the page answers to"
    )
    web_since_ms: Annotated[int, Field(ge=0)] | None = Field(
        default=None,
        description="counts begin here, UTC epoch ms; by default at midnight in the store",
    )
    web_simulated: bool = Field(
        default=False, description="the store is simulated, and the page says so from the start"
    )
    web_true_effect: Annotated[float, Field(ge=-1.0, le=10.0)] | None = Field(
        default=None,
        description="true effect of the simulated store's screens on its baskets, as a share",
    )
    experiment_slot_ms: Annotated[int, Field(ge=1_000)] | None = Field(
        default=None, description="length of a slot (ms), told on the page"
    )
    experiment_adaptive_share: Annotated[float, Field(ge=0.0, le=1.0)] | None = Field(
        default=None, description="probability that a slot is adaptive, told on the page"
    )
    alert_webhook: SecretStr | None = Field(
        default=None,
        description="alerts are POSTed to this address (http or https) as JSON; a secret",
    )
    preview_url: AnyHttpUrl | None = Field(
        default=None, description="the gateway's preview (MJPEG, heads blurred by the gateway)"
    )
    player_url: AnyHttpUrl | None = Field(default=None, description="the player's page")
    kill_broker_url: AnyHttpUrl | None = Field(
        default=None,
        description="POST here kills the embedded broker; without it the page has no such button",
    )

    @property
    def folder(self) -> Path:
        """Where the certificate and the paired browsers are kept."""
        return self.state / "web"

    @property
    def paired(self) -> bool:
        """Whether browsers must be paired, over TLS."""
        if self.web_pairing != "auto":
            return self.web_pairing == "on"
        return not is_loopback(self.web_host)
