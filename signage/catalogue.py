"""The creatives of a folder: each a folder of its own with `creative.yaml` and what it needs.

A creative's page may use the player's fonts (`/fonts/`) but nothing else from outside its folder,
and no scripts. What is not found here when the catalogue is loaded is never served.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from signage.errors import CatalogueError
from signage.intake.loading import Intake, load_creative
from streams.contracts.signage import Creative

#: The creatives that come with the product.
OWN_CREATIVES = Path(__file__).parent / "creatives"


@dataclass(frozen=True, slots=True)
class Catalogue:
    """The creatives, in order of their ids, and the files that may be served.

    `files` maps `<creative_id>/<version>/<path>` to the file: a look-up and no path arithmetic,
    so nothing outside a creative's folder can be asked for. `made` are pages that were made for
    pictures and videos, by the same paths.
    """

    creatives: tuple[Creative, ...]
    files: Mapping[str, Path]
    made: Mapping[str, bytes] = field(default_factory=dict)

    def get(self, creative_id: str, version: int) -> Creative | None:
        """That version of that creative, None where it is not here."""
        for creative in self.creatives:
            if (creative.creative_id, creative.version) == (creative_id, version):
                return creative
        return None


def load_catalogue(folder: Path = OWN_CREATIVES) -> Catalogue:
    """Load and validate every creative of `folder`.

    Raises:
        CatalogueError: the folder, a description or a page is missing or broken.
    """
    taken = intakes(folder)
    return Catalogue(
        creatives=tuple(each.creative for each in taken),
        files={path: file for each in taken for path, file in each.files.items()},
        made={path: text for each in taken for path, text in each.made.items()},
    )


def intakes(folder: Path) -> list[Intake]:
    """Every creative of a folder of creatives, in order of their ids.

    Raises:
        CatalogueError: as `load_catalogue`.
    """
    if not folder.is_dir():
        raise CatalogueError(
            folder, "there is no such folder of creatives", "name a folder with one for each"
        )
    homes = [
        home
        for home in sorted(folder.iterdir())
        if home.is_dir() and not home.name.startswith((".", "_"))
    ]
    if not homes:
        raise CatalogueError(folder, "it holds no creative", "add a folder with a creative.yaml")
    return [load_creative(home) for home in homes]
