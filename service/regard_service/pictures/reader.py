"""Reads a picture's file: the encoder's pixels, and the place of the source axis on the picture.

Files are untrusted: format and size are checked from the header before a pixel is decoded. Colour profiles are
ignored, as in most training data.
"""

import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass

import numpy as np
from PIL import ExifTags, Image, ImageOps, UnidentifiedImageError

from regard.arrays import Float32Array
from regard_service.bundle import ImageSource
from regard_service.domain.results import ImageGrid
from regard_service.errors import InvalidInput, is_out_of_memory
from regard_service.pictures.abandoned import AbandonableFile, Abandoned, check
from regard_service.pictures.price import Costly, decodable

Box = tuple[float, float, float, float]
"""Left, top, right and bottom, in pixels."""

FORMATS = ("JPEG", "PNG", "WEBP")
FORMATS_IN_WORDS = "a JPEG, PNG or WebP file"
ROTATED_ORIENTATIONS = range(2, 9)  # of EXIF: every orientation but upright
SIDEWAYS_ORIENTATIONS = range(5, 9)  # of EXIF: they exchange width and height
MIN_OVERSAMPLING = 2  # cheap shrinking leaves this many times the model's width and height for resizing
ROUNDING = 1e-6  # of a quotient that should be a whole number
LARGE_IMAGE_PIXELS = 10_000_000  # larger ones are decoded one at a time: 40 million pixels take some 400 MB

# The C library caches freed blocks of up to 32 MB. Larger blocks return a picture's memory to the system at once.
Image.core.set_block_size(64 * 2**20)  # type: ignore[attr-defined]

# Pillow warns of sizes and damage with numbers from the file. Python would log each text, and keep it for ever.
warnings.filterwarnings("ignore", module=r"PIL\.")

# Offset, signature and name of other formats.
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
_SIGNATURES = (b"\xff\xd8", b"\x89PNG", b"RIFF")  # of FORMATS


_large_image_lock = threading.Lock()  # of all models


class _Refused(Exception):
    """A picture is refused; the message is for the caller."""


@dataclass(frozen=True)
class ImageLimits:
    """The largest picture: width times height, and the longer side, in pixels."""

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
    """Turns pictures into pixels as the model's training did."""

    def __init__(self, source: ImageSource, limits: ImageLimits | None = None) -> None:
        self._source = source
        self._limits = limits or ImageLimits()

    def read(self, file: bytes, *, field: str) -> SourceImage:
        """Decodes one picture to RGB: upright by its EXIF orientation, transparent parts on white, and of an animation
        the first frame.

        Args:
            field: the picture's path in the request, for errors.

        Raises:
            InvalidInput: the file has another format, exceeds a limit, or is damaged.
        """
        try:
            content = decodable(file, self._limits.max_pixels, self._limits.max_side).content
            with _opened(content, self._limits) as image:
                self._check_size(image.size)
                is_large = image.width * image.height > LARGE_IMAGE_PIXELS
                with _large_image_lock if is_large else nullcontext():
                    check()
                    return self._read(image)
        except (_Refused, Costly) as refused:
            raise InvalidInput.of(field, str(refused)) from refused

    def _check_size(self, size: tuple[int, int]) -> None:
        (width, height), limits = size, self._limits
        if max(size) > limits.max_side:
            raise _Refused(f"is {width} x {height} pixels; the limit of a side is {limits.max_side}")
        if width * height > limits.max_pixels:
            raise _Refused(f"has {width * height} pixels, {width} x {height}; the limit is {limits.max_pixels}")

    def _read(self, image: Image.Image) -> SourceImage:
        orientation = image.getexif().get(ExifTags.Base.Orientation, 1)
        width, height = image.size[::-1] if orientation in SIDEWAYS_ORIENTATIONS else image.size
        box = self._model_box(width, height)
        self._decode_small(image, box)
        if orientation in ROTATED_ORIENTATIONS:
            image = ImageOps.exif_transpose(image)
        pixels = self._pixels(_eight_bits(image), _scaled(box, image.width / width, image.height / height))
        rows, columns = self._source.grid
        return SourceImage(pixels, ImageGrid(rows, columns, width, height, box, self._source.first_position))

    def _model_box(self, width: int, height: int) -> Box:
        """Returns the part of an upright picture that the model reads; it reaches beyond one that is fitted."""
        # Pixels of the picture for each pixel of the model.
        horizontal, vertical = width / self._source.width, height / self._source.height
        if self._source.resize == "fit":
            return self._box_around(width, height, max(horizontal, vertical))
        scale = min(horizontal, vertical)
        # With "crop", one of the two is exactly 1.
        parts = (1.0, 1.0) if self._source.resize == "squash" else (scale / horizontal, scale / vertical)
        part_of_width, part_of_height = (part * self._source.crop_fraction for part in parts)
        left, top = width * (1 - part_of_width) / 2, height * (1 - part_of_height) / 2
        return left, top, width - left, height - top

    def _box_around(self, width: int, height: int, scale: float) -> Box:
        """Returns the rectangle, in the picture's pixels, of which the whole picture is the middle."""
        inner = [max(1, int(side / scale + ROUNDING)) for side in (width, height)]
        before = [
            (side - part) // 2 for side, part in zip((self._source.width, self._source.height), inner, strict=True)
        ]
        horizontal, vertical = width / inner[0], height / inner[1]
        left, top = -before[0] * horizontal, -before[1] * vertical
        return left, top, left + self._source.width * horizontal, top + self._source.height * vertical

    def _decode_small(self, image: Image.Image, box: Box) -> None:
        """Decodes. A large JPEG is decoded at a half, a quarter or an eighth of its size, which saves most time."""
        excess = self._excess(box)
        if excess > 1:
            image.draft(None, (round(image.width / excess), round(image.height / excess)))
        image.load()

    def _excess(self, box: Box) -> float:
        """Returns the factor by which cheap methods may shrink a picture before it is resized."""
        left, top, right, bottom = box
        return min((right - left) / self._source.width, (bottom - top) / self._source.height) / MIN_OVERSAMPLING

    def _pixels(self, image: Image.Image, box: Box) -> Float32Array:
        size = self._source.width, self._source.height
        factor = int(self._excess(box))
        if factor > 1:
            image, box = image.reduce(factor), _scaled(box, 1 / factor, 1 / factor)
        small = self._resized(image, box)
        if small.mode == "RGBA":
            small = Image.alpha_composite(Image.new("RGBA", size, "white"), small).convert("RGB")
        mean, std = np.array(self._source.mean, np.float32), np.array(self._source.std, np.float32)
        values: Float32Array = (np.asarray(small, np.float32) - mean) / std  # [height, width, 3]
        return np.ascontiguousarray(values.transpose(2, 0, 1))

    def _resized(self, image: Image.Image, box: Box) -> Image.Image:
        size, resample = (self._source.width, self._source.height), Image.Resampling[self._source.resample.upper()]
        if self._source.resize != "fit":
            return image.resize(size, resample, box=box)
        left, top, right, bottom = box
        pixels = size[0] / (right - left), size[1] / (bottom - top)  # of the model, for each pixel of the picture
        inner = max(1, round(image.width * pixels[0])), max(1, round(image.height * pixels[1]))
        canvas = Image.new(image.mode, size, "black")
        canvas.paste(image.resize(inner, resample), (round(-left * pixels[0]), round(-top * pixels[1])))
        return canvas


