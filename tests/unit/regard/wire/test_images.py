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
    with pytest.raises(TypeError, match=r"a picture must be a path, .* it is a int"):
        read_image(5)  # type: ignore[arg-type]
