"""Grouped ranking finds the same candidates as sorting."""

import numpy as np
import onnxruntime
import pytest
from hypothesis import given
from hypothesis import strategies as st

from regard_export.architectures.candidate_ranking import rank_candidates
from regard_export.onnx_graph.builder import GraphBuilder
from regard_service.bundle import TensorSpec

VOCAB_SIZES = (7, 640, 997, 8000)  # too small for groups, two group sizes, a prime number


def _session(vocab_size: int) -> onnxruntime.InferenceSession:
    graph = GraphBuilder("rank")
    logits = graph.input(TensorSpec(name="logits", dtype="float32", shape=("slots", vocab_size)))
    num_candidates = graph.input(TensorSpec(name="num_candidates", dtype="int64", shape=(1,)))
    rank_candidates(graph, logits, num_candidates, vocab_size)
    return onnxruntime.InferenceSession(graph.build().SerializeToString())


SESSIONS = {size: _session(size) for size in VOCAB_SIZES}


@given(data=st.data())
@pytest.mark.parametrize("vocab_size", VOCAB_SIZES)
def test_candidates_are_those_of_sorting(vocab_size: int, data: st.DataObject) -> None:
    num_slots = data.draw(st.integers(1, 5))
    num_candidates = data.draw(st.integers(1, vocab_size) | st.just(vocab_size))
    rng = np.random.default_rng(data.draw(st.integers(0, 2**32)))
    logits = np.stack([rng.permutation(vocab_size) for _ in range(num_slots)]).astype(np.float32) / 50  # no two equal
    names = ("candidate_logits", "candidate_ids", "log_normalizer")
    best, ids, normalizer = SESSIONS[vocab_size].run(
        names, {"logits": logits, "num_candidates": np.array([num_candidates])}
    )
    expected = np.argsort(-logits, axis=-1)[:, :num_candidates]
    assert (ids == expected).all()
    assert (best == np.take_along_axis(logits, expected, axis=-1)).all()
    assert np.allclose(normalizer, np.log(np.exp(logits.astype(np.float64)).sum(-1)), atol=1e-4)
