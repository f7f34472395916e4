"""Reading texts to translate."""

import pytest

from regard_service.bundle import DEFAULT_LENGTH_RATIOS, Bundle, zoo_folder
from regard_service.calls.preparing import Preparation
from regard_service.calls.reading import PassageReader
from regard_service.pictures.abandoned import Abandoned, abandoned_when
from regard_service.text.reading import SourceReader

BUNDLE = Bundle.load(zoo_folder() / "everyday")
LINES = "A dog runs.\n" * 1000


def reader() -> PassageReader:
    return PassageReader(
        SourceReader(BUNDLE), "de", Preparation("en", "de"), "", "sentence", None, 100, DEFAULT_LENGTH_RATIOS
    )


def test_a_text_of_many_segments_is_read_no_further_once_its_caller_has_left() -> None:
    """A thread cannot be ended; the others of a call's texts are dropped from the queue."""
    asked = []

    def has_left() -> bool:
        asked.append(True)
        return len(asked) > 10

    with abandoned_when(has_left), pytest.raises(Abandoned):
        reader().read(LINES, 0)
    assert len(asked) == 11
    assert len(reader().read(LINES, 0).segments) == 1000
