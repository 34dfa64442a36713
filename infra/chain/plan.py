"""What a run of the chain is asked to do. Pure."""

from dataclasses import dataclass
from pathlib import Path

from infra.simulator.effects import NO_EFFECT, TrueEffect
from streams.contracts.layout import StoreLayout


@dataclass(frozen=True, slots=True)
class Plan:
    """What is run. Without a `camera_file` or a `webcam` (its number) the store is simulated.

    `seconds` None means until stopped, or until the file's end. `headless` reads the players'
    pages by a program. `adaptive_share` of the slots of `slot_ms` react, the others are control.
    `restless`: one simulated shopper at a time, who stays and never stops looking about. Screens
    `on_glass` are left to a browser that somebody else opens, also when headless. `picture_px` is
    the size of simulated pictures, `film` the folder of those drawn beforehand. `true_effect` is
    what the simulated store's adaptive slots do. `reaction_only` leaves out what no shopper waits
    for: measuring, learning, database, live page and till, which production runs elsewhere.
    """

    layout_path: Path
    layout: StoreLayout
    camera_file: Path | None
    webcam: int | None
    seconds: float | None
    headless: bool
    weights: Path | None
    models_dir: Path | None
    input_size_px: int | None
    seed: int
    adaptive_share: float
    slot_ms: int
    web_port: int | None = None
    restless: bool = False
    true_effect: TrueEffect = NO_EFFECT
    past_days: int = 0
    on_glass: frozenset[str] = frozenset()
    picture_px: tuple[int, int] | None = None
    reaction_only: bool = False
    film: Path | None = None

    @property
    def simulated(self) -> bool:
        """Whether the store is the simulated one."""
        return self.camera_file is None and self.webcam is None

    @property
    def gateways(self) -> dict[str, str]:
        """The gateways' names by area; there is one for each area with a camera."""
        areas = sorted({camera.area_id for camera in self.layout.cameras})
        one = len(areas) == 1
        return {area: "gateway" if one else f"gateway-{area}" for area in areas}

    @property
    def approved_by(self) -> str:
        """Who answers for the policy and the experiment of this run."""
        return "the demo's operator" if self.simulated else "the operator of this run"
