"""Pictures to pixels: formats, colours, orientation, crops, and refused files."""

import contextlib
import struct
import subprocess
import sys
import zlib
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from regard_service.bundle import ImageSource
from regard_service.errors import InvalidInput
from regard_service.pictures.abandoned import Abandoned, abandoned_when
from regard_service.pictures.reader import ImageLimits, ImageReader, SourceImage
from tests.waiting import PATIENCE_S

SQUASH = ImageSource(height=8, width=8, mean=(127,) * 3, std=(128,) * 3, resize="squash", grid=(2, 2))
CROP = SQUASH.model_copy(update={"resize": "crop"})
RED, GREEN, BLUE, WHITE = (255, 0, 0), (0, 255, 0), (0, 0, 255), (255, 255, 255)


def quarters(size: tuple[int, int] = (64, 64)) -> Image.Image:
    """Returns a picture of four colours: red and green above, blue and white below."""
    image = Image.new("RGB", (2, 2))
    image.putdata([RED, GREEN, BLUE, WHITE])
    return image.resize(size, Image.Resampling.NEAREST)


def saved(image: Image.Image, form: str = "PNG", **options: object) -> bytes:
    file = BytesIO()
    image.save(file, form, **options)
    return file.getvalue()


def read(file: bytes, source: ImageSource = SQUASH, limits: ImageLimits | None = None) -> SourceImage:
    return ImageReader(source, limits).read(file, field="images[3]")


def colours(image: SourceImage) -> list[list[int]]:
    """Returns the middle colour of each quarter, row by row, as 0 to 255."""
    assert image.array.dtype == np.float32
    assert image.array.shape == (3, 8, 8)
    values = np.rint(image.array * 128 + 127).astype(int)
    return [values[:, y, x].tolist() for y in (1, 6) for x in (1, 6)]


def near(found: list[list[int]], *wanted: tuple[int, int, int], by: int = 12) -> bool:
    return bool(np.abs(np.array(found) - np.array(wanted)).max() <= by)


def png(width: int, height: int, depth: int, colour: int, data: bytes = b"") -> bytes:
    """Returns a PNG with this header and any data."""

    def chunk(kind: bytes, content: bytes) -> bytes:
        check = zlib.crc32(kind + content)
        return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", check)

    header = struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(data, 9)) + chunk(b"IEND", b"")


@pytest.mark.parametrize("form", ["JPEG", "PNG", "WEBP"])
def test_formats(form: str) -> None:
    assert near(colours(read(saved(quarters(), form))), RED, GREEN, BLUE, WHITE, by=60 if form != "PNG" else 12)


def test_pixels_are_scaled_as_the_manifest_says() -> None:
    source = SQUASH.model_copy(update={"mean": (0.0, 255.0, 0.0), "std": (255.0, 1.0, 2.0), "height": 4, "width": 6})
    pixels = read(saved(Image.new("RGB", (5, 5), (255, 255, 10))), source).array
    assert pixels.shape == (3, 4, 6)
    np.testing.assert_allclose(pixels[:, 0, 0], [1.0, 0.0, 5.0])
    assert pixels.flags.c_contiguous


def test_squashed_pictures_are_read_whole() -> None:
    grid = read(saved(quarters((200, 100)))).grid
    assert (grid.rows, grid.columns, grid.image_width, grid.image_height) == (2, 2, 200, 100)
    assert grid.box == (0, 0, 200, 100)


@pytest.mark.parametrize(
    ("size", "box"), [((200, 100), (50, 0, 150, 100)), ((100, 301), (0, 100.5, 100, 200.5)), ((8, 8), (0, 0, 8, 8))]
)
def test_of_cropped_pictures_the_middle_is_read(size: tuple[int, int], box: tuple[float, ...]) -> None:
    assert read(saved(quarters(size)), CROP).grid.box == box


@pytest.mark.parametrize(
    ("resize", "size", "box"),
    [
        ("squash", (256, 128), (16, 8, 240, 120)),
        ("crop", (256, 128), (72, 8, 184, 120)),
        ("crop", (128, 256), (8, 72, 120, 184)),
    ],
)
def test_only_a_part_of_each_side_may_be_kept(resize: str, size: tuple[int, int], box: tuple[float, ...]) -> None:
    source = SQUASH.model_copy(update={"resize": resize, "crop_fraction": 0.875})
    assert read(saved(quarters(size)), source).grid.box == pytest.approx(box)


