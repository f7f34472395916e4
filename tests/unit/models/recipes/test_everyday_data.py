"""The stream of `everyday`: a function of its seed and of the batch's number."""

from itertools import islice

import pytest
import torch

from regard_models.recipes import everyday_data
from regard_models.recipes.everyday_data import LANGUAGES, Corpus, Mixture, Stream
from regard_models.recipes.pairs import Pair
from regard_models.recipes.tokenizer import train_tokenizer

SENTENCES = [
    Pair(f"Tom has {n} books.", f"Tom {word} {n}.", code, ((0, 0), (1, 1)))
    for n in range(30)
    for code, word in zip(LANGUAGES, ("hat", "a", "tiene"), strict=True)
]
HELP = [Pair(f"Click button {n}.", f"{word} {n}.", code) for n in range(9) for code, word in zip(LANGUAGES, "abc")]  # noqa: B905


@pytest.fixture
def stream(monkeypatch: pytest.MonkeyPatch) -> Stream:
    monkeypatch.setattr(everyday_data, "CHUNK", 100)
    tokenizer = train_tokenizer(
        [text for pair in SENTENCES + HELP for text in (pair.source, pair.target)],
        vocab_size=360,
        language_tokens=[f"<{code}>" for code in LANGUAGES],
    )
    return Stream(Mixture(SENTENCES, HELP, seed=1), tokenizer, max_tokens=300)


def test_a_stream_that_starts_at_a_batch_goes_on_as_the_whole_one(stream: Stream) -> None:
    whole = list(islice(stream(0), 40))
    for first in (1, 7, 25):
        later = list(islice(stream(first), 40 - first))
        for one, other in zip(whole[first:], later, strict=True):
            assert all(torch.equal(a, b) for a, b in zip(vars(one).values(), vars(other).values(), strict=True))


def test_chunks_differ_and_hold_all_kinds(stream: Stream) -> None:
    first, second = stream.mixture.chunk(0), stream.mixture.chunk(1)
    assert [pair.source for pair in first] != [pair.source for pair in second]
    assert first == stream.mixture.chunk(0)
    texts = [pair.source for number in range(10) for pair in stream.mixture.chunk(number)]
    assert any("click button" in text.lower() for text in texts)
    assert any(text.isupper() for text in texts)
    assert any("$" in text or "€" in text for text in texts)
    assert sum("Tom" in text for text in texts) < sum("books" in text for text in texts)


def test_a_corpus_gives_every_pair_once_before_it_repeats_one() -> None:
    corpus = Corpus(SENTENCES, seed=3)
    passes = [[corpus.at(start + offset) for offset in range(90)] for start in (0, 90)]
    assert all(sorted(map(str, each)) == sorted(map(str, SENTENCES)) for each in passes)
    assert passes[0] != passes[1]
    assert corpus.at(5) == passes[0][5]
