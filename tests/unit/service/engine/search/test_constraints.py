"""What constraints ban and penalize."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from regard.arrays import Int64Array
from regard_service.engine.search.constraints.candidates import NO_ID, Candidates
from regard_service.engine.search.constraints.constraint import Vocabulary
from regard_service.engine.search.constraints.constraints import Constraints, is_constrained
from regard_service.engine.search.constraints.no_repeat_ngram import repeating_ids
from regard_service.engine.search.constraints.repetition_penalty import penalize
from regard_service.generation import Generation

histories = arrays(np.int64, st.tuples(st.integers(1, 4), st.integers(1, 12)), elements=st.integers(0, 3))


def candidates(num_beams: int, count: int) -> Candidates:
    scores = np.tile(-np.arange(1, count + 1, dtype=np.float32), (num_beams, 1))
    return Candidates(np.tile(np.arange(count), (num_beams, 1)), scores, scores)


@given(histories, st.integers(1, 4))
def test_repeating_ids_are_those_that_complete_a_known_ngram(history: Int64Array, ngram_size: int) -> None:
    found = repeating_ids(history, ngram_size)
    for tokens, ids in zip(history.tolist(), found.tolist(), strict=True):
        ngrams = {tuple(tokens[i : i + ngram_size]) for i in range(len(tokens) - ngram_size + 1)}
        suffix = tokens[len(tokens) - ngram_size + 1 :]
        expected = {token for token in range(4) if (*suffix, token) in ngrams}
        assert set(ids) - {NO_ID} == expected


def test_penalty_makes_scores_worse_whatever_their_sign() -> None:
    scores = np.array([[2.0, -2.0, 2.0, -2.0]], np.float32)
    penalized = penalize(scores, np.array([[True, True, False, False]]), 2.0)
    np.testing.assert_array_equal(penalized, np.array([[1.0, -4.0, 2.0, -2.0]], np.float32))


def test_end_is_banned_until_there_are_enough_tokens() -> None:
    constraints = Constraints(Generation(8, min_new_tokens=2), num_beams=2, vocabulary=Vocabulary(5, (1, 3)))
    parents = np.arange(2)
    for num_tokens in range(4):
        scores = constraints.apply(candidates(2, 6)).scores
        assert np.isneginf(scores[:, [1, 3]]).all() == (num_tokens < 2)
        assert np.isfinite(scores[:, [0, 2, 4, 5]]).all()
        assert constraints.num_affected(6) == (2 if num_tokens < 2 else 0)
        constraints.extend(parents, np.array([0, 2]))


def test_history_follows_the_beams() -> None:
    constraints = Constraints(Generation(8, no_repeat_ngram_size=1), num_beams=2, vocabulary=Vocabulary(0, (1,)))
    constraints.extend(np.array([0, 0]), np.array([2, 3]))
    constraints.extend(np.array([1, 0]), np.array([4, 5]))
    banned = np.isneginf(constraints.apply(candidates(2, 6)).scores)
    np.testing.assert_array_equal(
        banned, [[True, False, False, True, True, False], [True, False, True, False, False, True]]
    )


def test_forced_token_is_certain_though_it_was_no_candidate() -> None:
    constraints = Constraints(Generation(8, forced_first_id=42), num_beams=2, vocabulary=Vocabulary(0, (1,)))
    forced = constraints.apply(candidates(2, 3)).best(1)
    np.testing.assert_array_equal(forced.ids, [[42], [42]])
    np.testing.assert_array_equal(forced.scores, [[0], [0]])
    constraints.extend(np.arange(2), np.array([42, 42]))
    np.testing.assert_array_equal(constraints.apply(candidates(2, 3)).scores, candidates(2, 3).scores)


def test_default_options_constrain_nothing() -> None:
    assert not is_constrained(Generation(8, num_beams=4, length_penalty=2.0))
    assert is_constrained(Generation(8, min_new_tokens=1))
    assert is_constrained(Generation(8, no_repeat_ngram_size=3))
    assert is_constrained(Generation(8, repetition_penalty=1.1))
    assert is_constrained(Generation(8, forced_first_id=0))


def test_sequences_are_suppressed_at_their_last_token() -> None:
    constraints = Constraints(Generation(8, suppressed=((3,), (4, 5))), 1, Vocabulary(0, (1,)))
    assert banned_ids(constraints) == {3}
    constraints.extend(np.zeros(1, np.int64), np.array([4]))
    assert banned_ids(constraints) == {3, 5}
    assert constraints.num_affected(6) == 2


def test_a_prefix_is_forced_behind_the_first_token() -> None:
    constraints = Constraints(Generation(8, forced_first_id=9, prefix=(7, 8)), 2, Vocabulary(0, (1,)))
    for token in (9, 7, 8):
        assert not constraints.is_done
        np.testing.assert_array_equal(constraints.apply(candidates(2, 3)).best(1).ids, [[token], [token]])
        constraints.extend(np.arange(2), np.full(2, token))
    assert constraints.is_done


def test_a_bias_mixes_the_distribution_with_the_prefix_until_it_is_left() -> None:
    constraints = Constraints(Generation(8, prefix=(2, 4), start_bias=0.5), 2, Vocabulary(0, (1,)))
    logprobs = np.log(np.array([[0.4, 0.3, 0.2, 0.1]] * 2, np.float32))
    given = Candidates(np.tile(np.arange(4), (2, 1)), logprobs + 3, logprobs)  # logits, as greedy search has them
    mixed = np.exp(constraints.apply(given).scores - 3)
    np.testing.assert_allclose(mixed[0], [0.2, 0.15, 0.6, 0.05], rtol=1e-5)
    constraints.extend(np.arange(2), np.array([2, 3]))  # the second beam leaves the prefix
    biased = constraints.apply(given)
    assert biased.ids[0, -1] == 4  # it was no candidate
    assert biased.scores[0].argmax() == 3
    np.testing.assert_array_equal(biased.scores[1], given.scores[1])


def test_an_alternative_is_the_candidate_of_its_rank_behind_the_prefix() -> None:
    constraints = Constraints(Generation(8, prefix=(5,), alternative=2), 1, Vocabulary(0, (1,)))
    constraints.extend(np.zeros(1, np.int64), np.array([5]))
    applied = constraints.apply(candidates(1, 4))
    assert banned_ids(constraints, 4) == {0, 1, 3}
    assert applied.scores[0, 2] == candidates(1, 4).scores[0, 2]
    constraints.extend(np.zeros(1, np.int64), np.array([2]))
    assert constraints.is_done


def test_taken_back_tokens_do_not_count() -> None:
    constraints = Constraints(Generation(8, no_repeat_ngram_size=1), 1, Vocabulary(0, (1,)))
    for token in (3, 4):
        constraints.extend(np.zeros(1, np.int64), np.array([token]))
    constraints.extend(np.zeros(1, np.int64), np.array([5]), 2)
    assert banned_ids(constraints) == {0, 5}


def banned_ids(constraints: Constraints, count: int = 6) -> set[int]:
    return set(np.flatnonzero(np.isneginf(constraints.apply(candidates(1, count)).scores[0])).tolist())
