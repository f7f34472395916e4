"""Links of words become links of pieces, at the steps that read them; their loss pulls attention there."""

import random

import torch

from regard_models.recipes.everyday import guided_loss
from regard_models.recipes.guided_batches import guided_batches, guided_examples
from regard_models.recipes.pairs import Pair
from regard_models.recipes.tokenizer import train_tokenizer

PAIRS = [
    Pair("the houses", "die Häuser.", "de", ((0, 0), (1, 1))),
    Pair("a man", "ein Mann", "de"),
    Pair("café 12", "12 Café", "de", ((0, 1), (1, 0))),
]
TOKENIZER = train_tokenizer(
    [text for pair in PAIRS for text in (pair.source, pair.target)], vocab_size=300, language_tokens=["<de>"]
)


def test_every_piece_of_a_word_is_linked_to_every_piece_of_its_translation() -> None:
    for pair, example in zip(PAIRS, guided_examples(PAIRS, TOKENIZER), strict=True):
        source = ["<de>", *TOKENIZER.encode(pair.source).tokens, "</s>"]
        target = [*TOKENIZER.encode(pair.target).tokens, "</s>"]
        assert (len(example.source), len(example.target)) == (len(source), len(target))
        assert bool(len(example.links)) == bool(pair.links)
    (_, _, numbers) = guided_examples(PAIRS, TOKENIZER)
    pieces = {(target[t], source[s]) for t, s in numbers.links.tolist()}
    assert ("1", "1") in pieces
    assert ("é", "é") in pieces or ("fé", "fé") in pieces or any("é" in a and "é" in b for a, b in pieces)
    assert not any(("é" in a) != ("é" in b) and a in "12" for a, b in pieces)


def test_a_batch_links_the_step_that_reads_a_piece() -> None:
    examples = guided_examples(PAIRS, TOKENIZER)
    (make,) = guided_batches(examples, TOKENIZER, max_tokens=1000, rng=random.Random(0))
    batch = make()
    order = {tuple(e.source): e for e in examples}
    for row in range(3):
        source = batch.source[row][batch.source_mask[row]].tolist()
        example = order[tuple(source)]
        links = {(int(t) - 1, int(s)) for t, s in batch.linked[row].nonzero()}
        assert links == {(int(t), int(s)) for t, s in example.links}
        for t, _ in links:
            assert batch.target[row, t + 1] == example.target[t]


def test_batches_hold_every_example_once_within_the_limit() -> None:
    examples = guided_examples(PAIRS * 20, TOKENIZER)
    made = [make() for make in guided_batches(examples, TOKENIZER, max_tokens=40, rng=random.Random(0))]
    assert sum(len(batch.source) for batch in made) == 60
    assert all(max(batch.source.numel(), batch.labels.numel()) <= 40 for batch in made)


def test_the_loss_is_the_missing_attention_on_linked_tokens() -> None:
    linked = torch.tensor([[[False, True, True], [False, False, False], [True, False, False]]])
    attention = torch.tensor([[[0.5, 0.25, 0.25], [1.0, 0.0, 0.0], [0.25, 0.5, 0.25]]], requires_grad=True)
    loss = guided_loss(attention, linked)
    torch.testing.assert_close(loss.item(), -(torch.tensor([0.5, 0.25]) + 1e-6).log().mean().item())
    loss.backward()
    assert attention.grad is not None
    assert (attention.grad[~linked] == 0).all()
    assert (attention.grad[linked] < 0).all()
    assert guided_loss(attention, torch.zeros_like(linked)).item() == 0
