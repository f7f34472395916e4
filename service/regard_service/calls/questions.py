"""Reads questions about pictures: each picture and each question once, then the pairs that a call asks about."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Literal

from regard_service.calls.inputs import Input, Part, SourceQuestion
from regard_service.pictures.reader import SourceImage
from regard_service.repository.readers import QuestionReader
from regard_service.text.reading import SourceText


@dataclass(frozen=True)
class QuestionReadings:
    """The readings of a call's pictures and questions.

    Attributes:
        images, questions: there are equally many, or one of one kind goes with all of the other.
    """

    reader: QuestionReader
    images: Sequence[bytes]
    questions: Sequence[str]
    truncation: Literal["reject", "truncate"]

    @property
    def num_pairs(self) -> int:
        """Number of requests: a question about a picture each."""
        return max(len(self.images), len(self.questions))

    def all(self) -> Sequence[Callable[[], Input]]:
        """Returns the readings of the pictures, then those of the questions; each may raise InvalidInput."""
        pictures = [partial(self._image, image, f"images[{index}]") for index, image in enumerate(self.images)]
        texts = [partial(self._question, text, f"questions[{index}]") for index, text in enumerate(self.questions)]
        return [*pictures, *texts]

    def paired(self, inputs: Sequence[Input]) -> tuple[Input, ...]:
        """Joins what `all` read, in its order: the inputs of the engine's requests."""
        parts: list[Part] = [read.parts[0] for read in inputs]
        pictures = [part for part in parts if isinstance(part, SourceImage)]
        texts = [part for part in parts if isinstance(part, SourceText)]
        pictures *= self.num_pairs // len(pictures)
        texts *= self.num_pairs // len(texts)
        return tuple(Input((SourceQuestion(*pair),)) for pair in zip(pictures, texts, strict=True))

    def _image(self, image: bytes, field: str) -> Input:
        return Input((self.reader.pictures.read(image, field=field),))

    def _question(self, text: str, field: str) -> Input:
        return Input((self.reader.questions.read(text, field=field, key="", truncation=self.truncation),))
