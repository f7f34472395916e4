"""Pictures as files: paths, bytes, Pillow images, pixels."""

from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from regard.wire.images import read_image

PIXELS = np.arange(2 * 3 * 3, dtype=np.uint8).reshape(2, 3, 3)


def test_pixels_are_sent_as_they_are() -> None:
    for pixels in (PIXELS, PIXELS[..., 0]):
        with Image.open(BytesIO(read_image(pixels))) as opened:
            np.testing.assert_array_equal(np.asarray(opened), pixels)


def test_a_file_is_sent_unchanged(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(b"123")
    assert [read_image(each) for each in (tmp_path / "a.png", str(tmp_path / "a.png"), b"123", bytearray(b"123"))] == [  # type: ignore[arg-type]
        b"123"
    ] * 4


@pytest.mark.parametrize("shape", [(4,), (2, 3, 2), (1, 2, 3, 3)])
def test_pixels_of_another_shape_or_type_are_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match=r"pixels must be uint8 \[height, width, 3\]"):
        read_image(np.zeros(shape, np.uint8))
    with pytest.raises(ValueError, match="they are float64"):
        read_image(np.zeros((2, 3, 3)))  # type: ignore[arg-type]


def test_another_type_is_refused_by_name() -> None:
    with pytest.raises(TypeError, match=r"a picture must be a path, .* it is of type int"):
        read_image(5)  # type: ignore[arg-type]


def test_an_open_file_is_read(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(b"123")
    with (tmp_path / "a.png").open("rb") as file:
        assert read_image(file) == b"123"
    with (tmp_path / "a.png").open() as text, pytest.raises(TypeError, match="a file opened in binary mode"):
        read_image(text)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "mode", ["1", "L", "LA", "P", "RGB", "RGBA", "I;16", "CMYK", "YCbCr", "LAB", "HSV", "RGBX", "PA"]
)
def test_images_of_every_mode_with_colours_are_sent(mode: str) -> None:
    with Image.open(BytesIO(read_image(Image.new(mode, (3, 2))))) as opened:
        assert opened.size == (3, 2)


@pytest.mark.parametrize("mode", ["F", "I"])
def test_numbers_without_a_range_are_no_picture(mode: str) -> None:
    with pytest.raises(ValueError, match=f"mode {mode!r} has no range of brightness: convert it to 'RGB'"):
        read_image(Image.new(mode, (3, 2)))


def test_a_picture_has_pixels() -> None:
    with pytest.raises(ValueError, match=r"they are uint8 \[0, 0, 3\]"):
        read_image(np.zeros((0, 0, 3), np.uint8))
    with pytest.raises(ValueError, match="it is 0 x 2"):
        read_image(Image.new("RGB", (0, 2)))


@pytest.mark.parametrize("address", ["http://a/b.png", "HTTPS://a/b.png", "data:image/png;base64,AAAA"])
def test_an_address_is_not_fetched(address: str) -> None:
    with pytest.raises(ValueError, match="is an address, which is not fetched"):
        read_image(address)
