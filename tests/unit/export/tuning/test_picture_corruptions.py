"""Pictures that no captioner knows."""

from io import BytesIO

import pytest
from PIL import Image

from regard_export.examples.pictures import example_pictures
from regard_export.tuning.picture_corruptions import PICTURE_CORRUPTIONS, corrupted_pictures

FILES = [file for file in example_pictures() if isinstance(file, bytes)]  # of many sizes, 1 x 1 among them


@pytest.mark.parametrize("kind", PICTURE_CORRUPTIONS)
def test_each_picture_becomes_another_and_always_the_same(kind: str) -> None:
    made = corrupted_pictures(kind, FILES)
    assert made == corrupted_pictures(kind, FILES)
    assert len(made) == len(FILES)
    for before, after in zip(FILES, made, strict=True):
        picture = Image.open(BytesIO(after))
        assert picture.mode == "RGB"
        assert picture.tobytes() != Image.open(BytesIO(before)).convert("RGB").tobytes()
