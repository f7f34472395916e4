"""Texts of Argos Translate's older packages: Moses' tokens (sacremoses) and subword-nmt's pieces (`bpe.model`)."""

import importlib
import importlib.util
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

from regard_export.errors import ExportError
from regard_export.families.toolkits.vocabularies import Vocabularies
from regard_service.bundle import Target, TextSource

CODES_FILE = "bpe.model"
SEPARATOR, END = "@@", "</w>"
VERSIONS = {"": "0.1", "0.1": "0.1", "0.2": "0.2"}  # by the first line, which old files lack
MAX_CODES_BYTES, MAX_LINE_CHARACTERS = 2**26, 1000  # files of 32,000 pairs have half a megabyte
READING, WRITING, GIVEN = "source.moses.json", "target.moses.json", "given_target.moses.json"
INSTALL = (
    "its texts are tokens of Moses, whose rules of each language sacremoses holds: pip install sacremoses, then export "
    "again; the server needs no sacremoses"
)
DUMMY = "x"  # a word behind a Czech text


@dataclass(frozen=True)
class Codes:
    """The content of a `bpe.model`: pairs in the order in which they are merged, and the version of their form."""

    pairs: tuple[tuple[str, str], ...]
    version: str


def read_codes(file: Path) -> Codes:
    """Reads a file of subword-nmt's learn_bpe.py.

    Raises:
        ExportError: it is another file, or damaged; the line is named.
    """
    if file.stat().st_size > MAX_CODES_BYTES:
        raise ExportError(f"{file} has {file.stat().st_size} bytes; at most {MAX_CODES_BYTES} are read")
    try:
        lines = file.read_text(encoding="utf-8-sig").split("\n")
    except ValueError as error:
        raise ExportError(f"{file} is no text in UTF-8: {error}") from error
    if lines and not lines[-1]:
        lines.pop()
    has_version = bool(lines) and lines[0].startswith("#version:")
    version = lines.pop(0).removeprefix("#version:").strip() if has_version else ""
    if version not in VERSIONS:
        raise ExportError(f"{file} has version {version[:20]!r} of subword-nmt; known are 0.1 and 0.2")
    if not lines:
        raise ExportError(f"{file} has no pairs of subword-nmt")
    return Codes(tuple(_pairs(file, lines, 1 + has_version)), VERSIONS[version])


def _pairs(file: Path, lines: Iterable[str], first: int) -> Iterator[tuple[str, str]]:
    for number, line in enumerate(lines, first):
        parts = line.strip("\r ").split(" ")
        if len(parts) != 2 or not all(parts) or len(line) > MAX_LINE_CHARACTERS:
            raise ExportError(f"{file}, line {number} is no pair of subword-nmt: {line[:40]!r}")
        yield parts[0], parts[1]


@dataclass(frozen=True)
class SubwordVocabularies(Vocabularies):
    """Vocabularies of subword-nmt's pieces.

    Attributes:
        codes: how words become pieces.
        languages: the codes of source and target, as Argos hands them to sacremoses.
    """

    codes: Codes = Codes((), "0.2")
    languages: tuple[str, str] = ("en", "en")

    def __post_init__(self) -> None:
        super().__post_init__()
        texts = [piece for piece in {*self.source, *self.target} if not piece.startswith("<")]
        spaced = [piece for piece in texts if piece.split() != [piece]]
        if spaced:
            raise ExportError(f"the vocabulary has pieces with white space, which subword-nmt has not: {spaced[0]!r}")

    def tokenizers(self) -> dict[str, str]:
        """The tokenizers' contents by file name."""
        moses, (source, target) = _moses(), self.languages
        return {
            READING: self._tokenizer(self.source, reading_tables(moses, source)),
            WRITING: self._tokenizer(self.target, writing_tables(moses, target)),
            GIVEN: self._tokenizer(self.target, reading_tables(moses, target)),
        }

    def _tokenizer(self, ids: Mapping[str, int], tables: Mapping[str, Any]) -> str:
        special = self.special
        content = {
            "type": "moses",
            "version": self.codes.version,
            "tables": tables,
            "merges": self.codes.pairs,
            "unknown": special.unknown,
            "special": sorted({special.unknown, special.pad, special.start, special.end, self.start}),
            "pieces": list(ids),
        }
        return json.dumps(content, ensure_ascii=False)

    def reference(self) -> "SubwordText":
        """See `Vocabularies`."""
        return SubwordText(self)

    def text_source(self) -> TextSource:
        """The encoder's input."""
        return super().text_source().model_copy(update={"tokenizer": READING})

    def text_target(self, vocab_size: int) -> Target:
        """The decoder's output."""
        update = {"tokenizer": WRITING, "reading_tokenizer": GIVEN}
        return super().text_target(vocab_size).model_copy(update=update)


