"""Reads raw inputs as the server reads them, and provides inputs for a model without dev examples."""

from collections.abc import Sequence
from typing import Protocol

from regard_export.examples.pictures import example_pictures
from regard_export.examples.vocabulary_texts import readable_texts
from regard_export.references.protocols import Source
from regard_service.bundle import Bundle, ImageSource, TextSource
from regard_service.pictures.reader import ImageReader
from regard_service.text.reading import SourceReader, SourceText
from regard_service.text.tokenizer import load_tokenizer


class InputReader(Protocol):
    """Turns raw inputs into the inputs of a bundle's encoder."""

    @property
    def examples(self) -> Sequence[str | bytes]:
        """Raw inputs for a model without dev examples."""

    def read(self, raw: str | bytes, key: str) -> Source:
        """The encoder's input; `key` is the target language or style."""

    def source_text(self, raw: str | bytes, key: str) -> SourceText | None:
        """The words that an output may copy; None of a picture."""


def open_input_reader(bundle: Bundle) -> InputReader:
    """Opens the reader for the bundle's kind of source."""
    return TextInputReader(bundle) if isinstance(bundle.manifest.source, TextSource) else ImageInputReader(bundle)


class TextInputReader:
    """Reads texts with the bundle's tokenizer."""

    def __init__(self, bundle: Bundle) -> None:
        self._reader = SourceReader(bundle)
        source = bundle.manifest.source
        self.examples: Sequence[str | bytes] = (
            readable_texts(load_tokenizer(bundle, source.tokenizer)) if isinstance(source, TextSource) else ()
        )
        self._language = next(iter(bundle.manifest.source_languages), "")

    def read(self, raw: str | bytes, key: str) -> Source:
        """Ids; for a model that copies, ids and words."""
        text = self.source_text(raw, key)
        return text.ids.tolist() if text.words is None else text.array

    def source_text(self, raw: str | bytes, key: str) -> SourceText:
        """The text with its tokens."""
        if isinstance(raw, bytes):
            raise TypeError("this model reads texts, not bytes")
        return self._reader.read(raw, field="text", key=key, truncation="truncate", language=self._language)


class ImageInputReader:
    """Reads the files of pictures."""

    def __init__(self, bundle: Bundle) -> None:
        source = bundle.manifest.source
        if not isinstance(source, ImageSource):
            raise TypeError(f"model {bundle.manifest.name!r} reads no pictures")
        self._reader = ImageReader(source)
        self.examples: Sequence[str | bytes] = example_pictures()

    def read(self, raw: str | bytes, key: str) -> Source:
        """Pixels."""
        if isinstance(raw, str):
            raise TypeError("this model reads pictures, not texts")
        return self._reader.read(raw, field="image").array

    def source_text(self, raw: str | bytes, key: str) -> None:
        """None: a picture has no words."""
