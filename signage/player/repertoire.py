"""What a screen may show, and which of it takes part in the rotation when. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from signage.core.eligibility import Given, eligible
from streams.contracts.playlist import Playlist, Turn
from streams.contracts.signage import Creative

Key = tuple[str, int]


@dataclass(frozen=True, slots=True)
class Repertoire:
    """`known` by id and version; `rotation` in order, each with its turns (None: at any time).

    `until_ms` is when it is no longer valid, None: never. Then nothing of it is shown.
    """

    known: Mapping[Key, Creative]
    rotation: tuple[tuple[Creative, tuple[Turn, ...] | None], ...]
    slot_ms: int
    until_ms: int | None = None
    withdrawn: frozenset[str] = field(default_factory=frozenset)

    def get(self, creative_id: str, version: int, at_ms: int) -> Creative | None:
        """That version of that creative, if it may be shown at `at_ms`."""
        if creative_id in self.withdrawn or self.over(at_ms):
            return None
        return self.known.get((creative_id, version))

    def turn(self, at_ms: int) -> list[Creative]:
        """Those among whom the rotation goes round at `at_ms`."""
        if self.over(at_ms):
            return []
        return [
            creative
            for creative, turns in self.rotation
            if creative.creative_id not in self.withdrawn
            and (turns is None or any(t.from_ms <= at_ms < t.until_ms for t in turns))
        ]

    def over(self, at_ms: int) -> bool:
        """Whether it is no longer valid."""
        return self.until_ms is not None and self.until_ms <= at_ms


def of_catalogue(creatives: Sequence[Creative], screen_id: str, slot_ms: int) -> Repertoire:
    """All that came with the player: eligible ones go round for ever. Whether a price is known is
    asked when one is shown.
    """
    given = Given(prices={sku for creative in creatives for sku in creative.prices})
    return Repertoire(
        known={(c.creative_id, c.version): c for c in creatives},
        rotation=tuple((c, None) for c in eligible(creatives, screen_id, given=given).allowed),
        slot_ms=slot_ms,
    )


def of_playlist(playlist: Playlist, held: frozenset[str]) -> Repertoire:
    """What a signed playlist allows, of which every file is here: `held` are their SHA-256."""
    here: list[tuple[Creative, tuple[Turn, ...]]] = []
    for entry in playlist.entries:
        prefix = f"{entry.creative_id}/{entry.creative_version}/"
        files = [file for file in playlist.files if file.path.startswith(prefix)]
        if any(file.path == entry.media for file in files) and all(
            file.sha256 in held for file in files
        ):
            here.append((entry.creative(), entry.turns))
    return Repertoire(
        known={(c.creative_id, c.version): c for c, _ in here},
        rotation=tuple((c, turns) for c, turns in here if turns),
        slot_ms=playlist.slot_ms,
        until_ms=playlist.valid_until_ms,
    )
