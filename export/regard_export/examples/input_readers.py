"""What verification feeds a model: raw inputs, read as the server reads them."""

from collections.abc import Iterator, Sequence
from typing import Protocol

import numpy as np
from regard_service.bundle import Bundle, ImageSource, TextSource
from regard_service.pictures.reader import ImageReader
from regard_service.text.reading import SourceReader, SourceText
from regard_service.text.writing import TargetWriter

from regard.arrays import Float32Array
from regard_export.examples.pictures import exact_picture, example_pictures
from regard_export.examples.sentences import EXAMPLES, TRICKY_TEXTS
from regard_export.references.reference import PictureReference, Reference, Source, TextReference
from regard_export.verification import graph_checks
from regard_export.verification.graph_checks import Check

PIXELS_TOLERANCE = 1e-5  # of floats that are about 1
RESIZING_TOLERANCE = 2.0  # of 255: from large pictures, the server averages before it filters


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
        manifest = bundle.manifest
        self._keys = manifest.styles or manifest.target_languages or ("",)
        self._language = next(iter(manifest.source_languages), "")

    def read(self, raw: str | bytes, key: str) -> Source:
        text = self.text(raw, key)
        return text.ids.tolist() if text.words is None else text.array

    def text(self, raw: str | bytes, key: str) -> SourceText:
        if isinstance(raw, bytes):
            raise TypeError("a text, not bytes, is what this model reads")
        return self._reader.read(raw, field="text", key=key, truncation="truncate", language=self._language)

    def equal(self, reference: Reference) -> Iterator[Check]:
        if not isinstance(reference, TextReference):
            raise TypeError(f"{reference.name} reads no text")
        yield from graph_checks.texts_equal(
            reference, self._reader, self._writer, TRICKY_TEXTS + EXAMPLES, self._keys, self._language
        )


class ImageInputs:
    """Pictures, as files."""

    def __init__(self, bundle: Bundle) -> None:
        source = bundle.manifest.source
        if not isinstance(source, ImageSource):
            raise TypeError(f"model {bundle.manifest.name!r} reads no pictures")
        self._source = source
        self._reader, self._writer = ImageReader(source), TargetWriter(bundle)
        self.examples: Sequence[str | bytes] = example_pictures()

    def read(self, raw: str | bytes, key: str) -> Source:
        if isinstance(raw, str):
            raise TypeError("a picture, not a text, is what this model reads")
        return self._reader.read(raw, field="image").array

    def text(self, raw: str | bytes, key: str) -> None:
        """Nothing: a picture holds no words."""

    def equal(self, reference: Reference) -> Iterator[Check]:
        """A picture of just the size that nothing has to resize, only to cut where the model's preprocessing does."""
        size = self._source.height, self._source.width
        file, values = exact_picture(*(round(side / self._source.crop_fraction) for side in size))
        margins = [(made - side) / 2 for made, side in zip(values.shape, size, strict=False)]
        top, left = map(int, margins)
        values = values[top : top + size[0], left : left + size[1]]
        mean, std = (np.array(x, np.float32)[:, None, None] for x in (self._source.mean, self._source.std))
        expected = (values.transpose(2, 0, 1) - mean) / std
        limit = PIXELS_TOLERANCE if margins == [top, left] else None  # half pixels cannot be cut exactly
        difference = graph_checks.difference(self._reader.read(file, field="image").array, expected)
        yield Check("pixels: largest difference from (value - mean) / std", difference, limit)
        if isinstance(reference, PictureReference):
            yield from self._equal_original(reference, file, std)

    def _equal_original(self, reference: PictureReference, exact: bytes, std: Float32Array) -> Iterator[Check]:
        """Against the original's own reader, which may resize a little differently, and its tokenizer."""
        worst = 0.0
        for file in (exact, *(example for example in self.examples if isinstance(example, bytes))):
            off = np.abs(self._reader.read(file, field="image").array - reference.pixels(file)) * std
            worst = max(worst, float(off.mean()))
        yield Check("pixels: average difference from the original's, of 255", worst, RESIZING_TOLERANCE)
        num_wrong = 0
        for text in EXAMPLES:
            ids = reference.target_ids(text)
            written = self._writer.write(np.array(ids, np.int64), np.zeros(len(ids), np.float32))
            num_wrong += written.text.strip() != reference.detokenize(ids).strip()
        yield Check("outputs written differently", num_wrong, 0)
