"""A photo, decoded and written anew: only the picture comes out, the right way up. In the child only."""

import contextlib
import warnings
from io import BytesIO
from typing import Any, Final

from PIL import Image, ImageCms, ImageOps, JpegImagePlugin

from edge.attachments.limits import JPEG, MAX_PIXELS
from edge.attachments.refused import Refused

QUALITY: Final = 92
_FORMATS: Final = {JPEG: "JPEG"}
_AS_IT_IS: Final = frozenset({"1", "L", "LA", "RGB", "RGBA", "I;16"})


def clean_picture(raw: bytes, media: str) -> bytes:
    """The same picture and nothing else: no EXIF, place, XMP, profile, thumbnail, comment, other frames.

    A camera says in EXIF which side is up, and in a profile what its colours mean; both are done to the
    picture before they go. A JPEG keeps its own quantisation, so that it loses next to nothing.

    Raises:
        Refused: it has too many pixels, moves, or is damaged.
    """
    warnings.simplefilter("error", Image.DecompressionBombWarning)
    Image.MAX_IMAGE_PIXELS = MAX_PIXELS
    form = _FORMATS.get(media, "PNG")
    try:
        image: Image.Image = Image.open(BytesIO(raw), formats=(form,))
    except (Image.DecompressionBombWarning, Image.DecompressionBombError):
        raise Refused("attachment-pixels") from None
    if image.width * image.height > MAX_PIXELS:
        raise Refused("attachment-pixels")
    if form == "PNG" and getattr(image, "n_frames", 1) > 1:
        raise Refused("attachment-moving")
    image.load()
    options = _as_before(image) if form == "JPEG" else {"optimize": True}
    profile = image.info.get("icc_profile")
    with contextlib.suppress(Exception):  # what EXIF says may be anything; then nothing is turned
        image = ImageOps.exif_transpose(image)
    if isinstance(profile, bytes) and image.mode == "RGB":
        image = _in_common_colours(image, profile)
    image = _in_a_common_mode(image, form)
    image.info = {}
    out = BytesIO()
    try:
        image.save(out, form, **options)
    except (ValueError, OSError, TypeError):
        out = BytesIO()
        image.save(out, form, **({"quality": QUALITY} if form == "JPEG" else {}))
    return out.getvalue()


def _as_before(image: Image.Image) -> dict[str, Any]:
    """How this JPEG was compressed."""
    if not isinstance(image, JpegImagePlugin.JpegImageFile) or image.mode not in {"L", "RGB"}:
        return {"quality": QUALITY}
    sampling = JpegImagePlugin.get_sampling(image)
    said: dict[str, Any] = {"qtables": image.quantization, "optimize": True}
    return said if sampling < 0 or image.mode == "L" else said | {"subsampling": sampling}


def _in_common_colours(image: Image.Image, profile: bytes) -> Image.Image:
    """In sRGB, which is what everybody takes colours for that say nothing of themselves."""
    try:
        found = ImageCms.ImageCmsProfile(BytesIO(profile))
        converted = ImageCms.profileToProfile(image, found, ImageCms.createProfile("sRGB"))
    except (ImageCms.PyCMSError, OSError, ValueError):
        return image
    return converted or image


def _in_a_common_mode(image: Image.Image, form: str) -> Image.Image:
    if form == "JPEG":
        return image if image.mode in {"L", "RGB"} else image.convert("RGB")
    if image.mode in _AS_IT_IS and "transparency" not in image.info:
        return image
    if image.mode == "I":
        return image.convert("I;16")
    return image.convert("RGBA" if "transparency" in image.info or image.mode == "PA" else "RGB")
