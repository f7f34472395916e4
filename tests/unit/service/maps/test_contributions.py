"""Contributions as weights, and followed through the layers."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from regard.arrays import Float32Array
from regard_service.bundle import AttentionLayout
from regard_service.domain.calls import AlignmentMethod, AttentionOptions
from regard_service.domain.results import AttentionMap
from regard_service.engine.runtime.trace import Contributions, Trace
from regard_service.maps.builder import MapBuilder
from regard_service.maps.contributions import as_weights, follow

NOTHING = np.zeros((0,), np.float32)
UNTRACED = Trace(NOTHING, NOTHING, NOTHING, NOTHING, NOTHING, NOTHING)


def _contributions(rng: np.random.Generator, layers: int, rows: int, columns: int, *, causal: bool) -> Contributions:
    together = rng.random((layers, rows, columns), np.float32)
    if causal:
        together = np.tril(together)
    return Contributions(together[:, None], together, rng.random((layers, rows), np.float32))


def _trace(seed: int, source: int, target: int) -> Trace:
    rng = np.random.default_rng(seed)
    return replace(
        UNTRACED,
        encoder_contributions=_contributions(rng, 2, source, source, causal=False),
        decoder_contributions=_contributions(rng, 2, target, target, causal=True),
        cross_contributions=_contributions(rng, 2, target, source, causal=False),
    )


@given(st.integers(0, 99), st.integers(1, 5), st.integers(1, 5))
def test_source_and_prefix_share_every_step(seed: int, source: int, target: int) -> None:
    found = follow(_trace(seed, source, target))
    np.testing.assert_allclose(found.source.sum(-1) + found.prefix.sum(-1), 1, atol=1e-5)
    np.testing.assert_allclose(found.alignment.sum(-1), 1, atol=1e-5)
    np.testing.assert_array_equal(found.prefix, np.tril(found.prefix))  # no later token contributes
    assert (found.source >= 0).all()


def test_a_step_that_only_copies_the_source_has_all_of_it() -> None:
    one = np.ones((1, 1, 1), np.float32)
    none = np.zeros((1, 1), np.float32)
    own = Contributions(one[None], one, none)
    traced = replace(UNTRACED, encoder_contributions=own, decoder_contributions=own, cross_contributions=own)
    assert follow(traced).source_share == pytest.approx([1.0])


def test_an_alignment_of_all_heads_is_not_shifted_as_the_alignment_heads_are() -> None:
    layout = AttentionLayout(layers=2, heads=1, alignment_heads=((1, 0),), alignment_shifted=True)
    traced = replace(_trace(0, 3, 4), cross=np.full((2, 1, 4, 3), 1 / 3, np.float32))
    found: list[AttentionMap] = []
    methods: tuple[AlignmentMethod | None, ...] = (None, "shifted")
    for method in methods:
        options = AttentionOptions(kinds=("alignment",), weighting="contribution", method=method)
        found += MapBuilder(options, layout).of_target(traced.cross, traced)
    plain, shifted = found
    assert (plain.method, shifted.method) == ("plain", "shifted")
    np.testing.assert_allclose(shifted.values[:-1], plain.values[1:])


def test_without_all_contributions_nothing_is_followed() -> None:
    with pytest.raises(ValueError, match="contributions"):
        follow(UNTRACED)


def test_a_row_without_contributions_is_the_attentions() -> None:
    values: Float32Array = np.array([[0, 0], [1, 3]], np.float32)
    attention: Float32Array = np.array([[0.3, 0.7], [0.5, 0.5]], np.float32)
    np.testing.assert_allclose(as_weights(values, attention), [[0.3, 0.7], [0.25, 0.75]])
