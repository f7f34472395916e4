"""How the summarizer's recipe encodes and batches documents."""

import gzip
import json
import random
from pathlib import Path

import pytest
import torch

from regard_models.recipes.rouge import rouge
from regard_models.recipes.summaries import (
    Document,
    WordVocabulary,
    batches,
    collate,
    read_documents,
    without_repeats,
    without_unknowable,
)
from regard_models.recipes.tokenizer import END, PAD, START, UNKNOWN
from regard_models.recipes.word_vocabulary import build_tokenizer

STORY = Document("Acme buys Bolt. Bolt makes bolts.", "Acme to buy Bolt", "headline")


@pytest.fixture(scope="module")
def vocabulary() -> WordVocabulary:
    return WordVocabulary(build_tokenizer(["▁acme", "▁to", "▁buy", "."], ["<headline>", "<subject>"]))


def test_an_example_says_what_can_be_copied(vocabulary: WordVocabulary) -> None:
    example = vocabulary.example(STORY, max_source=100)
    ids = {piece: vocabulary.id(piece) for piece in ("<headline>", "▁acme", "▁to", "▁buy", ".", UNKNOWN, END)}
    unknown = ids[UNKNOWN]
    full_stop = ids["."]
    assert example.source == [
        ids["<headline>"], ids["▁acme"], unknown, unknown, full_stop, unknown, unknown, unknown, full_stop
    ]  # fmt: skip
    assert example.source_words == [0, 1, 2, 3, 4, 3, 6, 7, 4]
    assert example.labels == [ids["▁acme"], ids["▁to"], ids["▁buy"], unknown, ids[END]]
    assert example.copies == [1, -1, -1, 3, -1]


def test_sources_and_summaries_are_cut(vocabulary: WordVocabulary) -> None:
    example = vocabulary.example(STORY, max_source=3, max_target=2)
    assert len(example.source) == len(example.source_words) == 3
    assert len(example.labels) == 3
    assert example.labels[-1] == vocabulary.id(END)


def test_a_batch_pads_and_counts_what_can_be_learnt(vocabulary: WordVocabulary) -> None:
    short = Document("Acme rises.", "Nobody knows", "subject")
    batch = collate([vocabulary.example(d, max_source=100) for d in (STORY, short)], vocabulary)
    assert batch.source.shape == batch.source_words.shape == (2, 9)
    assert batch.source_mask.sum(1).tolist() == [9, 4]
    assert (batch.source[1, 4:] == vocabulary.id(PAD)).all()
    assert (batch.target[:, 0] == vocabulary.id(START)).all()
    torch.testing.assert_close(batch.target[0, 1:], batch.labels[0, :-1])
    # "nobody" and "knows" can be neither generated nor copied: only the end counts.
    assert batch.counts.tolist() == [[True] * 5, [False, False, True, False, False]]
    assert batch.num_tokens == 6


def test_batches_hold_every_example_once_within_their_size(vocabulary: WordVocabulary) -> None:
    rng = random.Random(0)
    documents = [Document("acme to buy " * rng.randint(1, 20), "acme", "subject") for _ in range(50)]
    examples = [vocabulary.example(d, max_source=40) for d in documents]
    found = list(batches(examples, vocabulary, max_tokens=200, rng=rng))
    assert sum(len(batch.source) for batch in found) == 50
    assert max(batch.source.numel() for batch in found) <= 200
    assert sum(int(batch.source_mask.sum()) for batch in found) == sum(len(e.source) for e in examples)


def test_repeats_and_held_out_texts_are_left_out() -> None:
    documents = [Document(text, f"summary {i}", "subject") for i, text in enumerate("abcab")]
    kept = without_repeats(documents, [Document("c", "other", "subject")])
    assert [document.summary for document in kept] == ["summary 0", "summary 1"]


def test_documents_are_read_by_style(tmp_path: Path) -> None:
    folder = tmp_path / "reuters21578_headlines"
    folder.mkdir()
    with gzip.open(folder / "dev.jsonl.gz", "wt", encoding="utf-8") as lines:
        lines.write(json.dumps({"id": 1, "body": "Text.", "headline": "TITLE", "topics": []}) + "\n")
    assert read_documents(tmp_path, "headline", "dev") == [Document("Text.", "TITLE", "headline")]


def test_rouge_ignores_case() -> None:
    scores = rouge(["acme to buy", "x"], ["ACME TO SELL", "y"])
    assert scores["rouge1"] == pytest.approx(100 * (2 / 3) / 2)
    assert scores["rouge2"] == pytest.approx(25)
    assert scores["rougeL"] == pytest.approx(100 * (2 / 3) / 2)


def test_tickers_that_no_story_tells_are_left_out() -> None:
    story = Document("Acme said so. Bolt <BLT> agreed.", "ACME <ACM> SAYS SO, BOLT <BLT> AGREES", "headline")
    assert without_unknowable(story).summary == "ACME SAYS SO, BOLT <BLT> AGREES"
