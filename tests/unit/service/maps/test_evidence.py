"""Which positions a label rests on: shares that sum to 1, and the row that labels."""

from dataclasses import replace

import numpy as np
import pytest

from regard_service.engine.runtime.trace import Contributions, Trace
from regard_service.maps.evidence import label_row, query_row, shares_of_positions

SIZE = 4


def trace(*, has_contributions: bool = True) -> Trace:
    rng = np.random.default_rng(0)
    attention = rng.random((2, 3, SIZE, SIZE), np.float32)
    attention /= attention.sum(axis=-1, keepdims=True)
    none = np.zeros((0, 0, 0, 0), np.float32)
    by_head, together = rng.random((2, 3, SIZE, SIZE), np.float32), rng.random((2, SIZE, SIZE), np.float32)
    contributions = Contributions(by_head, together, rng.random((2, SIZE), np.float32))
    return Trace(
        encoder_self=attention,
        decoder_self=none,
        cross=none,
        encoder_norms=rng.random((2, 3, SIZE), np.float32),
        decoder_norms=none,
        cross_norms=none,
        encoder_contributions=contributions if has_contributions else None,
    )


@pytest.mark.parametrize("evidence", ["rollout", "value_norm", "contribution"])
def test_shares_sum_to_one(evidence: str) -> None:
    shares = shares_of_positions(trace(), evidence)
    assert shares.shape == (SIZE, SIZE)
    np.testing.assert_allclose(shares.sum(axis=-1), 1, atol=1e-5)


def test_the_sources_of_evidence_differ() -> None:
    found = [shares_of_positions(trace(), evidence) for evidence in ("rollout", "value_norm", "contribution")]
    assert not np.allclose(found[0], found[1])
    assert not np.allclose(found[0], found[2])


def test_what_a_trace_does_not_tell_is_an_error() -> None:
    with pytest.raises(ValueError, match="contribution"):
        shares_of_positions(trace(has_contributions=False), "contribution")
    with pytest.raises(ValueError, match="occlusion"):
        shares_of_positions(trace(), "occlusion")


def test_the_row_is_the_first_one_or_the_mean_of_those_that_are_pooled() -> None:
    shares = np.arange(16, dtype=np.float32).reshape(4, 4)
    np.testing.assert_array_equal(label_row(shares, num_skipped=None), shares[0])
    np.testing.assert_array_equal(label_row(shares, num_skipped=1), shares[1:].mean(axis=0))


def test_a_query_s_row_is_the_mean_of_the_chosen_heads_weighed_by_norms_on_request() -> None:
    rng = np.random.default_rng(0)
    cross = rng.random((2, 3, 5, SIZE), np.float32)
    cross /= cross.sum(axis=-1, keepdims=True)
    norms = rng.random((2, 3, SIZE), np.float32)
    attended = replace(trace(), cross=cross, cross_norms=norms)
    plain = query_row(attended, 4, "alignment", [(1, 0), (1, 2)])
    np.testing.assert_allclose(plain, cross[1, [0, 2], 4].mean(axis=0), atol=1e-6)
    weighed = cross[1, 1, 4] * norms[1, 1]
    np.testing.assert_allclose(query_row(attended, 4, "value_norm", [(1, 1)]), weighed / weighed.sum(), atol=1e-6)
    with pytest.raises(ValueError, match="rollout"):
        query_row(attended, 4, "rollout", [(1, 1)])
