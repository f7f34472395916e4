"""Drawing tokens."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from regard.arrays import Float32Array
from regard_service.engine.search.sampling import draw, probabilities
from regard_service.generation import Generation, Sampling
from tests.unit.service.engine.search.toy import VOCAB_SIZE, Job, serve, toy_logits

descending = arrays(np.float32, st.integers(1, 20), elements=st.floats(-20, 20, width=32)).map(
    lambda logits: np.sort(logits)[::-1]
)
samplings = st.builds(Sampling, temperature=st.floats(0.1, 5.0), top_k=st.integers(0, 25), top_p=st.floats(0.01, 1.0))


@given(descending, samplings)
def test_filters_leave_a_distribution_over_the_best(logits: Float32Array, sampling: Sampling) -> None:
    probs = probabilities(logits, sampling)
    np.testing.assert_allclose(probs.sum(), 1.0)
    assert probs[0] > 0
    assert (np.diff(probs) <= 1e-12).all()
    if sampling.top_k:
        assert np.count_nonzero(probs) <= sampling.top_k


@given(descending, st.floats(0.05, 0.95))
def test_nucleus_is_the_smallest_that_holds_the_mass(logits: Float32Array, top_p: float) -> None:
    whole = probabilities(logits, Sampling())
    kept = np.count_nonzero(probabilities(logits, Sampling(top_p=top_p)))
    assert whole[:kept].sum() >= top_p - 1e-9
    assert whole[: kept - 1].sum() <= top_p + 1e-9


def test_draws_follow_the_distribution() -> None:
    probs = np.array([0.5, 0.0, 0.3, 0.2, 0.0])
    generator = np.random.default_rng(0)
    counts = np.bincount([draw(probs, generator) for _ in range(20_000)], minlength=5)
    np.testing.assert_allclose(counts / 20_000, probs, atol=0.015)
    assert counts[1] == counts[4] == 0


def test_the_seed_decides() -> None:
    def tokens(seed: int) -> tuple[int, ...]:
        return tuple(serve(Job(0, Generation(10, sampling=Sampling(seed=seed)))).hypotheses[0].tokens.tolist())

    assert tokens(3) == tokens(3)
    assert len({tokens(seed) for seed in range(10)}) > 5


def test_first_tokens_of_many_seeds_follow_the_models_distribution() -> None:
    sampling = Sampling(temperature=0.8, top_k=6)
    drawn = [
        serve(Job(1, Generation(1, sampling=Sampling(0.8, 6, seed=seed)))).hypotheses[0].tokens[0]
        for seed in range(4000)
    ]
    logits = toy_logits(1, ())
    order = np.argsort(-logits)
    expected = np.zeros(VOCAB_SIZE)
    expected[order] = probabilities(logits[order], sampling)
    np.testing.assert_allclose(np.bincount(drawn, minlength=VOCAB_SIZE) / 4000, expected, atol=0.03)


def test_a_request_without_any_allowed_token_still_gets_an_output() -> None:
    everything_banned = Generation(12, min_new_tokens=12, no_repeat_ngram_size=1, sampling=Sampling())
    [hypothesis] = serve(Job(0, everything_banned)).hypotheses
    assert len(hypothesis.tokens) == 12 or hypothesis.finish_reason == "end"
    assert np.isfinite(hypothesis.score)