@contextmanager
def _opened(file: bytes, limits: ImageLimits) -> Iterator[Image.Image]:
    """Opens a picture and reads its header. Errors of Pillow, until the picture is closed, become _Refused."""
    try:
        with Image.open(AbandonableFile(file), formats=FORMATS) as image:
            yield image
    except (_Refused, Abandoned, MemoryError):
        raise
    except UnidentifiedImageError as error:
        raise _Refused(_unidentified(file)) from error
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise _Refused(f"has far more pixels than the limit, {limits.max_pixels}") from error
    except Exception as error:  # Pillow's decoders raise OSError, SyntaxError, ValueError and others
        if is_out_of_memory(error):
            raise MemoryError from error
        raise _Refused(f"cannot be read as {FORMATS_IN_WORDS}: {error}") from error


def _unidentified(file: bytes) -> str:
    for start, signature, name in _OTHER_FORMATS:
        if file.startswith(signature, start):
            return f"is {name} file; it must be {FORMATS_IN_WORDS}"
    if file.startswith(_SIGNATURES):
        return f"begins like {FORMATS_IN_WORDS}, but its header is damaged"
    return f"is not {FORMATS_IN_WORDS}"


def _eight_bits(image: Image.Image) -> Image.Image:
    """Converts to RGB, or to RGBA where something may be transparent; 8 bits per channel."""
    if image.mode.startswith("I"):  # 16-bit greyscale, which Pillow would clip
        image = Image.fromarray((np.asarray(image) >> _excess_bits(image)).clip(0, 255).astype(np.uint8))
    return image.convert("RGBA" if image.has_transparency_data else "RGB")


def _excess_bits(image: Image.Image) -> int:
    """Returns by how many bits a 16-bit picture's values exceed 8. Cameras and microscopes write 10, 12 or 14 of them,
    without scaling them to 16.
    """
    largest = int(np.asarray(image).max(initial=0))
    return next(bits for bits in (0, 2, 4, 6, 8) if largest < 256 << bits or bits == 8)


def _scaled(box: Box, horizontal: float, vertical: float) -> Box:
    left, top, right, bottom = box
    return left * horizontal, top * vertical, right * horizontal, bottom * vertical
