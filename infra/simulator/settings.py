"""The settings of the simulated store; making them, in the command line, reads the environment."""

from pathlib import Path
from typing import Annotated

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict


class SimulatorSettings(BaseSettings):
    """How the simulated store looks and sells."""

    model_config = SettingsConfigDict(frozen=True, extra="forbid", env_prefix="SMARTSTORE_")

    kafka: str = Field("127.0.0.1:9092", description="broker for the baskets, host:port")
    seed: Annotated[int, Field(ge=0)] = Field(1, description="seed of shoppers and baskets")
    start_ms: Annotated[int, Field(ge=0)] | None = Field(
        None,
        description="when the script begins, UTC epoch ms; the present when not given. Several "
        "processes or cameras that show one store need the same",
    )
    picture_width_px: Annotated[int, Field(ge=160, le=3840)] = Field(
        960, description="width of the simulated cameras' pictures, px"
    )
    picture_height_px: Annotated[int, Field(ge=120, le=2160)] = Field(
        720, description="height of the simulated cameras' pictures, px"
    )
    picture_fps: Annotated[float, Field(gt=0.0, le=60.0)] = Field(
        10.0, description="pictures a second of a camera for which the layout gives no fps"
    )
    truth_file: Path | None = Field(
        None,
        description="JSON lines of what really happened are appended here; none when not given",
    )
    film: Path | None = Field(
        None,
        description="a folder that holds the pictures of each camera, drawn beforehand, in a "
        "folder of the camera's name; they are drawn live when not given",
    )
    basket_every_s: Annotated[float, Field(ge=0.05, le=86_400.0)] = Field(
        3.0, description="mean time between two baskets, seconds"
    )
    true_effect: Annotated[float, Field(ge=-0.2, le=0.8)] = Field(
        0.0, description="what adaptive slots truly add to the mean basket, as a share"
    )
    true_product_effect: Annotated[float, Field(ge=0.0, le=2.0)] = Field(
        0.0,
        description="what adaptive slots truly add to the sales of tea with the basket unmoved, as "
        "a share",
    )
    restless: bool = Field(
        False,
        description="instead of shoppers who come and go: one at a time who stays for ten minutes "
        "and looks at the next zone every 3.4 s. For measuring",
    )
