"""The training data of `everyday`: an endless stream of batches, which depends on a seed and nothing else.

A chunk draws pairs from each corpus by its share, varies them, and makes batches of similar lengths. So a training that
continues at a step finds the batches that it would have found without the interruption.
"""

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from tokenizers import Tokenizer

from regard_models.recipes.corpus import vary_names
from regard_models.recipes.entries import entry
from regard_models.recipes.figures import copied_span, sentence
from regard_models.recipes.guided_batches import GuidedBatch, GuidedExample, guided_batches, guided_examples
from regard_models.recipes.pairs import Pair, read_pairs
from regard_models.recipes.variations import (
    Weighted,
    doubled_final_mark,
    join,
    lower_source,
    replace_word,
    title_source,
    upper,
    without_final_mark,
)

LANGUAGES = ("de", "fr", "es")
CHUNK = 16384  # examples
MAX_PIECES = 120  # of a side

# Shares of a chunk's examples. Help texts are long: their share of the tokens is twice that of the examples.
TATOEBA, HELP, FIGURES, ENTRIES, JOINED = 0.62, 0.16, 0.12, 0.03, 0.07

VARIED_SENTENCE = Weighted(
    (
        (without_final_mark, 0.13),
        (upper, 0.09),
        (lower_source, 0.07),
        (title_source, 0.02),
        (doubled_final_mark, 0.03),
        (lambda pair, rng: upper(without_final_mark(pair, rng), rng), 0.02),
        (lambda pair, rng: lower_source(without_final_mark(pair, rng), rng), 0.03),
    )
)
VARIED_HELP = Weighted(((upper, 0.04), (lower_source, 0.04), (without_final_mark, 0.04), (title_source, 0.02)))


def read_help(folder: Path, split: str, language: str) -> list[Pair]:
    """Reads the pairs of lines in `SPLIT.en-XX.en.gz` and `SPLIT.en-XX.XX.gz`: paragraphs of LibreOffice's help."""
    return read_pairs(folder, f"{split}.en-{language}", language)


class Corpus:
    """Pairs in an order that a seed gives; each pass over them has another order."""

    def __init__(self, pairs: Sequence[Pair], seed: int) -> None:
        self._pairs = pairs
        self._seed = seed
        self._order: tuple[int, list[int]] = (-1, [])

    def at(self, position: int) -> Pair:
        """The pair at a position of the endless sequence."""
        cycle, offset = divmod(position, len(self._pairs))
        if self._order[0] != cycle:
            order = list(range(len(self._pairs)))
            random.Random(f"{self._seed} {cycle}").shuffle(order)
            self._order = (cycle, order)
        return self._pairs[self._order[1][offset]]


@dataclass(frozen=True)
class Mixture:
    """The corpora, and how chunks are drawn from them.

    Attributes:
        tatoeba: everyday sentences of all languages; help: paragraphs of LibreOffice's help.
    """

    tatoeba: Sequence[Pair]
    help: Sequence[Pair]
    seed: int

    @cached_property
    def _tatoeba(self) -> Corpus:
        return Corpus(self.tatoeba, self.seed)

    @cached_property
    def _help(self) -> Corpus:
        return Corpus(self.help, self.seed)

    def chunk(self, number: int) -> list[Pair]:
        """The pairs of a chunk, varied."""
        rng = random.Random(f"{self.seed} chunk {number}")
        counts = [int(share * CHUNK) for share in (TATOEBA, HELP, FIGURES, ENTRIES, JOINED)]
        sentences = [self._sentence(number * counts[0] + offset, rng) for offset in range(counts[0])]
        pairs = [VARIED_SENTENCE(pair, rng) for pair in sentences]
        pairs += [VARIED_HELP(self._help.at(number * counts[1] + offset), rng) for offset in range(counts[1])]
        pairs += [VARIED_SENTENCE(sentence(rng.choice(LANGUAGES), rng), rng) for _ in range(counts[2])]
        pairs += [VARIED_SENTENCE(entry(rng.choice(LANGUAGES), rng), rng) for _ in range(counts[3])]
        by_language = {code: [pair for pair in sentences if pair.language == code] for code in LANGUAGES}
        pairs += [_joined(by_language, rng) for _ in range(counts[4])]
        return pairs

    def _sentence(self, position: int, rng: random.Random) -> Pair:
        pair = self._tatoeba.at(position)
        if rng.random() < 0.2:
            copied = replace_word(pair, "Tom", copied_span(rng))
            if copied is not pair:
                return copied
        return vary_names(pair, rng)


def _joined(by_language: dict[str, list[Pair]], rng: random.Random) -> Pair:
    """Two to six sentences, fewer more often; some are sentences with figures, some entries."""
    language = rng.choice(LANGUAGES)
    parts = []
    for _ in range(rng.choice((2, 2, 2, 3, 3, 4, 5, 6))):
        draw = rng.random()
        if draw < 0.12:
            parts.append(sentence(language, rng))
        elif draw < 0.18:
            parts.append(entry(language, rng))
        else:
            parts.append(rng.choice(by_language[language]))
    joined = join(parts)
    draw = rng.random()
    return upper(joined, rng) if draw < 0.06 else lower_source(joined, rng) if draw < 0.12 else joined


@dataclass(frozen=True)
class Stream:
    """The endless batches of a mixture.

    Attributes:
        max_tokens: maximum number of padded target (or source) tokens per batch.
    """

    mixture: Mixture
    tokenizer: Tokenizer
    max_tokens: int

    def __call__(self, first_batch: int) -> Iterator[GuidedBatch]:
        """Yields the batches from this number on."""
        number = 0
        while True:
            examples = self._examples(number)
            rng = random.Random(f"{self.mixture.seed} batches {number}")
            for batch in guided_batches(examples, self.tokenizer, max_tokens=self.max_tokens, rng=rng):
                if first_batch > 0:
                    first_batch -= 1
                else:
                    yield batch()
            number += 1

    def _examples(self, number: int) -> list[GuidedExample]:
        examples = guided_examples(self.mixture.chunk(number), self.tokenizer)
        return [e for e in examples if max(len(e.source), len(e.target)) <= MAX_PIECES]
