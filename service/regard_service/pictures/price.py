"""What decoding a picture costs, read from its file before a pixel is decoded, and what of a file is decoded.

Pillow opens a WebP file by allocating its whole canvas, and decodes every scan of a progressive JPEG over all of its
pixels. Of a PNG it unpacks texts and profiles, which no model reads.
"""

import math
import re
import struct
from dataclasses import dataclass

from regard_service.pictures.abandoned import check

# Files of cameras and editors have at most a few dozen.
MAX_SEGMENTS = 4096
MAX_CHUNKS = 65_536

# An encoder's usual script has ten scans. Each of them is a pass over all pixels.
MAX_SCANS = 100
USUAL_SCANS = 16

# The decoder holds two canvases, and Pillow copies the picture twice: 4 bytes a pixel each. Other files take about 10.
WEBP_PIXELS_FRACTION = 10 / 16

_PNG_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_PNG_DECODED = frozenset((b"IHDR", b"PLTE", b"tRNS", b"IDAT", b"IEND"))
_PNG_ORIENTATION = b"eXIf"
_MAX_EXIF_BYTES = 1 << 16
# In the data of a scan, other bytes behind 0xff are no markers. Fill bytes, 0xff before a marker, are not matched: to
# match them would take quadratic time.
_JPEG_MARKER = re.compile(rb"\xff([^\x00\xd0-\xd7\xff])")
_SLICE_BYTES = 1 << 18  # searched at a time: a search holds the interpreter
_SOS, _EOI, _START_OF_FRAME = 0xDA, 0xD9, frozenset((*range(0xC0, 0xC4), *range(0xC5, 0xC8), *range(0xC9, 0xCC)))


class Costly(Exception):
    """Decoding the file costs too much; the message names the cost and its limit."""


@dataclass(frozen=True)
class Decodable:
    """What of a file is decoded, and its price.

    Attributes:
        content: the file, or for a PNG the chunks of it that become pixels.
        num_passed_pixels: pixels times the passes over them; 0 where the file does not tell.
    """

    content: bytes
    num_passed_pixels: int


def decodable(file: bytes, max_pixels: int, max_side: int) -> Decodable:
    """Returns what is to be decoded. Damaged files are returned as they are: their decoder says what is wrong.

    Raises:
        Costly: decoding would take too many passes, or too much memory.
    """
    if file.startswith(b"\xff\xd8"):
        return Decodable(file, _checked_scans(file, max_pixels))
    if file.startswith(b"RIFF"):
        return Decodable(file, _checked_canvas(file, max_pixels, max_side))
    if file.startswith(_PNG_SIGNATURE):
        return Decodable(_pixels_of_png(file), math.prod(struct.unpack_from(">II", file.ljust(24, b"\0"), 16)))
    return Decodable(file, 0)


def _checked_scans(file: bytes, max_pixels: int) -> int:
    """Checks the scans of a JPEG, up to the end of its first picture; returns its pixels times its scans."""
    position, num_scans, num_pixels = 2, 0, 0
    for _ in range(MAX_SEGMENTS):
        found = _next_marker(file, position)
        if found is None or found[1][0] == _EOI:
            break
        marker, position = found[1][0], found.end()
        if marker == _SOS:
            num_scans += 1
            if num_scans > MAX_SCANS:
                break
        elif marker in _START_OF_FRAME and position + 7 <= len(file):
            height, width = struct.unpack_from(">HH", file, position + 3)
            num_pixels = max(num_pixels, height * width)
        if position + 2 <= len(file):
            position += struct.unpack_from(">H", file, position)[0]
    else:
        raise Costly(f"has more than {MAX_SEGMENTS} segments")
    limit = MAX_SCANS
    if num_pixels:
        limit = max(1, min(limit, USUAL_SCANS * max_pixels // num_pixels))
    if num_scans > limit:
        found_scans = f"more than {MAX_SCANS}" if num_scans > MAX_SCANS else f"{num_scans}"
        raise Costly(f"has {found_scans} scans; the limit for {num_pixels} pixels is {limit}")
    return num_pixels * num_scans


def _next_marker(file: bytes, position: int) -> re.Match[bytes] | None:
    while position < len(file):
        end = position + _SLICE_BYTES
        found = _JPEG_MARKER.search(file, position, end)
        if found is not None:
            return found
        check()
        position = end - 1  # a marker may begin with the last byte
    return None


def _checked_canvas(file: bytes, max_pixels: int, max_side: int) -> int:
    """Checks the canvas of a WebP file (https://developers.google.com/speed/webp/docs/riff_container); returns its
    pixels.
    """
    size = _webp_size(file)
    if size is None:
        return 0
    width, height = size
    if max(size) > max_side:
        raise Costly(f"is {width} x {height} pixels; the limit of a side is {max_side}")
    limit = int(max_pixels * WEBP_PIXELS_FRACTION)
    if width * height > limit:
        raise Costly(f"has {width * height} pixels, {width} x {height}; the limit of WebP files is {limit}")
    return width * height


def _webp_size(file: bytes) -> tuple[int, int] | None:
    kind, body = file[12:16], file[20:30]
    if kind == b"VP8X" and len(body) >= 10:
        return 1 + int.from_bytes(body[4:7], "little"), 1 + int.from_bytes(body[7:10], "little")
    if kind == b"VP8L" and len(body) >= 5:
        bits = int.from_bytes(body[1:5], "little")
        return 1 + (bits & 0x3FFF), 1 + (bits >> 14 & 0x3FFF)
    if kind == b"VP8 " and len(body) >= 10:
        width, height = struct.unpack_from("<HH", body, 6)
        return width & 0x3FFF, height & 0x3FFF
    return None


def _pixels_of_png(file: bytes) -> bytes:
    """Returns a PNG without the chunks that are not decoded: texts, profiles, further frames."""
    kept, begin, position = [], 0, len(_PNG_SIGNATURE)
    for _ in range(MAX_CHUNKS):
        if position + 12 > len(file):
            break
        size, kind = int.from_bytes(file[position : position + 4], "big"), file[position + 4 : position + 8]
        end = position + 12 + size
        is_small_exif = kind == _PNG_ORIENTATION and size <= _MAX_EXIF_BYTES
        if end <= len(file) and kind not in _PNG_DECODED and not is_small_exif:
            kept.append(file[begin:position])
            begin = end
        position = end
        if kind == b"IEND":
            break
    else:
        raise Costly(f"has more than {MAX_CHUNKS} chunks")
    return b"".join((*kept, file[begin:])) if kept else file
