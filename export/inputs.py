"""What verification feeds a model: raw inputs, read as the server reads them."""

from collections.abc import Iterator, Sequence
from typing import Protocol

import numpy as np

from export import checks
from export.checks import Check
from export.example_pictures import exact_picture, example_pictures
from export.reference import Reference, Source, TextReference
from export.sentences import EXAMPLES, TRICKY_TEXTS
from models.bundle import Bundle, ImageSource, TextSource
from service.pipelines.image import ImageReader
from service.pipelines.text import SourceReader, SourceText, TargetWriter

PIXELS_TOLERANCE = 1e-5  # of floats that are about 1


class Inputs(Protocol):
    """A bundle's way from raw inputs to what its encoder takes."""

    @property
    def examples(self) -> Sequence[str | bytes]:
        """Stand in where no dev examples are given."""

    def read(self, raw: str | bytes, key: str) -> Source:
        """What the encoder takes of an input; `key` is the target language or style."""

    def text(self, raw: str | bytes, key: str) -> SourceText | None:
        """What an output may copy from."""

    def equal(self, reference: Reference) -> Iterator[Check]:
        """Whether the server reads inputs, and writes outputs, as the original does."""


def open_inputs(bundle: Bundle) -> Inputs:
    if isinstance(bundle.manifest.source, TextSource):
        return TextInputs(bundle)
    return ImageInputs(bundle)


class TextInputs:
    """Texts, through the tokenizers that the bundle carries."""

    examples: Sequence[str | bytes] = EXAMPLES

    def __init__(self, bundle: Bundle) -> None:
        self._reader, self._writer = SourceReader(bundle), TargetWriter(bundle)
        self._keys = bundle.manifest.target_languages or bundle.manifest.styles or ("",)

    def read(self, raw: str | bytes, key: str) -> Source:
        text = self.text(raw, key)
        return text.ids.tolist() if text.words is None else text.array

    def text(self, raw: str | bytes, key: str) -> SourceText:
        if isinstance(raw, bytes):
            raise TypeError("a text, not bytes, is what this model reads")
        return self._reader.read(raw, field="text", key=key, truncation="truncate")

    def equal(self, reference: Reference) -> Iterator[Check]:
        if not isinstance(reference, TextReference):
            raise TypeError(f"{reference.name} reads no text")
        yield from checks.texts_equal(reference, self._reader, self._writer, TRICKY_TEXTS + EXAMPLES, self._keys)


class ImageInputs:
    """Pictures, as files."""

    def __init__(self, bundle: Bundle) -> None:
        source = bundle.manifest.source
        if not isinstance(source, ImageSource):
            raise TypeError(f"model {bundle.manifest.name!r} reads no pictures")
        self._source = source
        self._reader = ImageReader(source)
        self.examples: Sequence[str | bytes] = example_pictures()

    def read(self, raw: str | bytes, key: str) -> Source:
        if isinstance(raw, str):
            raise TypeError("a picture, not a text, is what this model reads")
        return self._reader.read(raw, field="image").array

    def text(self, raw: str | bytes, key: str) -> None:
        """Nothing: a picture holds no words."""

    def equal(self, reference: Reference) -> Iterator[Check]:
        """A picture of just the encoder's size, which nothing has to resize."""
        file, values = exact_picture(self._source.height, self._source.width)
        mean, std = (np.array(x, np.float32)[:, None, None] for x in (self._source.mean, self._source.std))
        expected = (values.transpose(2, 0, 1) - mean) / std
        difference = checks.difference(self._reader.read(file, field="image").array, expected)
        yield Check("pixels: largest difference from (value - mean) / std", difference, PIXELS_TOLERANCE)
