"""The choice of alignment heads by IBM Model 1, and the model itself."""

from pathlib import Path

import numpy as np
import pytest

from regard_export.examples.dev_sets import DevExample
from regard_export.examples.sentences import EXAMPLE_SENTENCES
from regard_export.families.regard_checkpoints import transformer
from regard_export.tuning.alignment_heads import (
    AlignmentChoice,
    best_heads,
    choose_alignment_heads,
    needs_alignment_heads,
)
from regard_export.tuning.ibm_model_1 import ibm_model_1
from tests.unit.export.transformer_checkpoints import tiny_checkpoint, write_tiny_bundle

# A language of three words, whose translation reverses their order.
PAIRS = [([1, 2], [12, 11]), ([2, 3], [13, 12]), ([1, 3], [13, 11]), ([3, 2, 1], [11, 12, 13])]


def test_ibm_model_1_finds_translations() -> None:
    for (source, target), posterior in zip(PAIRS, ibm_model_1(PAIRS), strict=True):
        np.testing.assert_allclose(posterior.sum(axis=1), 1, atol=1e-6)
        assert [source[column] + 10 for column in posterior.argmax(axis=1)] == target


def _one_hot(columns: list[int], num_source: int) -> np.ndarray:
    return np.eye(num_source, dtype=np.float32)[columns]


def _sentence(head: int, *, is_shifted: bool, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Maps of 2 x 3 heads, one of which is the alignment, and the alignment."""
    expected = _one_hot(rng.permutation(6)[:5].tolist(), 6)
    maps = rng.dirichlet(np.ones(6), (2, 3, 5)).astype(np.float32)
    layer = np.roll(expected, 1, axis=0) if is_shifted else expected
    maps.reshape(6, 5, 6)[head] = layer
    return maps, expected


@pytest.mark.parametrize("is_shifted", [False, True])
@pytest.mark.parametrize("head", [1, 5])
def test_the_head_that_is_the_alignment_is_chosen(head: int, is_shifted: bool) -> None:
    rng = np.random.default_rng(0)
    maps, expected = zip(*(_sentence(head, is_shifted=is_shifted, rng=rng) for _ in range(40)), strict=True)
    choice = best_heads(maps, expected)
    assert choice.heads == (divmod(head, 3),)
    assert choice.is_shifted == is_shifted
    assert choice.agreement > (0.75 if is_shifted else 0.999)  # the last token is never an input


def test_two_heads_with_half_of_the_alignment_each_are_both_chosen() -> None:
    rng = np.random.default_rng(1)
    maps, expected = [], []
    for _ in range(40):
        alignment = _one_hot(rng.permutation(6)[:4].tolist(), 6)
        first, second = np.full((2, 4, 6), 1 / 6, np.float32)
        first[:2], second[2:] = alignment[:2], alignment[2:]
        maps.append(np.stack([first, second, np.full((4, 6), 1 / 6, np.float32)])[None])
        expected.append(alignment)
    assert best_heads(maps, expected) == AlignmentChoice(((0, 0), (0, 1)), is_shifted=False, agreement=1.0)


def test_special_tokens_do_not_count(tmp_path: Path) -> None:
    model = transformer.from_checkpoint(tiny_checkpoint())
    assert needs_alignment_heads(model)
    bundle = write_tiny_bundle(tmp_path / "bundle", model, "float32")
    choice = choose_alignment_heads(bundle, {"de": [DevExample(text, ("",)) for text in EXAMPLE_SENTENCES[:4]]})
    assert choice is not None
    assert set(choice.heads) <= {(layer, head) for layer in range(2) for head in range(4)}
    assert "IBM Model 1" in choice.method
    assert choose_alignment_heads(bundle, {}) is None


@pytest.mark.parametrize("is_shifted", [False, True])
def test_a_card_names_the_head_that_guided_alignment_trained(tmp_path: Path, is_shifted: bool) -> None:
    checkpoint = tiny_checkpoint()
    checkpoint.card.update(alignment_heads=[[1, 2]], alignment_method="guided", alignment_shifted=is_shifted)
    model = transformer.from_checkpoint(checkpoint)
    assert not needs_alignment_heads(model)
    layout = write_tiny_bundle(tmp_path / "bundle", model, "float32").manifest.attention
    assert layout.alignment_heads == ((1, 2),)
    assert (layout.alignment_method, layout.alignment_shifted) == ("guided", is_shifted)