@pytest.mark.parametrize("resample", ["bilinear", "bicubic", "lanczos"])
def test_the_manifest_names_the_filter(resample: str) -> None:
    noise = Image.fromarray(np.random.default_rng(0).integers(256, size=(5, 5, 3), dtype=np.uint8))
    wanted = np.asarray(noise.resize((8, 8), Image.Resampling[resample.upper()]), np.float32).transpose(2, 0, 1)
    found = read(saved(noise), SQUASH.model_copy(update={"resample": resample})).array
    np.testing.assert_allclose(found * 128 + 127, wanted, atol=1e-3)


def test_the_pixels_outside_of_the_crop_have_no_effect() -> None:
    image = quarters((200, 100))
    for left in (0, 150):
        image.paste((9, 9, 9), (left, 0, left + 50, 100))
    assert near(colours(read(saved(image), CROP)), RED, GREEN, BLUE, WHITE)


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("form", ["JPEG", "PNG", "WEBP"])
def test_pictures_are_turned_upright(orientation: int, form: str) -> None:
    turns = Image.Transpose
    undo = {
        2: turns.FLIP_LEFT_RIGHT, 3: turns.ROTATE_180, 4: turns.FLIP_TOP_BOTTOM, 5: turns.TRANSPOSE,
        6: turns.ROTATE_90, 7: turns.TRANSVERSE, 8: turns.ROTATE_270,
    }  # fmt: skip
    image = quarters((320, 160))
    stored = image.transpose(undo[orientation]) if orientation > 1 else image
    exif = Image.Exif()
    exif[0x0112] = orientation
    found = read(saved(stored, form, exif=exif.tobytes()))
    assert (found.grid.image_width, found.grid.image_height) == (320, 160)
    assert found.grid.box == (0, 0, 320, 160)
    assert near(colours(found), RED, GREEN, BLUE, WHITE, by=60)


def test_an_invalid_orientation_means_upright() -> None:
    exif = Image.Exif()
    exif[0x0112] = 77
    assert near(colours(read(saved(quarters(), exif=exif.tobytes()))), RED, GREEN, BLUE, WHITE)


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGB", "RGBA"])
def test_colour_modes(mode: str) -> None:
    grey = Image.new("L", (64, 64), 0)
    grey.paste(255, (0, 0, 64, 32))
    assert near(colours(read(saved(grey.convert(mode)))), WHITE, WHITE, (0, 0, 0), (0, 0, 0))


def test_sixteen_bits_of_grey_keep_their_shades() -> None:
    ramp = np.linspace(0, 65535, 64, dtype=np.uint16)[None].repeat(64, axis=0)
    found = colours(read(saved(Image.fromarray(ramp))))
    assert 20 < found[0][0] < 90
    assert 160 < found[1][0] < 235


def test_sixteen_bits_of_colour() -> None:
    row = b"\0" + struct.pack(">3H", 65535, 32768, 0) * 16
    assert near(colours(read(png(16, 16, 16, 2, row * 16))), *[(255, 128, 0)] * 4)


def test_cmyk() -> None:
    assert near(colours(read(saved(quarters().convert("CMYK"), "JPEG"))), RED, GREEN, BLUE, WHITE, by=60)


def test_transparent_parts_are_white() -> None:
    image = quarters().convert("RGBA")
    image.putalpha(Image.new("L", (64, 64), 0))
    image.paste((255, 0, 0, 128), (0, 0, 32, 32))
    expected = ((255, 127, 127), WHITE, WHITE, WHITE)
    assert near(colours(read(saved(image))), *expected)
    assert near(colours(read(saved(image, "WEBP", lossless=True))), *expected)


def test_a_palette_with_a_transparent_colour() -> None:
    image = quarters().convert("P", palette=Image.Palette.ADAPTIVE, colors=4)
    red = image.getpixel((1, 1))
    assert near(colours(read(saved(image, transparency=red))), WHITE, GREEN, BLUE, WHITE)


@pytest.mark.parametrize("form", ["PNG", "WEBP"])
def test_of_an_animation_the_first_frame_is_read(form: str) -> None:
    others = [Image.new("RGB", (64, 64), "black")] * 2
    file = saved(quarters(), form, save_all=True, append_images=others, duration=50, lossless=True)
    assert near(colours(read(file)), RED, GREEN, BLUE, WHITE)


def test_large_jpegs_are_decoded_small_and_placed_right() -> None:
    whole = read(saved(quarters((1601, 1203)), "JPEG", quality=95), CROP)
    assert near(colours(whole), RED, GREEN, BLUE, WHITE, by=30)
    assert whole.grid.box == pytest.approx((199, 0, 1402, 1203))


def test_grids_begin_where_the_manifest_says() -> None:
    source = SQUASH.model_copy(update={"first_position": 1})
    assert read(saved(quarters()), source).grid.first_position == 1


