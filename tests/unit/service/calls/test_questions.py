"""Questions about pictures: each part is read once, then joined; and how their source is described."""

import numpy as np
import pytest

from regard_service.calls.inputs import Input, SourceQuestion, axis_words, source_of, special_units
from regard_service.calls.questions import QuestionReadings
from regard_service.domain.results import ImageGrid, Span, Token
from regard_service.engine.runtime.questions import ids_of, pixels_of
from regard_service.errors import InvalidInput
from regard_service.pictures.reader import SourceImage
from regard_service.repository.readers import QuestionReader
from regard_service.text.reading import SourceText

GRID = ImageGrid(2, 2, 8, 8, (0, 0, 8, 8), first_position=1)


class Reader:
    """Reads texts and pictures, and counts how often; refuses what is empty."""

    def __init__(self) -> None:
        self.num_read = 0

    def read(self, raw: str | bytes, *, field: str, **_: object) -> SourceImage | SourceText:
        self.num_read += 1
        if not raw:
            raise InvalidInput.of(field, "is empty")
        if isinstance(raw, bytes):
            return SourceImage(np.full((3, 8, 8), raw[0], np.float32), GRID)
        return SourceText(raw, (Token(1, "<class>", None, is_special=True), Token(len(raw), raw, Span(0, len(raw)))))


def read(images: list[bytes], questions: list[str]) -> tuple[Reader, tuple[Input, ...]]:
    reader = Reader()
    both = QuestionReader(reader, reader)  # type: ignore[arg-type]
    readings = QuestionReadings(both, images, questions, "reject")
    inputs = readings.paired([reading() for reading in readings.all()])
    assert len(inputs) == readings.num_pairs
    return reader, inputs


@pytest.mark.parametrize(
    ("images", "questions", "pairs"),
    [
        ([b"a"], ["x", "yy"], [(97, 1), (97, 2)]),
        ([b"a", b"b"], ["x"], [(97, 1), (98, 1)]),
        ([b"a", b"b"], ["x", "yy"], [(97, 1), (98, 2)]),
        ([b"a"], ["x"], [(97, 1)]),
    ],
)
def test_each_part_is_read_once_and_joined(
    images: list[bytes], questions: list[str], pairs: list[tuple[int, int]]
) -> None:
    reader, inputs = read(images, questions)
    assert reader.num_read == len(images) + len(questions)
    parts = [each.parts[0] for each in inputs]
    assert all(isinstance(part, SourceQuestion) for part in parts)
    records = [np.asarray(part.array) for part in parts]
    found = [(int(pixels_of(record)[0, 0, 0]), int(ids_of(record)[1])) for record in records]
    assert found == pairs


def test_a_part_that_cannot_be_read_is_named() -> None:
    reader = Reader()
    readings = QuestionReadings(QuestionReader(reader, reader), [b"a"], ["x", ""], "reject").all()  # type: ignore[arg-type]
    with pytest.raises(InvalidInput, match=r"questions\[1\]: is empty"):
        readings[-1]()


def test_the_axis_is_the_question_and_then_the_picture() -> None:
    _, (one,) = read([b"a"], ["what"])
    source = source_of(one.parts, has_words=True)
    assert source.image_grid is not None
    assert source.image_grid.first_position == 3
    assert special_units(source) == [True, False, True, False, False, False, False]
    words = axis_words(source, 7)
    assert [word.tokens for word in words] == [Span(p, p + 1) for p in range(7)]
    assert [word.text for word in words[:2]] == ["<class>", "what"]
