"""Labels a picture: draws the explicit label and writes the implicit one."""

import io

from PIL import Image, ImageOps, PngImagePlugin, UnidentifiedImageError

from signage.errors import LabelError
from signage.labels.aigc import Aigc, packet
from signage.labels.containers import find_labels, xmp_of
from signage.labels.drawing import drawn_on

#: What a label may be written into, by Pillow's names.
_FORMATS = {"jpeg": "JPEG", "png": "PNG", "webp": "WEBP"}
#: Visually lossless; the picture was encoded once already.
_QUALITY = 95


def label_picture(data: bytes, format: str, label: Aigc) -> bytes:
    """The picture with both labels, in its own format and colours.

    Raises:
        LabelError: it has a label already, or cannot be decoded.
    """
    if find_labels(data, format):
        raise LabelError("the file holds an AIGC label already, and may hold only one")
    try:
        with Image.open(io.BytesIO(data)) as opened:
            profile = opened.info.get("icc_profile")
            upright = ImageOps.exif_transpose(opened)
            picture = upright.convert("RGBA" if _transparent(upright) else "RGB")
    except (UnidentifiedImageError, OSError, SyntaxError, ValueError) as error:
        raise LabelError(f"the picture cannot be decoded ({error}); save it again") from error
    xmp = packet(label, xmp_of(data, format))
    out = io.BytesIO()
    given: dict[str, object] = {"icc_profile": profile} if profile else {}
    if format == "png":
        info = PngImagePlugin.PngInfo()
        info.add_itxt("XML:com.adobe.xmp", xmp.decode())
        given |= {"pnginfo": info}
    else:
        given |= {"xmp": xmp, "quality": _QUALITY}
    if format == "jpeg":
        picture = picture.convert("RGB")
        given |= {"subsampling": 0}
    drawn_on(picture).save(out, _FORMATS[format], **given)
    return out.getvalue()


def _transparent(picture: Image.Image) -> bool:
    return picture.mode in ("RGBA", "LA", "PA") or "transparency" in picture.info
