"""Reads, encodes and batches the documents and summaries of the summarizer's recipe."""

import gzip
import json
import random
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from tokenizers import Tokenizer
from torch import Tensor

from regard_models.recipes.tokenizer import END, PAD, START, UNKNOWN
from regard_models.recipes.word_vocabulary import words


@dataclass(frozen=True)
class Document:
    """A text, its summary, and the summary's style: "subject" or "headline"."""

    text: str
    summary: str
    style: str


@dataclass(frozen=True)
class Collection:
    """The folder of one style's documents: files `SPLIT.jsonl.gz` with one object per line, "body" and summary."""

    folder: str
    summary: str


STYLES = {
    "subject": Collection("aeslc", "subject"),
    "headline": Collection("reuters21578_headlines", "headline"),
}


def read_documents(data: Path, style: str, split: str) -> list[Document]:
    """Reads the documents of a style from the parent folder of its collection."""
    collection = STYLES[style]
    with gzip.open(data / collection.folder / f"{split}.jsonl.gz", "rt", encoding="utf-8") as lines:
        return [Document(row["body"], row[collection.summary], style) for row in map(json.loads, lines)]


TICKER = re.compile(r"\s*<([^<>]*)>")


def without_unknowable(document: Document) -> Document:
    """Removes stock tickers from a headline, as in "ACME <ACM> NET", if the story does not contain them.

    Otherwise a model would learn to guess them.
    """

    def if_in_text(ticker: re.Match[str]) -> str:
        return ticker[0] if ticker[0].strip().lower() in document.text.lower() else ""

    return replace(document, summary=TICKER.sub(if_in_text, document.summary))


def without_repeats(documents: Sequence[Document], held_out: Sequence[Document]) -> list[Document]:
    """The documents whose text occurs in no earlier and no held-out document."""
    seen, kept = {document.text for document in held_out}, []
    for document in documents:
        if document.text not in seen:
            seen.add(document.text)
            kept.append(document)
    return kept


@dataclass(frozen=True)
class Example:
    """One document as ids.

    Attributes:
        source: the style's token, then the text's words.
        source_words: for each entry of `source`, the position of the first token of the same word.
        labels: the summary's words, including unknown ones, and the end token.
        copies: for each label, the position of its first occurrence in `source`; -1 without one.
    """

    source: list[int]
    source_words: list[int]
    labels: list[int]
    copies: list[int]


@dataclass(frozen=True)
class WordVocabulary:
    """A tokenizer of words, which encodes documents."""

    tokenizer: Tokenizer

    def id(self, piece: str) -> int:
        """The id of a piece.

        Raises:
            ValueError: the tokenizer lacks the piece.
        """
        token_id = self.tokenizer.token_to_id(piece)
        if token_id is None:
            raise ValueError(f"the tokenizer has no piece {piece!r}")
        return int(token_id)

    def example(self, document: Document, *, max_source: int, max_target: int = 1000) -> Example:
        """Encodes a document, truncated to `max_source` tokens, including the style's, and `max_target` words."""
        unknown_id = self.id(UNKNOWN)
        read = [f"<{document.style}>", *words(self.tokenizer, document.text)[: max_source - 1]]
        first: dict[str, int] = {}
        for position, word in enumerate(read):
            # The style's token is no word: a text may contain "<headline>", but not as one piece.
            first.setdefault(word, position)
        said = words(self.tokenizer, document.summary)[:max_target]

        def ids(pieces: list[str]) -> list[int]:
            found = (self.tokenizer.token_to_id(piece) for piece in pieces)
            return [unknown_id if i is None else i for i in found]

        return Example(
            source=ids(read),
            source_words=[first[word] for word in read],
            labels=[*ids(said), self.id(END)],
            copies=[*(first.get(word, -1) for word in said), -1],
        )


@dataclass(frozen=True)
class SummaryBatch:
    """Padded examples.

    Attributes:
        source: int64 [batch, source]; source_mask: bool [batch, source], False on padding.
        source_words: int64 [batch, source], -2 on padding.
        target: int64 [batch, target], start token first.
        labels, copies: int64 [batch, target].
        counts: bool [batch, target]; False on padding and for labels that can be neither generated nor copied.
    """

    source: Tensor
    source_mask: Tensor
    source_words: Tensor
    target: Tensor
    labels: Tensor
    copies: Tensor
    counts: Tensor

    @property
    def num_tokens(self) -> int:
        """Number of labels that count."""
        return int(self.counts.sum())

    def to(self, device: str) -> "SummaryBatch":
        """A copy on a device."""
        return SummaryBatch(*(getattr(self, name).to(device) for name in self.__dataclass_fields__))


def collate(examples: Sequence[Example], vocabulary: WordVocabulary) -> SummaryBatch:
    """Pads examples to one batch; the target is the labels shifted right by the start token."""
    pad_id, start_id, unknown_id = (vocabulary.id(piece) for piece in (PAD, START, UNKNOWN))
    source = _padded([e.source for e in examples], pad_id)
    labels = _padded([e.labels for e in examples], pad_id)
    copies = _padded([e.copies for e in examples], -1)
    target = np.concatenate([np.full((len(examples), 1), start_id), labels[:, :-1]], axis=1)
    arrays = (
        source,
        _present([e.source for e in examples]),
        _padded([e.source_words for e in examples], -2),
        target,
        labels,
        copies,
        _present([e.labels for e in examples]) & ((labels != unknown_id) | (copies >= 0)),
    )
    return SummaryBatch(*map(torch.from_numpy, arrays))


def batches(
    examples: Sequence[Example], vocabulary: WordVocabulary, *, max_tokens: int, rng: random.Random
) -> Iterator[SummaryBatch]:
    """Yields one epoch of batches of similar lengths in random order, with up to `max_tokens` padded source tokens."""

    def length(i: int) -> tuple[int, int, float]:
        return len(examples[i].source) // 10, len(examples[i].labels), rng.random()

    order = sorted(range(len(examples)), key=length)
    groups: list[list[int]] = [[]]
    longest = 0
    for i in order:
        longest = max(longest, len(examples[i].source))
        if groups[-1] and longest * (len(groups[-1]) + 1) > max_tokens:
            groups.append([])
            longest = len(examples[i].source)
        groups[-1].append(i)
    rng.shuffle(groups)
    for group in groups:
        yield collate([examples[i] for i in group], vocabulary)


def _padded(rows: Sequence[list[int]], value: int) -> np.ndarray:
    padded = np.full((len(rows), max(map(len, rows))), value, np.int64)
    for row, values in zip(padded, rows, strict=True):
        row[: len(values)] = values
    return padded


def _present(rows: Sequence[list[int]]) -> np.ndarray:
    lengths = np.array([[len(row)] for row in rows])
    present: np.ndarray = np.arange(lengths.max()) < lengths
    return present
