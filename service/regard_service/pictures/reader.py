"""A picture's file to the encoder's pixels, and where the source axis lies on the picture.

Files come from anywhere: format and size are read from the header and checked before a pixel is decoded. Colour
profiles are ignored, as in most training data.
"""

import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from io import BytesIO

import numpy as np
from PIL import ExifTags, Image, ImageOps, UnidentifiedImageError

from regard.arrays import Float32Array
from regard_service.bundle import ImageSource
from regard_service.domain import ImageGrid
from regard_service.errors import InvalidInput

Box = tuple[float, float, float, float]
"""Left, top, right and bottom, in pixels."""

FORMATS = ("JPEG", "PNG", "WEBP")
WANTED = "a JPEG, PNG or WebP file"
TURNED = range(2, 9)  # EXIF orientations that are not upright
SIDEWAYS = range(5, 9)  # those that exchange width and height
ENOUGH = 2  # times the size wanted
LARGE = 10_000_000  # pixels; a picture of 40 million takes some 400 MB, so that large ones wait for each other

# Above the 32 MB up to which the C library keeps what is freed for later: pixels are returned to the system at once.
Image.core.set_block_size(64 * 2**20)  # type: ignore[attr-defined]

# Pillow warns of sizes and of damage, with numbers from the file; Python would write each one, and keep it for good.
warnings.filterwarnings("ignore", module=r"PIL\.")

# What files that are none of these begin with, or have at their fifth byte.
_OTHER_FORMATS = (
    (0, b"GIF8", "a GIF"),
    (0, b"BM", "a BMP"),
    (0, b"II*\0", "a TIFF"),
    (0, b"MM\0*", "a TIFF"),
    (0, b"%PDF", "a PDF"),
    (0, b"<svg", "an SVG"),
    (0, b"<?xml", "an XML"),
    (4, b"ftypavif", "an AVIF"),
    (4, b"ftyphei", "a HEIC"),
    (4, b"ftypmif1", "a HEIF"),
)
_BEGINNINGS = (b"\xff\xd8", b"\x89PNG", b"RIFF")  # of those that are


class _Refused(Exception):
    """Why a picture is not taken, for its caller."""


@dataclass(frozen=True)
class ImageLimits:
    """How large a picture may be, in pixels: width times height, and each of them."""

    max_pixels: int = 40_000_000
    max_side: int = 16_384


@dataclass(frozen=True)
class SourceImage:
    """A picture as the encoder reads it.

    Attributes:
        array: float32 [3, height, width].
    """

    array: Float32Array
    grid: ImageGrid


