"""What verification feeds a model: raw inputs, read as the server reads them."""

from collections.abc import Iterator, Sequence
from typing import Protocol

from export import checks
from export.checks import Check
from export.reference import Reference, Source, TextReference
from export.sentences import EXAMPLES, TRICKY_TEXTS
from models.bundle import Bundle, TextSource
from service.pipelines.text import SourceReader, TargetWriter


class Inputs(Protocol):
    """A bundle's way from raw inputs to what its encoder takes."""

    @property
    def examples(self) -> Sequence[str | bytes]:
        """Stand in where no dev examples are given."""

    def read(self, raw: str | bytes, key: str) -> Source:
        """What the encoder takes of an input; `key` is the target language or style."""

    def equal(self, reference: Reference) -> Iterator[Check]:
        """Whether the server reads inputs, and writes outputs, as the original does."""


def open_inputs(bundle: Bundle) -> Inputs:
    if isinstance(bundle.manifest.source, TextSource):
        return TextInputs(bundle)
    raise NotImplementedError("pictures cannot be verified yet")


class TextInputs:
    """Texts, through the tokenizers that the bundle carries."""

    examples: Sequence[str | bytes] = EXAMPLES

    def __init__(self, bundle: Bundle) -> None:
        self._reader, self._writer = SourceReader(bundle), TargetWriter(bundle)
        self._keys = bundle.manifest.target_languages or bundle.manifest.styles or ("",)

    def read(self, raw: str | bytes, key: str) -> Source:
        if isinstance(raw, bytes):
            raise TypeError("a text, not bytes, is what this model reads")
        ids: list[int] = self._reader.read(raw, field="text", key=key, truncation="truncate").ids.tolist()
        return ids

    def equal(self, reference: Reference) -> Iterator[Check]:
        if not isinstance(reference, TextReference):
            raise TypeError(f"{reference.name} reads no text")
        yield from checks.texts_equal(reference, self._reader, self._writer, TRICKY_TEXTS + EXAMPLES, self._keys)
