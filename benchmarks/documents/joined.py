"""Documents of joined sentences: how many sentences go in, how many come out, and whether they are the same."""

from collections.abc import Sequence
from dataclasses import dataclass
from random import Random

import sacrebleu

import regard

SIZES = (2, 3, 5, 8, 15, 24, 48)  # sentences of a document
NUM_DOCUMENTS = 20  # of each size


@dataclass(frozen=True)
class JoinedOutcome:
    """What became of the sentences of documents of one size.

    Attributes:
        num_found: sentences that are a segment of their own.
        num_same: sentences whose translation is that of the sentence alone.
        num_empty: segments that come out empty.
        bleu, bleu_alone: of the documents, and of the sentences' own translations joined.
    """

    size: int
    num_sentences: int
    num_found: int
    num_same: int
    num_empty: int
    bleu: float
    bleu_alone: float


def measure_joined(
    client: regard.Client, sources: Sequence[str], references: Sequence[str], model: str, to: str, seed: int
) -> list[JoinedOutcome]:
    """Translates documents of joined sentences, and the sentences alone."""
    alone = _translations(client, sources, model, to)
    random = Random(seed)
    return [_outcome(client, size, sources, references, alone, model, to, random) for size in SIZES]


def _outcome(
    client: regard.Client,
    size: int,
    sources: Sequence[str],
    references: Sequence[str],
    alone: Sequence[str],
    model: str,
    to: str,
    random: Random,
) -> JoinedOutcome:
    chosen = [random.sample(range(len(sources)), size) for _ in range(NUM_DOCUMENTS)]
    texts = [" ".join(sources[index] for index in document) for document in chosen]
    results = client.translate(texts, to, model=model, timeout=600)
    num_found = num_same = num_empty = 0
    for document, text, result in zip(chosen, texts, results, strict=True):
        made = _by_source(text, result)
        num_empty += sum(not target.strip() for target in made.values())
        position = 0
        for index in document:
            span = (position, position + len(sources[index]))
            found = [target for (start, end), target in made.items() if span[0] <= start and end <= span[1]]
            num_found += bool(found) and all(start >= span[1] or end <= span[1] for start, end in made)
            num_same += " ".join(found) == alone[index]
            position = span[1] + 1
    joined = [" ".join(alone[index] for index in document) for document in chosen]
    expected = [" ".join(references[index] for index in document) for document in chosen]
    return JoinedOutcome(
        size,
        size * NUM_DOCUMENTS,
        num_found,
        num_same,
        num_empty,
        sacrebleu.corpus_bleu([result.text for result in results], [expected]).score,
        sacrebleu.corpus_bleu(joined, [expected]).score,
    )


def _by_source(text: str, result: regard.Result) -> dict[tuple[int, int], str]:
    """The output of each segment by its place in the text."""
    return {
        (each.source.start, each.source.end): result.text[each.target.start : each.target.end]
        for each in result.segments
    }


def _translations(client: regard.Client, texts: Sequence[str], model: str, to: str) -> list[str]:
    found: list[str] = []
    for start in range(0, len(texts), 100):
        found += [r.text for r in client.translate(list(texts[start : start + 100]), to, model=model, timeout=600)]
    return found
