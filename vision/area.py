"""The people of one area while its gateway runs: the one scene that all its cameras share.

It lives in memory alone. The pipelines of the area call it from one event loop.
"""

from collections.abc import Sequence

from vision.core import scene as scenes
from vision.core.person import Surroundings, Track
from vision.core.scene import Scene, SceneOutput


class AreaScene:
    """Holds the scene between the pictures of all cameras."""

    def __init__(self) -> None:
        self.scene = Scene()

    def step(self, tracks: Sequence[Track], at_ms: int, around: Surroundings) -> list[SceneOutput]:
        """After one picture of `around`'s camera: what it tells."""
        self.scene, outputs = scenes.step(self.scene, tracks, at_ms, around)
        return outputs

    def lose(self, around: Surroundings) -> list[SceneOutput]:
        """The camera gives no more pictures: what is open before it ends as censored, unless
        another camera sees the person."""
        self.scene, outputs = scenes.lose(self.scene, around)
        return outputs
