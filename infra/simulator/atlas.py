"""The two atlases of a figure, one for the head and one for the body, and where each part lies."""

from typing import Literal

from infra.simulator.mesh import Region

#: Size of both atlases in px, (width, height).
ATLAS_PX = (1024, 512)

Page = Literal["head", "body"]

Box = tuple[int, int, int, int]

#: Boxes of the parts in px: x0, y0, x1, y1.
BOXES_PX: dict[Page, dict[str, Box]] = {
    "head": {
        "face": (0, 0, 512, 384),
        "mask": (512, 0, 768, 256),
        "hat": (768, 0, 1024, 256),
        "brim": (512, 256, 768, 384),
        "ear": (768, 256, 896, 384),
    },
    "body": {
        "coat": (0, 0, 256, 256),
        "apron": (256, 0, 512, 256),
        "trousers": (512, 0, 768, 256),
        "sleeve": (768, 0, 1024, 256),
        "skin": (0, 256, 128, 384),
        "shoe": (128, 256, 256, 384),
        "metal": (256, 256, 384, 384),
        "tyre": (384, 256, 512, 384),
        "seat": (512, 256, 640, 384),
    },
}

#: Surfaces stay this far inside their box, so that a coarser copy of the atlas does not mix parts.
_INSET_PX = 4

_PAGE_OF = {part: page for page, parts in BOXES_PX.items() for part in parts}


def box_px(part: str) -> Box:
    """The part's box on its page."""
    return BOXES_PX[_PAGE_OF[part]][part]


def region(part: str) -> Region:
    """The part's place on its page, 0..1, less its rim."""
    x0, y0, x1, y1 = box_px(part)
    width, height = ATLAS_PX
    return (
        (x0 + _INSET_PX) / width,
        (y0 + _INSET_PX) / height,
        (x1 - _INSET_PX) / width,
        (y1 - _INSET_PX) / height,
    )