class ImageReader:
    """Turns pictures into pixels as the model's training had them."""

    def __init__(self, source: ImageSource, limits: ImageLimits | None = None) -> None:
        self._source = source
        self._limits = limits or ImageLimits()
        self._large = threading.Lock()

    def read(self, file: bytes, *, field: str) -> SourceImage:
        """Decodes one picture: upright by its EXIF orientation, the first one of an animation, on white where it is
        transparent, from any colours to RGB.

        Args:
            field: the picture's path in the request, for errors.

        Raises:
            InvalidInput: it is none of the formats, larger than the limits, or damaged.
        """
        try:
            with _opened(file, self._limits) as image:
                self._check_size(image.size)
                with self._large if image.width * image.height > LARGE else nullcontext():
                    return self._read(image)
        except _Refused as refused:
            raise InvalidInput.of(field, str(refused)) from refused

    def _check_size(self, size: tuple[int, int]) -> None:
        (width, height), limits = size, self._limits
        if max(size) > limits.max_side:
            raise _Refused(f"is {width} x {height} pixels; the limit of a side is {limits.max_side}")
        if width * height > limits.max_pixels:
            raise _Refused(f"has {width * height} pixels, {width} x {height}; the limit is {limits.max_pixels}")

    def _read(self, image: Image.Image) -> SourceImage:
        orientation = image.getexif().get(ExifTags.Base.Orientation, 1)
        width, height = image.size[::-1] if orientation in SIDEWAYS else image.size
        box = self._seen(width, height)
        self._decode_small(image, box)
        if orientation in TURNED:
            image = ImageOps.exif_transpose(image)
        pixels = self._pixels(_eight_bits(image), _scaled(box, image.width / width, image.height / height))
        rows, columns = self._source.grid
        return SourceImage(pixels, ImageGrid(rows, columns, width, height, box, self._source.first_position))

    def _seen(self, width: int, height: int) -> Box:
        """The part of an upright picture that the model sees."""
        across, down = width / self._source.width, height / self._source.height  # pixels a pixel of the model's
        scale = min(across, down)
        # One of a crop's is exactly 1.
        parts = (1.0, 1.0) if self._source.resize == "squash" else (scale / across, scale / down)
        part_of_width, part_of_height = (part * self._source.crop_fraction for part in parts)
        left, top = width * (1 - part_of_width) / 2, height * (1 - part_of_height) / 2
        return left, top, width - left, height - top

    def _decode_small(self, image: Image.Image, box: Box) -> None:
        """Decodes; a JPEG much larger than what is wanted at a half, a quarter or an eighth, which saves most of it."""
        excess = self._excess(box)
        if excess > 1:
            image.draft(None, (round(image.width / excess), round(image.height / excess)))
        image.load()

    def _excess(self, box: Box) -> float:
        """By what a picture may be shrunk in cheap ways, so that enough is left for resizing to average."""
        left, top, right, bottom = box
        return min((right - left) / self._source.width, (bottom - top) / self._source.height) / ENOUGH

    def _pixels(self, image: Image.Image, box: Box) -> Float32Array:
        size = self._source.width, self._source.height
        factor = int(self._excess(box))
        if factor > 1:
            image, box = image.reduce(factor), _scaled(box, 1 / factor, 1 / factor)
        small = image.resize(size, Image.Resampling[self._source.resample.upper()], box=box)
        if small.mode == "RGBA":
            small = Image.alpha_composite(Image.new("RGBA", size, "white"), small).convert("RGB")
        mean, std = np.array(self._source.mean, np.float32), np.array(self._source.std, np.float32)
        values: Float32Array = (np.asarray(small, np.float32) - mean) / std  # [height, width, 3]
        return np.ascontiguousarray(values.transpose(2, 0, 1))


@contextmanager
def _opened(file: bytes, limits: ImageLimits) -> Iterator[Image.Image]:
    """A picture whose header has been read; whatever goes wrong with it until it is closed is told in words."""
    try:
        with Image.open(BytesIO(file), formats=FORMATS) as image:
            yield image
    except (_Refused, MemoryError):
        raise
    except UnidentifiedImageError as error:
        raise _Refused(_unidentified(file)) from error
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise _Refused(f"has far more pixels than the limit, {limits.max_pixels}") from error
    except Exception as error:  # Pillow raises whatever its decoders meet: OSError, SyntaxError, ValueError, ...
        raise _Refused(f"cannot be read as {WANTED}: {error}") from error


def _unidentified(file: bytes) -> str:
    for start, beginning, name in _OTHER_FORMATS:
        if file.startswith(beginning, start):
            return f"is {name} file; it must be {WANTED}"
    if file.startswith(_BEGINNINGS):
        return f"begins like {WANTED}, but its header is damaged"
    return f"is not {WANTED}"


def _eight_bits(image: Image.Image) -> Image.Image:
    """RGB, or RGBA where something may be transparent; 8 bits a channel."""
    if image.mode.startswith("I"):  # 16 bits of grey, which Pillow would clip
        image = Image.fromarray((np.asarray(image) >> 8).astype(np.uint8))
    return image.convert("RGBA" if image.has_transparency_data else "RGB")


def _scaled(box: Box, horizontally: float, vertically: float) -> Box:
    left, top, right, bottom = box
    return left * horizontally, top * vertically, right * horizontally, bottom * vertically
