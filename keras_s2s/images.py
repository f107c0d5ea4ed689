"""Files of pictures -> pixels of one size: whatever a camera, a scanner or the web gives, upright and in three colours.

    pixels = decode(content, 64, "letterbox")     # uint8 [64, 64, 3]

Pillow reads them. EXIF's rotation is applied; greyscale, palettes, CMYK, 16 bits and transparency (over white) become RGB;
of an animation the first picture is taken. A huge JPEG is read at a fraction of its size. What is left out is named: no
picture, cut off, damaged, too large, too small.
"""

from __future__ import annotations

import io
import struct
import warnings
import zlib
from typing import Any

import numpy as np

from keras_s2s.reading import Rejected

MOST = 120_000_000  # pixels; of what is no JPEG all are unpacked at once
LEAST = 4  # pixels of a side
GREY = 127  # of the letterbox's bars
DEEP = ("I", "I;16", "I;16B", "I;16L", "I;16N", "F")  # Pillow's modes of more than 8 bits a pixel


def decode(content: bytes, size: int, fit: str) -> np.ndarray:
    """The bytes of a file -> pixels uint8 [size, size, 3].

    Args:
        content: of a file that Pillow can read.
        size: pixels of each side.
        fit: how a picture that is no square becomes one, letterbox, crop or stretch.

    Raises:
        Rejected: it cannot be read; why.
    """
    from PIL import Image, UnidentifiedImageError

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of large pictures, which are looked at below, and of odd tags
            with Image.open(io.BytesIO(content)) as picture:
                _require_sane(picture)
                picture.draft("RGB", (2 * size, 2 * size))  # a JPEG is unpacked at 1/8 where that is enough
                return np.asarray(_fitted(_upright(picture), size, fit), np.uint8)
    except UnidentifiedImageError:
        raise Rejected("not a picture that can be read") from None
    except Image.DecompressionBombError:
        raise Rejected(f"a picture of more than {MOST // 1_000_000} million pixels") from None
    except (OSError, ValueError, SyntaxError, EOFError, MemoryError, IndexError, struct.error, zlib.error) as error:
        if isinstance(error, Rejected):
            raise
        reason = "a picture that is cut off" if "truncated" in str(error).lower() else "a damaged picture"
        raise Rejected(reason, str(error)[:80]) from None


def to_png(pixels: np.ndarray) -> bytes:
    """Pixels uint8 [H, W, 3] as a PNG file."""
    from PIL import Image

    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "PNG")
    return file.getvalue()


def _require_sane(picture: Any) -> None:
    width, height = picture.size
    if width * height > MOST:
        raise Rejected(f"a picture of more than {MOST // 1_000_000} million pixels", f"{width:,} x {height:,}")
    if min(width, height) < LEAST:
        raise Rejected(f"a picture of less than {LEAST} pixels a side", f"{width} x {height}")


def _upright(picture: Any) -> Any:
    """The picture as it is to be seen: rotated as its EXIF says, in RGB, what is transparent over white."""
    from PIL import Image, ImageOps

    picture.load()
    mode = picture.mode
    picture = ImageOps.exif_transpose(picture)
    if mode in DEEP:
        return _eight_bits(picture)
    if mode in ("RGBA", "LA", "PA", "RGBa", "La") or "transparency" in picture.info:
        seen = picture.convert("RGBA")
        return Image.alpha_composite(Image.new("RGBA", seen.size, "white"), seen).convert("RGB")
    return picture.convert("RGB")


def _eight_bits(picture: Any) -> Any:
    """16 bits a pixel as 8; floats and what is beyond 16 bits between their least and their most."""
    from PIL import Image

    values = np.nan_to_num(np.asarray(picture, np.float64))
    low, high = (0.0, 65535.0) if values.min() >= 0 and 255 < values.max() <= 65535 else (values.min(), values.max())
    scaled = np.round((values - low) / (high - low or 1.0) * 255).astype(np.uint8)
    return Image.fromarray(scaled).convert("RGB")


def _fitted(picture: Any, size: int, fit: str) -> Any:
    """The picture as a square: with bars, without its edges, or out of proportion."""
    from PIL import Image, ImageOps

    how = Image.Resampling.BICUBIC
    if fit == "letterbox":
        return ImageOps.pad(picture, (size, size), how, color=(GREY,) * 3)
    return ImageOps.fit(picture, (size, size), how) if fit == "crop" else picture.resize((size, size), how)
