"""Vocabularies of OpenNMT-py and fairseq: lists of SentencePiece pieces, or of words between white space."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import sentencepiece
from tokenizers import Tokenizer, models, pre_tokenizers

from regard_export.checkpoints.sentencepiece_tokenizers import UNKNOWN, source_tokenizer, target_tokenizer
from regard_export.errors import ExportError
from regard_service.bundle import Target, TextSource

SOURCE_TOKENIZER, TARGET_TOKENIZER, GIVEN_TARGET_TOKENIZER = "source.json", "target.json", "given_target.json"


@dataclass(frozen=True)
class SpecialPieces:
    """Pieces of either side that are not text."""

    unknown: str
    pad: str
    start: str
    end: str


@dataclass(frozen=True)
class Vocabularies:
    """A model's vocabularies and tokenizers.

    Attributes:
        source, target: ids by piece, from 0 on.
        spm_file: the SentencePiece model of both sides; None if pieces are words between white space.
        start: the decoder's first piece.
        has_source_end: whether the source ends with the end token.

    Raises:
        ExportError: a special piece is missing.
    """

    source: Mapping[str, int]
    target: Mapping[str, int]
    special: SpecialPieces
    spm_file: Path | None
    start: str
    has_source_end: bool

    def __post_init__(self) -> None:
        required = {self.special.unknown, self.special.pad, self.special.end, self.start}
        missing = sorted(required - self.target.keys()) + sorted({self.special.unknown} - self.source.keys())
        if missing:
            raise ExportError(f"the vocabularies lack {', '.join(missing)}")

    @property
    def source_specials(self) -> set[str]:
        """Special pieces of the source; text never becomes one of them, except the unknown piece."""
        special = self.special
        return {special.unknown, special.pad, special.start, special.end} & self.source.keys()

    def tokenizers(self) -> dict[str, str]:
        """The tokenizers' contents by file name."""
        source, given = self._reading(self.source), self._reading(self.target)
        if self.spm_file is not None:
            target = target_tokenizer(self.target)
        else:
            target = str(Tokenizer(self._model(self.target)).to_str())
        return {SOURCE_TOKENIZER: source, TARGET_TOKENIZER: target, GIVEN_TARGET_TOKENIZER: given}

    def reference(self) -> "PieceText":
        """Reads and writes texts without the bundle's tokenizers, for verification. Raises ExportError as they do."""
        return WordText() if self.spm_file is None else SentencePieceText(self.spm_file)

    def _reading(self, ids: Mapping[str, int]) -> str:
        """The tokenizer that reads the texts of a side."""
        if self.spm_file is None:
            return self._words(ids)
        unknown = self.special.unknown
        return source_tokenizer(self.spm_file, {UNKNOWN if piece == unknown else piece: i for piece, i in ids.items()})

    def _words(self, side: Mapping[str, int]) -> str:
        """A side's tokenizer, which splits at white space. Special pieces get a space in their names."""
        special = self.special
        never_text = {special.pad, special.start, special.end, self.start} - {special.unknown}
        ids = {f"{piece} " if piece in never_text else piece: i for piece, i in side.items()}
        tokenizer = Tokenizer(self._model(ids))
        tokenizer.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
        return str(tokenizer.to_str())

    def _model(self, ids: Mapping[str, int]) -> models.WordLevel:
        return models.WordLevel(dict(ids), unk_token=self.special.unknown)

    def text_source(self) -> TextSource:
        """The encoder's input."""
        suffix = (self.source[self.special.end],) if self.has_source_end else ()
        return TextSource(tokenizer=SOURCE_TOKENIZER, suffix_ids=suffix)

    def text_target(self, vocab_size: int) -> Target:
        """The decoder's output."""
        special = self.special
        specials = {self.target[piece] for piece in (special.unknown, special.pad, special.end, self.start)}
        if special.start in self.target:
            specials.add(self.target[special.start])
        return Target(
            tokenizer=TARGET_TOKENIZER,
            reading_tokenizer=GIVEN_TARGET_TOKENIZER,
            vocab_size=vocab_size,
            start_id=self.target[self.start],
            pad_id=self.target[special.pad],
            end_ids=(self.target[special.end],),
            special_ids=tuple(sorted(specials)),
        )


class PieceText(Protocol):
    """Texts to pieces and back."""

    def pieces(self, text: str) -> Sequence[str]:
        """The pieces of a text, which a vocabulary may lack."""

    def text(self, pieces: Sequence[str]) -> str:
        """The text of pieces; "" is one that is no text."""


class WordText:
    """Pieces that are words between white space."""

    def pieces(self, text: str) -> Sequence[str]:
        """See `PieceText`."""
        return text.split()

    def text(self, pieces: Sequence[str]) -> str:
        """See `PieceText`."""
        return " ".join(filter(None, pieces))


class SentencePieceText:
    """Pieces of a SentencePiece model. Raises ExportError if the file is none."""

    def __init__(self, file: Path) -> None:
        try:
            self._processor = sentencepiece.SentencePieceProcessor(str(file))
        except RuntimeError as error:
            raise ExportError(f"{file} is not a SentencePiece model: {error}") from error

    def pieces(self, text: str) -> Sequence[str]:
        """See `PieceText`."""
        return list(self._processor.encode(text, out_type=str))

    def text(self, pieces: Sequence[str]) -> str:
        """See `PieceText`."""
        return "".join(pieces).replace("\u2581", " ")


class VocabularyTextMixin:
    """Tokenizes without the `tokenizers` library, for verification; makes a `Reference` a `TextReference`."""

    def __init__(self, vocabularies: Vocabularies) -> None:
        self._vocabularies = vocabularies
        self.unknown_id: int | None = vocabularies.source[vocabularies.special.unknown]
        self._text = vocabularies.reference()
        self._target_pieces = {i: piece for piece, i in vocabularies.target.items()}
        self._silent_ids = vocabularies.text_target(len(vocabularies.target)).silent_ids

    def tokenize(self, text: str, key: str) -> list[int]:
        """See `TextReference`."""
        vocabularies = self._vocabularies
        unknown, specials = vocabularies.source[vocabularies.special.unknown], vocabularies.source_specials
        pieces = self._text.pieces(text)
        ids = [unknown if piece in specials else vocabularies.source.get(piece, unknown) for piece in pieces]
        return [*ids, *vocabularies.text_source().suffix_ids]

    def detokenize(self, ids: Sequence[int]) -> str:
        """See `TextReference`."""
        return self._text.text(["" if i in self._silent_ids else self._target_pieces[i] for i in ids])