def reading_tables(moses: Any, language: str) -> dict[str, Any]:
    """What a server's tokenizer looks up (`regard_service.text.moses.tables`), out of sacremoses' tokenizer."""
    tokenizer = moses.MosesTokenizer(language)
    numbers = set(tokenizer.NUMERIC_ONLY_PREFIXES)
    return {
        "language": language,
        "abbreviations": sorted({*tokenizer.NONBREAKING_PREFIXES} - numbers),
        "before_numbers": sorted(numbers),
        "classes": _classes(tokenizer, tokenizer),
    }


def writing_tables(moses: Any, language: str) -> dict[str, Any]:
    """The same out of sacremoses' detokenizer."""
    classes = _classes(moses.MosesTokenizer(language), moses.MosesDetokenizer(language))
    return {"language": language, "abbreviations": [], "before_numbers": [], "classes": classes}


def _classes(tokenizer: Any, letters: Any) -> dict[str, list[list[int]]]:
    return {
        "alphanumeric": _ranges(tokenizer.IsAlnum),
        "alphabetic": _ranges(letters.IsAlpha),
        "numeric": _ranges(tokenizer.IsN),
        "lower": _ranges(tokenizer.IsLower),
        "currency": _ranges(tokenizer.IsSc),
    }


def _ranges(characters: str) -> list[list[int]]:
    """Characters as ranges of code points, each with its last one."""
    points = sorted(set(map(ord, characters)))
    cuts = [index for index, (one, two) in enumerate(pairwise(points), 1) if two != one + 1]
    return [[points[i], points[j - 1]] for i, j in pairwise([0, *cuts, len(points)])]


def _moses() -> Any:
    if importlib.util.find_spec("sacremoses") is None:
        raise ExportError(f"{CODES_FILE}: {INSTALL}")
    return importlib.import_module("sacremoses")


class SubwordText:
    """Reads and writes texts with sacremoses and plain merges, for verification."""

    def __init__(self, vocabularies: SubwordVocabularies) -> None:
        moses, (source, target) = _moses(), vocabularies.languages
        self._normalizer, self._tokenizer = moses.MosesPunctNormalizer(source), moses.MosesTokenizer(source)
        self._detokenizer, self._is_czech = moses.MosesDetokenizer(target), target == "cs"
        self._ranks = {pair: rank for rank, pair in reversed([*enumerate(vocabularies.codes.pairs)])}
        self._has_own_end = vocabularies.codes.version == "0.1"

    def pieces(self, text: str) -> list[str]:
        """The pieces of a text."""
        words = self._tokenizer.tokenize(self._normalizer.normalize(text))
        return [piece for word in words for piece in self._spelled(word)]

    def _spelled(self, word: str) -> Iterator[str]:
        symbols = [*word, END] if self._has_own_end else [*word[:-1], word[-1] + END]
        while True:
            ranked = [(self._ranks[pair], pair) for pair in pairwise(symbols) if pair in self._ranks]
            if not ranked:
                break
            symbols = [*_merged(symbols, min(ranked)[1])]
        symbols[-1] = symbols[-1].replace(END, "")
        *first, last = [symbol for symbol in symbols if symbol]
        return iter([*(piece + SEPARATOR for piece in first), last])

    def text(self, pieces: Sequence[str]) -> str:
        """The text of pieces. The last word, and one before a piece that is no text, is written as far as it goes.

        sacremoses takes the last word of a Czech text for the word before each number; with another one behind it, it
        does not.
        """
        words = (" ".join(pieces) + " ").replace(f"{SEPARATOR} ", "").split()
        if not self._is_czech:
            return str(self._detokenizer.detokenize(words))
        return str(self._detokenizer.detokenize([*words, DUMMY])).removesuffix(DUMMY).strip()


def _merged(symbols: Sequence[str], pair: tuple[str, str]) -> Iterator[str]:
    """A word's symbols, with a pair merged wherever it stands, from left to right."""
    place = 0
    while place < len(symbols):
        is_pair = tuple(symbols[place : place + 2]) == pair
        yield "".join(pair) if is_pair else symbols[place]
        place += 1 + is_pair
