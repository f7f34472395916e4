"""Texts of toolkits whose vocabularies are lists of pieces: SentencePiece models, or words between white space."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import sentencepiece
from regard_service.bundle import Target, TextSource
from tokenizers import Tokenizer, models, pre_tokenizers

from regard_export.checkpoints.sentencepiece_tokenizers import UNKNOWN, source_tokenizer, target_tokenizer
from regard_export.errors import ExportError

SOURCE_TOKENIZER, TARGET_TOKENIZER = "source.json", "target.json"


@dataclass(frozen=True)
class Special:
    """Tokens of either side that are no text, by their pieces."""

    unknown: str
    pad: str
    start: str
    end: str


@dataclass(frozen=True)
class Vocabularies:
    """How a model's texts become ids and back.

    Attributes:
        source, target: ids by piece, from 0 on.
        spm_file: a SentencePiece model for both sides; None means that pieces are words between white space.
        start: the piece that the decoder reads first.
        ends_source: whether the source ends with the end token.
    """

    source: Mapping[str, int]
    target: Mapping[str, int]
    special: Special
    spm_file: Path | None
    start: str
    ends_source: bool

    def __post_init__(self) -> None:
        wanted = {self.special.unknown, self.special.pad, self.special.end, self.start}
        missing = sorted(wanted - self.target.keys()) + sorted({self.special.unknown} - self.source.keys())
        if missing:
            raise ExportError(f"the vocabularies lack {', '.join(missing)}")

    @property
    def source_specials(self) -> set[str]:
        """Pieces of the source that no text becomes."""
        special = self.special
        return {special.unknown, special.pad, special.start, special.end} & self.source.keys()

    def tokenizers(self) -> dict[str, str]:
        """Both tokenizers' files."""
        if self.spm_file is not None:
            ids = {UNKNOWN if piece == self.special.unknown else piece: i for piece, i in self.source.items()}
            return {
                SOURCE_TOKENIZER: source_tokenizer(self.spm_file, ids),
                TARGET_TOKENIZER: target_tokenizer(self.target),
            }
        return {SOURCE_TOKENIZER: self._words(), TARGET_TOKENIZER: str(Tokenizer(self._model(self.target)).to_str())}

    def _words(self) -> str:
        """Splits at white space; special pieces get a name that no text has."""
        unreachable = self.source_specials - {self.special.unknown}
        ids = {f"{piece} " if piece in unreachable else piece: i for piece, i in self.source.items()}
        tokenizer = Tokenizer(self._model(ids))
        tokenizer.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
        return str(tokenizer.to_str())

    def _model(self, ids: Mapping[str, int]) -> models.WordLevel:
        return models.WordLevel(dict(ids), unk_token=self.special.unknown)

    def text_source(self) -> TextSource:
        suffix = (self.source[self.special.end],) if self.ends_source else ()
        return TextSource(tokenizer=SOURCE_TOKENIZER, suffix_ids=suffix)

    def text_target(self, vocab_size: int) -> Target:
        special = self.special
        specials = {self.target[piece] for piece in (special.unknown, special.pad, special.end, self.start)}
        if special.start in self.target:
            specials.add(self.target[special.start])
        return Target(
            tokenizer=TARGET_TOKENIZER,
            vocab_size=vocab_size,
            start_id=self.target[self.start],
            pad_id=self.target[special.pad],
            end_ids=(self.target[special.end],),
            special_ids=tuple(sorted(specials)),
        )


class VocabularyTexts:
    """Reads and writes text without the `tokenizers` library, for verification; for a `TextReference` to inherit."""

    def __init__(self, vocabularies: Vocabularies) -> None:
        self._vocabularies = vocabularies
        self.unknown_id: int | None = vocabularies.source[vocabularies.special.unknown]
        file = vocabularies.spm_file
        self._pieces = None if file is None else sentencepiece.SentencePieceProcessor(str(file))
        self._written = {i: piece for piece, i in vocabularies.target.items()}
        self._silent = set(vocabularies.text_target(len(vocabularies.target)).special_ids)

    def tokenize(self, text: str, key: str) -> list[int]:
        vocabularies = self._vocabularies
        unknown, specials = vocabularies.source[vocabularies.special.unknown], vocabularies.source_specials
        pieces = text.split() if self._pieces is None else self._pieces.encode(text, out_type=str)
        ids = [unknown if piece in specials else vocabularies.source.get(piece, unknown) for piece in pieces]
        return [*ids, *vocabularies.text_source().suffix_ids]

    def detokenize(self, ids: Sequence[int]) -> str:
        pieces = [self._written[i] for i in ids if i not in self._silent]
        return " ".join(pieces) if self._pieces is None else "".join(pieces).replace("\u2581", " ")
