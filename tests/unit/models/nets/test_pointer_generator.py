"""The pointer-generator network: its distribution, its independence of padding, and that it learns to copy."""

import pytest
import torch
from torch import Tensor

from regard_models.nets.pointer_generator import (
    PointerGeneratorConfig,
    PointerGeneratorNetwork,
    load_network,
    reversed_rows,
)

UNKNOWN, END, NUM_SPECIAL = 3, 2, 5
CONFIG = PointerGeneratorConfig(
    vocab_size=20,
    embedding_width=16,
    encoder_width=12,
    decoder_width=20,
    attention_width=8,
    num_special=NUM_SPECIAL,
    unknown_id=UNKNOWN,
    end_id=END,
)
SOURCE = torch.tensor([[4, 7, 3, 9, 7, 3, 3, 8], [4, 3, 6, 6, 3, 0, 0, 0]])
WORDS = torch.tensor([[0, 1, 2, 3, 1, 5, 2, 7], [0, 1, 2, 2, 1, 5, 6, 7]])
MASK = torch.tensor([[True] * 8, [True] * 5 + [False] * 3])
TARGET = torch.tensor([[1, 7, 3, 9], [1, 6, 6, 12]])


@pytest.fixture
def net() -> PointerGeneratorNetwork:
    torch.manual_seed(0)
    net = PointerGeneratorNetwork(CONFIG).eval()
    for parameter in net.parameters():
        torch.nn.init.normal_(parameter, std=0.4)
    with torch.no_grad():  # never generated, so that the distribution equals that of generating alone
        net.head.bias[[0, 1, 3, 4]] = -1e4
    return net


def test_the_distribution_sums_to_one_and_gives_each_word_one_id(net: PointerGeneratorNetwork) -> None:
    decoded = net.decode(TARGET, net.encode(SOURCE, MASK))
    log_probs = net.distribution(decoded, SOURCE, WORDS)
    assert log_probs.shape == (2, 4, CONFIG.vocab_size + 8)
    torch.testing.assert_close(log_probs.exp().sum(-1), torch.ones(2, 4))
    said, copied = log_probs.split([CONFIG.vocab_size, 8], dim=-1)
    assert torch.isneginf(said[..., [0, 1, 3, 4]]).all()
    first_of_unknown = [[2, 5], [1]]
    for row, known in enumerate([{7: 1, 9: 3, 8: 7}, {6: 2}]):
        for word, position in known.items():
            both = torch.isfinite(said[row, :, word]).int() + torch.isfinite(copied[row, :, position]).int()
            assert (both == 1).all()
        finite = torch.isfinite(copied[row]).any(0).nonzero()[:, 0].tolist()
        assert set(first_of_unknown[row]) <= set(finite) <= {*known.values(), *first_of_unknown[row]}


def test_labels_get_what_the_distribution_says(net: PointerGeneratorNetwork) -> None:
    decoded = net.decode(TARGET, net.encode(SOURCE, MASK))
    log_probs = net.distribution(decoded, SOURCE, WORDS)
    labels = torch.tensor([[7, UNKNOWN, 12, END], [6, 6, UNKNOWN, END]])
    copies = torch.tensor([[1, 5, -1, -1], [2, 2, 1, -1]])
    actual = net.label_log_probs(decoded, labels, SOURCE, WORDS, copies)
    said = log_probs.gather(-1, labels[..., None])[..., 0]
    copied = log_probs.gather(-1, CONFIG.vocab_size + copies.clamp_min(0)[..., None])[..., 0]
    expected = torch.logaddexp(said, copied.masked_fill(copies < 0, -torch.inf))
    torch.testing.assert_close(actual, expected)


def test_padding_changes_nothing(net: PointerGeneratorNetwork) -> None:
    together = net.decode(TARGET, net.encode(SOURCE, MASK))
    alone = net.decode(TARGET[1:], net.encode(SOURCE[1:, :5], MASK[1:, :5]))
    torch.testing.assert_close(together.weights[1:, :, :5], alone.weights)
    assert not together.weights[1, :, 5:].any()
    torch.testing.assert_close(
        net.distribution(together, SOURCE, WORDS)[1, :, : CONFIG.vocab_size],
        net.distribution(alone, SOURCE[1:, :5], WORDS[1:, :5])[0, :, : CONFIG.vocab_size],
    )


def test_rows_are_reversed_within_their_length() -> None:
    x = torch.arange(8.0).reshape(2, 4, 1)
    mask = torch.tensor([[True, True, True, True], [True, True, False, False]])
    assert reversed_rows(x, mask)[..., 0].tolist() == [[3, 2, 1, 0], [5, 4, 6, 7]]


def test_weights_that_do_not_fit_are_named() -> None:
    weights = dict(PointerGeneratorNetwork(CONFIG).state_dict())
    del weights["head.weight"], weights["first_cell.bias"]
    with pytest.raises(RuntimeError, match=r"first_cell\.bias"):
        load_network(CONFIG.to_json(), weights)


def _marked_words(num_rows: int, generator: torch.Generator) -> tuple[Tensor, Tensor, Tensor]:
    """Makes sources of unknown words, one of them after a marker; returns the position of the word to copy."""
    source = torch.full((num_rows, 7), UNKNOWN)
    source[:, 0] = 4
    marker = torch.randint(1, 6, (num_rows,), generator=generator)
    source[torch.arange(num_rows), marker] = 9
    return source, torch.arange(7).expand(num_rows, -1), marker + 1


def test_it_learns_to_copy_words_that_it_does_not_know() -> None:
    torch.manual_seed(0)
    generator = torch.Generator().manual_seed(1)
    net = PointerGeneratorNetwork(CONFIG)
    optimizer = torch.optim.Adam(net.parameters(), 0.01)
    start, unknown = torch.ones(32, 1, dtype=torch.int64), torch.full((32, 1), UNKNOWN)
    for _ in range(150):
        source, words, copies = _marked_words(32, generator)
        decoded = net.decode(start, net.encode(source, torch.ones_like(source, dtype=torch.bool)))
        loss = -net.label_log_probs(decoded, unknown, source, words, copies[:, None]).mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    source, words, copies = _marked_words(32, generator)
    decoded = net.decode(start, net.encode(source, torch.ones_like(source, dtype=torch.bool)))
    best = net.distribution(decoded, source, words)[:, 0].argmax(-1)
    assert (best == CONFIG.vocab_size + copies).float().mean() > 0.95
