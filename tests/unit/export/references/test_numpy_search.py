"""The plain search against `transformers`' generate, over random tables of logits."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from regard.arrays import Float32Array
from regard_export.references import numpy_search, transformers_search
from regard_service.bundle import Target
from regard_service.generation import EarlyStopping, Generation

VOCABULARY = 11
TOLERANCE = 1e-4


class _RandomModel:
    """Logits that depend on all tokens so far."""

    def __init__(self, seed: int, end_bias: float) -> None:
        self._seed, self._end_bias = seed, end_bias

    def __call__(self, hypotheses: object) -> Float32Array:
        rows = []
        for ids in map(tuple, hypotheses):  # type: ignore[call-overload]
            logits = np.random.default_rng([self._seed, *ids]).normal(0, 2, VOCABULARY)
            logits[0] += self._end_bias
            rows.append(logits)
        return np.array(rows, np.float32)

    def on_tensors(self, ids: Tensor) -> Tensor:
        return torch.from_numpy(self(ids.tolist()))


def _target(end_ids: tuple[int, ...]) -> Target:
    return Target(tokenizer="t.json", vocab_size=VOCABULARY, start_id=3, pad_id=0, end_ids=end_ids, special_ids=(0,))


@settings(max_examples=150, deadline=None)
@given(
    seed=st.integers(0, 2**16),
    end_bias=st.sampled_from([-2.0, 0.0, 2.0]),
    num_beams=st.sampled_from([1, 2, 4]),
    max_new_tokens=st.integers(1, 9),
    length_penalty=st.sampled_from([-0.5, 0.0, 0.6, 1.0, 2.0]),
    early_stopping=st.sampled_from(["heuristic", "first", "never"]),
    end_ids=st.sampled_from([(0,), (0, 5)]),
)
def test_outputs_and_scores_are_those_of_transformers(
    seed: int,
    end_bias: float,
    num_beams: int,
    max_new_tokens: int,
    length_penalty: float,
    early_stopping: EarlyStopping,
    end_ids: tuple[int, ...],
) -> None:
    model, target = _RandomModel(seed, end_bias), _target(end_ids)
    generation = Generation(
        max_new_tokens, num_beams=num_beams, length_penalty=length_penalty, early_stopping=early_stopping
    )
    config = transformers_search.generation_config(target, generation, use_cache=False)
    expected = transformers_search.search(model.on_tensors, VOCABULARY, config)
    actual = numpy_search.search(model, target, generation)
    assert actual.tokens == expected.tokens
    if num_beams == 1:
        assert actual.score is None
    else:
        assert actual.score == pytest.approx(expected.score, abs=TOLERANCE)


@pytest.mark.parametrize(
    "generation",
    [Generation(5, min_new_tokens=2), Generation(5, no_repeat_ngram_size=2), Generation(5, forced_first_id=1)],
)
def test_constraints_are_refused(generation: Generation) -> None:
    with pytest.raises(ValueError, match="knows no constraints"):
        numpy_search.search(_RandomModel(0, 0.0), _target((0,)), generation)
