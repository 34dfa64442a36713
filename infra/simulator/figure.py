"""A shopper's picture, in two parts: a body that stands or walks and a head that turns.

Keeps what it has drawn: a frame costs look-ups and two small remaps. Not for several threads at a
time.
"""

import cv2
import numpy as np

from infra.simulator.clothes import STRIDE_PHASES, WARDROBE, Appearance, body
from infra.simulator.head import TurningHead, turned
from infra.simulator.pixels import Floats, Image, blur, image
from infra.simulator.portrait import portrait


class Figures:
    """All shoppers' pictures. `appearance` counts through the wardrobe, round and round."""

    def __init__(self) -> None:
        self._head = TurningHead(portrait())
        self._textures: dict[str, Image] = {}

    def warm(self, appearance: int) -> None:
        """Draw the bodies of one appearance, so that they do not make a frame late."""
        look = WARDROBE[appearance % len(WARDROBE)]
        for phase in range(STRIDE_PHASES + 1):
            body(look, phase)

    def body(self, appearance: int, stride: float | None) -> Image:
        """The body, premultiplied BGRA (see `clothes.body`); `stride` 0..1, None when standing."""
        phase = 0 if stride is None else 1 + int(stride * STRIDE_PHASES) % STRIDE_PHASES
        return body(WARDROBE[appearance % len(WARDROBE)], phase)

    def head(
        self, appearance: int, yaw_deg: float, pitch_deg: float, fine: bool
    ) -> tuple[Image, tuple[float, float]]:
        """The head as seen from its front at these angles (yaw + to the picture's right, pitch +
        up): premultiplied BGRA, and the pivot's place on it in px.

        The tile is `TILE_PX` wide when `fine`, else half of it.
        """
        look = WARDROBE[appearance % len(WARDROBE)]
        maps = self._head.maps(-yaw_deg if look.mirrored else yaw_deg, pitch_deg)
        tile, pivot = turned(self._texture(look), maps, fine)
        if look.mirrored:
            return image(cv2.flip(tile, 1)), (float(tile.shape[1] - 1 - pivot[0]), pivot[1])
        return tile, pivot

    def _texture(self, look: Appearance) -> Image:
        found = self._textures.get(look.name)
        if found is None:
            found = _tinted(look)
            self._textures[look.name] = found
        return found


def _tinted(look: Appearance) -> Image:
    """The portrait with this shopper's hair and skin: each channel multiplied, hair by its mask."""
    source = portrait()
    hair: Floats = source.hair[..., None]
    # Eyes and teeth keep their white: only what is as red as skin takes the skin's colour.
    bgr = source.bgr.astype(np.float32)
    redness = np.clip((bgr[..., 2] - bgr[..., 0] - 8.0) / 30.0, 0.0, 1.0)
    redness = blur(redness, 0.8)[..., None]
    skin = 1.0 + (np.array(look.skin, np.float32) - 1.0) * (0.35 + 0.65 * redness)
    factor = hair * np.array(look.hair, np.float32) + (1.0 - hair) * skin
    return image(bgr * factor)
