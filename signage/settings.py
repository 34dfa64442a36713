"""The settings of a player process; the environment is read when the command line builds them."""

from pathlib import Path
from typing import Annotated

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict

#: What an id may look like on the command line; the contracts allow as much.
Name = Annotated[str, Field(min_length=1, max_length=128)]


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
    flush_ms: int = Field(
        5_000, ge=0, description="how long (ms) a stopping player tries to deliver its proofs"
    )

    @property
    def player(self) -> str:
        """The player's name on every proof."""
        return self.player_id or self.screen_id
