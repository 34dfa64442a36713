"""The explicit label as it is drawn: a dark plate in a corner with white text on it.

The capitals of "AI" alone reach the height that the standard wants of the text; the characters
beside them are a quarter taller.
"""

from functools import lru_cache
from pathlib import Path

from PIL import Image, ImageDraw, ImageFont

FONT = Path(__file__).parent / "font" / "label.otf"
TEXT = "AI生成"

#: The capitals' height by the picture's shortest side. The standard wants 5 %; the rest survives a
#: codec's blur and a pixel's rounding.
_HEIGHT_SHARE = 0.056
#: Of the text's size: the space around it, and the plate's distance from the picture's edges.
_PAD, _MARGIN = 0.28, 0.45
_PLATE, _INK = (0, 0, 0), (255, 255, 255)


@lru_cache(maxsize=64)
def font(capitals_px: int) -> ImageFont.FreeTypeFont:
    """The font in the smallest size whose capitals are at least so high."""
    size = capitals_px
    while True:
        made = ImageFont.truetype(str(FONT), size)
        _, top, _, bottom = made.getbbox("A", anchor="ls")
        if bottom - top >= capitals_px:
            return made
        size += 1


def plate(text: str, capitals_px: int) -> Image.Image:
    """The plate with its text, as an RGB picture."""
    face = font(capitals_px)
    left, top, right, bottom = face.getbbox(text, anchor="ls")
    pad = max(2, round(_PAD * (bottom - top)))
    size = (round(right - left) + 2 * pad, round(bottom - top) + 2 * pad)
    picture = Image.new("RGB", size, _PLATE)
    ImageDraw.Draw(picture).text((pad - left, pad - top), text, _INK, face, anchor="ls")
    return picture


def capitals_px(width: int, height: int) -> int:
    """How high the capitals are drawn on a picture of that size."""
    return max(8, -(-round(min(width, height) * _HEIGHT_SHARE * 100) // 100))


def drawn_on(picture: Image.Image, text: str = TEXT) -> Image.Image:
    """A copy of the picture with the label in its upper right corner."""
    labelled = picture.copy()
    mark = plate(text, capitals_px(*picture.size))
    labelled.paste(mark, corner(picture.size, mark.size))
    return labelled


def corner(size: tuple[int, int], mark: tuple[int, int]) -> tuple[int, int]:
    """Where the plate lies: near the upper right corner, in even pixels, as video codecs like.

    Of a screen's corners the lower ones belong to the player: what it adds (the code that leads to
    the shoppers' page) must not cover a label.
    """
    margin = round(_MARGIN * mark[1] / (1 + 2 * _PAD))
    x, y = max(0, size[0] - mark[0] - margin), margin
    return x - x % 2, y + y % 2
