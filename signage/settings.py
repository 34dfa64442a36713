"""The settings of a player process; the environment is read when the command line builds them."""

from ipaddress import ip_address
from pathlib import Path
from typing import Annotated, Literal
from urllib.parse import quote

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict

#: What an id may look like on the command line; the contracts allow as much.
Name = Annotated[str, Field(min_length=1, max_length=128)]


class LearnerSettings(BaseSettings):
    """The learner of one store's policy."""

    model_config = SettingsConfigDict(env_prefix="SMARTSTORE_", extra="forbid", frozen=True)

    kafka: str = Field(description="host:port of a Kafka broker")
    store_id: Name = Field(description="the store, as in the layout")
    learn_policy: Name = Field("bandit", description="names the policy that it learns")
    learn_reward: Literal["attention", "sales", "basket"] = Field(
        "attention", description="what a decision is worth by"
    )
    learn_horizon_ms: int = Field(
        120_000,
        ge=1_000,
        description="how long (ms) a decision waits for its reward; for sales and baskets also the "
        "stretch after it that counts",
    )
    learn_interval_ms: int = Field(
        5_000, ge=100, description="how often (ms) the log is looked at for rewards"
    )
    learn_publish_ms: int = Field(
        300_000, ge=1_000, description="a snapshot is published at most this often (ms)"
    )
    learn_simulated: bool = Field(False, description="the store is a simulated one")


class PlayerSettings(BaseSettings):
    """One player: one screen, one page."""

    model_config = SettingsConfigDict(env_prefix="SMARTSTORE_", extra="forbid", frozen=True)

    kafka: str = Field(description="host:port of a Kafka broker")
    state: Path = Field(Path(".smartstore"), description="folder for what must outlive the process")
    store_id: Name = Field(description="the store, as in the layout")
    area_id: Name = Field(description="the screen's area, as in the layout")
    screen_id: Name = Field(description="the screen, as in the layout")
    player_id: str = Field("", max_length=128, description="names this player; default the screen")
    player_host: str = Field("127.0.0.1", description="address that the page is served on")
    player_port: int = Field(8100, ge=0, le=65_535, description="port of the page; 0 takes any")
    player_page: Path | None = Field(
        None, description="folder with another vendor's index.html, served in place of our page"
    )
    player_framed_by: tuple[str, ...] = Field(
        (), description="origins that may show the page in a frame (http://127.0.0.1:8000)"
    )
    rotation_slot_ms: int = Field(
        10_000, ge=1_000, description="a creative's turn (ms) while no decision is at hand"
    )
    lookback_ms: int = Field(
        900_000,
        ge=1_000,
        description="how far back (ms) a starting player looks for its screen's content; "
        "longer than any content is valid",
    )
    page_silence_ms: int = Field(
        15_000, ge=1_000, description="a page that says nothing for so long (ms) is taken for gone"
    )
    spool_max_rows: int = Field(
        100_000, ge=100, description="proofs kept while Kafka is away; the oldest go first"
    )
    spool_reserve_mb: int = Field(
        8,
        ge=0,
        le=1_024,
        description="room on the disk (MB) that is kept for proofs from the start",
    )
    flush_ms: int = Field(
        5_000, ge=0, description="how long (ms) a stopping player tries to deliver its proofs"
    )
    tick_ms: int = Field(
        100, ge=1, le=1_000, description="how late (ms) a turn may begin or a content expire"
    )

    player_trust: Path | None = Field(
        None,
        description="file of the keys whose signed playlists are shown; without one the player "
        "shows the creatives that it came with",
    )
    player_media_url: str = Field(
        "", max_length=500, description="the publisher that files of creatives are fetched from"
    )
    player_pairing: Literal["auto", "on", "off"] = Field(
        "auto",
        description="whether pages must be paired, over TLS; auto: whenever the page is served to "
        "other machines than this one",
    )
    player_shopper_url: str = Field(
        "",
        max_length=500,
        description="where shoppers find what is measured here; a QR code on the screen leads "
        "there (the player's own page is /about)",
    )
    store_name: str = Field("", max_length=500, description="the store, as shoppers know it")
    store_contact: str = Field(
        "", max_length=500, description="whom shoppers may ask; default: as the layout says"
    )
    simulated: bool = Field(False, description="the store is simulated, and says so")

    @property
    def player(self) -> str:
        """The player's name on every proof."""
        return self.player_id or self.screen_id

    @property
    def folder(self) -> Path:
        """Where this player keeps what must outlive it."""
        return self.state / "players" / quote(self.player, safe="")

    @property
    def paired(self) -> bool:
        """Whether pages must be paired, over TLS."""
        if self.player_pairing != "auto":
            return self.player_pairing == "on"
        return not is_loopback(self.player_host)


class PublisherSettings(BaseSettings):
    """The publisher of one store: signs playlists, hands out files."""

    model_config = SettingsConfigDict(env_prefix="SMARTSTORE_", extra="forbid", frozen=True)

    kafka: str = Field(description="host:port of a Kafka broker")
    state: Path = Field(Path(".smartstore"), description="folder with the media archive")
    publisher_key: Path = Field(description="file of the private key that signs playlists")
    publisher_trust: Path | None = Field(
        None,
        description="file of trusted keys; with it a publisher without a key makes one at its "
        "first start, and adds its public half here",
    )
    publisher_host: str = Field("127.0.0.1", description="address that files are served on")
    publisher_port: int = Field(8090, ge=0, le=65_535, description="port of files; 0 takes any")
    rotation_slot_ms: int = Field(
        10_000, ge=1_000, description="a creative's turn (ms) while no decision is at hand"
    )
    horizon_ms: int = Field(
        12 * 3_600_000,
        ge=60_000,
        le=7 * 86_400_000,
        description="how long (ms) a screen without a network plays on; then it shows its "
        "fallback picture, since what was withdrawn meanwhile must not be shown for ever",
    )

    @property
    def renew_ms(self) -> int:
        """How often playlists are renewed: a screen that is cut off has most of the horizon."""
        return min(self.horizon_ms // 8, 1_800_000)


def is_loopback(host: str) -> bool:
    """Whether an address is this machine's alone.

    >>> is_loopback("127.0.0.1"), is_loopback("localhost"), is_loopback("0.0.0.0")
    (True, True, False)
    """
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