NOISE = np.random.default_rng(0).integers(0, 255, (120, 120, 3), dtype=np.uint8)
GIGABYTE = png(19_000, 19_000, 1, 0, bytes((19_000 // 8 + 1) * 19_000))

REFUSED = [
    (b"hello, I am no picture at all", r"is not a JPEG, PNG or WebP file"),
    (b"GIF89a" + bytes(100), "is a GIF file"),
    (b"%PDF-1.7 ...", "is a PDF file"),
    (bytes(4) + b"ftypavif" + bytes(100), "is an AVIF file"),
    (bytes(4) + b"ftypheic" + bytes(100), "is a HEIC file"),
    (saved(quarters(), "BMP"), "is a BMP file"),
    (saved(quarters(), "TIFF"), "is a TIFF file"),
    (saved(quarters())[:20], "cannot be read"),
    (b"RIFF....WEBPVP8 ", r"header is damaged|cannot be read"),
    (GIGABYTE, "far more pixels than the limit, 40000000"),
    (png(16_000, 16_000, 1, 0), "far more pixels than the limit"),
    (png(8000, 8000, 8, 2), "has 64000000 pixels, 8000 x 8000; the limit is 40000000"),
    (png(50_000, 2, 8, 0, bytes(50_001 * 2)), "50000 x 2 pixels; the limit of a side is 16384"),
    (png(3, 50_000, 8, 0), "3 x 50000"),
    (png(64, 64, 8, 2), "cannot be read"),
    (png(0, 64, 8, 2), r"damaged|cannot be read|is not"),
]


@pytest.mark.parametrize(("file", "reason"), REFUSED, ids=range(len(REFUSED)))
def test_refused(file: bytes, reason: str) -> None:
    with pytest.raises(InvalidInput, match=reason) as raised:
        read(file)
    assert [violation.field for violation in raised.value.violations] == ["images[3]"]


def test_the_file_that_unpacks_to_a_gigabyte_is_small() -> None:
    assert len(GIGABYTE) < 50_000


@pytest.mark.parametrize("form", ["JPEG", "PNG", "WEBP"])
@pytest.mark.parametrize("share", [0.1, 0.5, 0.95])
def test_truncated_files_are_refused(form: str, share: float) -> None:
    whole = saved(Image.fromarray(NOISE), form)
    with pytest.raises(InvalidInput, match=r"images\[3\]: "):
        read(whole[: int(len(whole) * share)])


WARNED = """
import sys
import PIL.Image, PIL.TiffImagePlugin
from tests.unit.service.pictures.test_reader import InvalidInput, png, quarters, read, saved
exif = b"Exif\\0\\0MM\\0*\\0\\0\\0\\x08\\0\\x05\\x01"
for number in range(3):
    for file in (png(10_000, 9_000 + number, 8, 2), saved(quarters(), "JPEG", exif=exif + b"\\x12" * number)):
        try:
            read(file)
        except InvalidInput:
            pass
kept = [getattr(module, "__warningregistry__", {}) for module in (PIL.Image, PIL.TiffImagePlugin)]
print([key for registry in kept for key in registry if key != "version"])
"""


def test_pictures_leave_no_warnings_behind() -> None:
    """Pillow warns of sizes and damage in ever new words: Python would write each and keep it for good."""
    done = subprocess.run(
        [sys.executable, "-c", WARNED], capture_output=True, text=True, check=True, timeout=PATIENCE_S
    )
    assert (done.stdout, done.stderr) == ("[]\n", "")


def test_limits_can_be_set() -> None:
    file = saved(quarters((10, 20)))
    read(file, limits=ImageLimits(max_pixels=200, max_side=20))
    with pytest.raises(InvalidInput, match="200 pixels, 10 x 20; the limit is 199"):
        read(file, limits=ImageLimits(max_pixels=199, max_side=20))
    with pytest.raises(InvalidInput, match="limit of a side is 19"):
        read(file, limits=ImageLimits(max_pixels=200, max_side=19))


@settings(deadline=None, max_examples=150)
@given(st.sampled_from(["JPEG", "PNG", "WEBP"]), st.lists(st.tuples(st.floats(0, 1), st.integers(0, 255)), max_size=5))
def test_damaged_files_are_read_or_refused(form: str, damage: list[tuple[float, int]]) -> None:
    """No file may cause another error or another shape."""
    file = bytearray(saved(Image.fromarray(NOISE[:20, :20]), form))
    for place, value in damage:
        file[int(place * (len(file) - 1))] = value
    with contextlib.suppress(InvalidInput):
        assert read(bytes(file)).array.shape == (3, 8, 8)


def test_shipped_photographs_are_read() -> None:
    photographs = sorted((Path(__file__).parents[4] / "docs" / "examples" / "photos").glob("*.jpg"))
    assert len(photographs) == 7
    for photograph in photographs:
        assert np.isfinite(read(photograph.read_bytes()).array).all()


def progressive(num_scans: int) -> bytes:
    """Returns a JPEG whose last scan stands in it again and again, as an attacker's would."""
    file = saved(quarters((256, 256)), "JPEG", progressive=True)
    last = file.rindex(b"\xff\xda")
    return file[:last] + file[last:-2] * num_scans + file[-2:]


def test_a_jpeg_of_very_many_scans_is_refused_before_it_is_decoded(monkeypatch: pytest.MonkeyPatch) -> None:
    assert near(colours(read(progressive(8))), RED, GREEN, BLUE, WHITE)
    monkeypatch.setattr(Image, "open", None)  # a decoder would be an error
    with pytest.raises(InvalidInput, match=r"images\[3\]: has more than 100 scans; the limit for 65536 pixels is 100"):
        read(progressive(200))


@pytest.mark.parametrize("fill", [b"\xff", b"\xff\x00", b"\x00\xff", b"\xff\xd0"], ids=bytes.hex)
def test_the_markers_of_a_jpeg_are_found_in_linear_time(fill: bytes) -> None:
    """40 kB of fill bytes took 12 s, in which no other thread ran, and 10 MB would have taken days."""
    file = progressive(8)
    padded = file[:2] + fill * (4_000_000 // len(fill)) + file[2:]
    with pytest.raises(InvalidInput):
        read(padded[:-2])
    read(file[:2] + b"\xff" * 300_000 + file[2:])  # fill bytes before a marker are legal (ITU-T T.81, B.1.1.2)


def test_the_scans_of_a_large_jpeg_are_fewer() -> None:
    """The price is passes times pixels."""
    limits = ImageLimits(max_pixels=65536)
    with pytest.raises(InvalidInput, match="the limit for 65536 pixels is 16"):
        read(progressive(16), limits=limits)


@pytest.mark.parametrize(("flags", "kind"), [(2, "an animation"), (0, "a picture")])
def test_a_webp_canvas_is_refused_before_it_is_allocated(flags: int, kind: str) -> None:
    """102 bytes that announce 6000 x 6000 pixels."""
    canvas = bytes([flags, 0, 0, 0]) + (5999).to_bytes(3, "little") * 2
    body = b"WEBPVP8X" + len(canvas).to_bytes(4, "little") + canvas + bytes(72)
    with pytest.raises(InvalidInput, match="has 36000000 pixels, 6000 x 6000; the limit of WebP files is 25000000"):
        read(b"RIFF" + len(body).to_bytes(4, "little") + body)


def with_chunk(file: bytes, kind: bytes, content: bytes) -> bytes:
    """Returns a PNG with one more chunk, before its pixels."""
    check = zlib.crc32(kind + content).to_bytes(4, "big")
    place = file.index(b"IDAT") - 4
    return file[:place] + len(content).to_bytes(4, "big") + kind + content + check + file[place:]


TEXTS = {
    b"zTXt": b"note\0\0" + zlib.compress(bytes(range(256)) * 8192),  # 2 MB
    b"iTXt": b"note\0\1\0\0\0" + zlib.compress(bytes(2_000_000)),
    b"tEXt": b"note\0" + b"a" * 2_000_000,
    b"iCCP": b"profile\0\0" + zlib.compress(np.random.default_rng(0).bytes(1_500_000)),
}


@pytest.mark.parametrize(("kind", "content"), TEXTS.items(), ids=[kind.decode() for kind in TEXTS])
def test_texts_and_profiles_of_a_png_are_skipped(kind: bytes, content: bytes) -> None:
    assert near(colours(read(with_chunk(saved(quarters()), kind, content))), RED, GREEN, BLUE, WHITE)


@pytest.mark.parametrize("bits", [8, 10, 12, 14, 16])
def test_grey_of_any_depth_in_16_bits_is_as_bright_as_it_is(bits: int) -> None:
    values = (np.arange(64) / 63 * (2**bits - 1)).astype(np.uint16)
    image = Image.fromarray(np.repeat(values[None], 64, axis=0))
    read_values = read(saved(image)).array * 128 + 127
    assert read_values[:, :, -1].min() > 230
    assert read_values[:, :, 0].max() < 25


def test_decoding_stops_between_blocks_when_nobody_waits_for_it() -> None:
    """Noise, so that the file has many blocks; its caller leaves after the second."""
    noise = np.random.default_rng(0).integers(0, 256, (1024, 1024, 3), np.uint8)
    file = saved(Image.fromarray(noise))
    asked: list[int] = []

    def has_left() -> bool:
        asked.append(1)
        return len(asked) > 8

    with abandoned_when(has_left), pytest.raises(Abandoned):
        read(file)
    assert len(asked) == 9
