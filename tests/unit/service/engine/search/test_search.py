"""What holds of every search, whatever the model and the options. Parity with the reference is tested elsewhere."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from regard_service.engine.search.search import open_search
from regard_service.generation import Generation, Sampling
from tests.unit.service.engine.search.toy import (
    END_ID,
    MAX_TARGET_TOKENS,
    VOCAB_SIZE,
    Job,
    ToyEngine,
    serve,
    toy_logits,
)


@st.composite
def generations(draw: st.DrawFn, num_beams: int) -> Generation:
    max_new_tokens = draw(st.integers(1, MAX_TARGET_TOKENS))
    samplings = st.builds(
        Sampling,
        temperature=st.floats(0.3, 2.0),
        top_k=st.integers(0, VOCAB_SIZE),
        top_p=st.floats(0.1, 1.0),
        seed=st.integers(0, 99),
    )
    return Generation(
        max_new_tokens=max_new_tokens,
        num_beams=num_beams,
        num_return_sequences=draw(st.integers(1, num_beams)),
        min_new_tokens=draw(st.integers(0, max_new_tokens)),
        length_penalty=draw(st.sampled_from([-1.0, 0.0, 0.6, 1.0, 2.0])),
        early_stopping=draw(st.sampled_from(["heuristic", "first", "never"])),
        no_repeat_ngram_size=draw(st.sampled_from([0, 0, 1, 2, 3])),
        repetition_penalty=draw(st.sampled_from([1.0, 1.0, 0.8, 1.3])),
        forced_first_id=draw(st.none() | st.integers(2, VOCAB_SIZE - 1)),
        sampling=draw(st.none() | samplings) if num_beams == 1 else None,
    )


beam_counts = st.sampled_from([1, 2, 3, 5])
all_generations = beam_counts.flatmap(generations)
jobs = st.builds(Job, source=st.integers(0, 50), generation=all_generations)
batches = beam_counts.flatmap(
    lambda num_beams: st.lists(
        st.builds(Job, source=st.integers(0, 50), generation=generations(num_beams), joins=st.integers(0, 6)),
        min_size=1,
        max_size=5,
    )
)


@given(jobs)
def test_hypotheses_are_sorted_distinct_and_within_their_bounds(job: Job) -> None:
    generation = job.generation
    hypotheses = serve(job).hypotheses
    assert 1 <= len(hypotheses) <= generation.num_return_sequences
    assert all(better.score >= worse.score for better, worse in pairwise(hypotheses))
    assert len({tuple(h.tokens) for h in hypotheses}) == len(hypotheses)
    for hypothesis in hypotheses:
        ended = hypothesis.tokens[-1] == END_ID
        assert END_ID not in hypothesis.tokens[:-1]
        assert hypothesis.finish_reason == ("end" if ended else "length")
        assert len(hypothesis.tokens) <= generation.max_new_tokens
        if generation.forced_first_id is not None:
            assert hypothesis.tokens[0] == generation.forced_first_id


@given(jobs)
def test_path_leads_to_the_beam_that_chose_each_token(job: Job) -> None:
    served = serve(job)
    for hypothesis in served.hypotheses:
        for step, beam in enumerate(hypothesis.path):
            assert served.seen[step][beam] == tuple(hypothesis.tokens[:step])


@given(jobs)
def test_logprobs_are_the_models_own(job: Job) -> None:
    for hypothesis in serve(job).hypotheses:
        for step, (token, logprob) in enumerate(zip(hypothesis.tokens, hypothesis.logprobs, strict=True)):
            if step == 0 and job.generation.forced_first_id is not None:
                assert logprob == 0.0
                continue
            logits = toy_logits(job.source, [int(token) for token in hypothesis.tokens[:step]]).astype(np.float64)
            np.testing.assert_allclose(logprob, logits[token] - np.log(np.exp(logits).sum()), atol=1e-5)


@given(jobs)
def test_score_is_the_length_normalized_sum(job: Job) -> None:
    generation = job.generation
    assume(generation.repetition_penalty == 1.0)
    for hypothesis in serve(job).hypotheses:
        length = len(hypothesis.tokens) ** generation.length_penalty if generation.num_beams > 1 else 1.0
        np.testing.assert_allclose(hypothesis.score, hypothesis.logprobs.sum() / length, rtol=1e-5)


@given(jobs)
def test_committed_tokens_never_retract_and_lead_to_the_best_hypothesis(job: Job) -> None:
    served = serve(job)
    best = served.hypotheses[0]
    lengths = [len(prefix.tokens) for prefix in served.commitments]
    assert lengths == sorted(lengths)
    assert lengths[-1] == len(best.tokens)
    for prefix in served.commitments:
        length = len(prefix.tokens)
        np.testing.assert_array_equal(prefix.tokens, best.tokens[:length])
        np.testing.assert_array_equal(prefix.path, best.path[:length])
        np.testing.assert_array_equal(prefix.logprobs, best.logprobs[:length])


@given(jobs, st.integers(0, MAX_TARGET_TOKENS))
def test_committed_tokens_from_a_position_on(job: Job, start: int) -> None:
    engine = ToyEngine(job.generation.num_beams, max_requests=1)
    engine.run([job])
    whole, part = engine.search.committed(0), engine.search.committed(0, start)
    np.testing.assert_array_equal(part.tokens, whole.tokens[start:])
    np.testing.assert_array_equal(part.logprobs, whole.logprobs[start:])
    np.testing.assert_array_equal(part.path, whole.path[start:])


@given(batches)
def test_neighbours_are_of_no_consequence(batch: list[Job]) -> None:
    together = ToyEngine(batch[0].generation.num_beams, max_requests=len(batch)).run(batch)
    for job, served in zip(batch, together, strict=True):
        alone = serve(job)
        for ours, theirs in zip(served.hypotheses, alone.hypotheses, strict=True):
            np.testing.assert_array_equal(ours.tokens, theirs.tokens)
            np.testing.assert_array_equal(ours.path, theirs.path)
            assert ours.score == theirs.score
        for prefix, prefix_alone in zip(served.commitments, alone.commitments, strict=True):
            np.testing.assert_array_equal(prefix.tokens, prefix_alone.tokens)


@given(jobs)
def test_the_candidates_asked_for_are_enough(job: Job) -> None:
    few, everything = serve(job), serve(job, all_candidates=True)
    for ours, theirs in zip(few.hypotheses, everything.hypotheses, strict=True):
        np.testing.assert_array_equal(ours.tokens, theirs.tokens)
        assert ours.score == theirs.score


@given(batches)
def test_states_move_no_more_than_they_must(batch: list[Job]) -> None:
    num_beams = batch[0].generation.num_beams
    engine = ToyEngine(num_beams, max_requests=len(batch))
    engine.run(batch)
    for advance in engine.advances:
        slots = np.arange(len(advance.tokens))
        np.testing.assert_array_equal(advance.parents // num_beams, slots // num_beams)
        assert advance.moved == bool((advance.parents != slots).any())
        has_child = np.isin(slots, advance.parents)
        np.testing.assert_array_equal(advance.parents[has_child], slots[has_child])


def test_only_what_is_needed_is_asked_of_the_step_graph() -> None:
    def needed(generation: Generation) -> int:
        search = open_search(
            generation.num_beams, max_requests=2, max_target_tokens=8, vocab_size=1000, start_id=0, end_ids=(1,)
        )
        search.admit(0, generation)
        return search.num_candidates(1)

    assert needed(Generation(8)) == 1
    assert needed(Generation(8, num_beams=4)) == 8
    assert needed(Generation(8, num_beams=4, min_new_tokens=2)) == 9
    assert needed(Generation(8, repetition_penalty=1.2)) == 2
    assert needed(Generation(8, repetition_penalty=0.9)) == 1000
    assert needed(Generation(8, sampling=Sampling(top_k=10))) == 10
    assert needed(Generation(8, sampling=Sampling(top_p=0.9))) == 1000


@pytest.mark.parametrize(
    ("num_beams", "generation"),
    [
        (1, Generation(4, num_beams=2)),
        (1, Generation(4, num_return_sequences=2)),
        (1, Generation(9)),
        (2, Generation(4)),
        (2, Generation(4, num_beams=2, num_return_sequences=3)),
        (2, Generation(4, num_beams=2, sampling=Sampling())),
        (2, Generation(9, num_beams=2)),
    ],
)
def test_what_a_batch_cannot_serve_is_refused(num_beams: int, generation: Generation) -> None:
    search = open_search(num_beams, max_requests=1, max_target_tokens=8, vocab_size=20, start_id=0, end_ids=(1,))
    with pytest.raises(ValueError, match=r"beam|sequence|sampled|new tokens"):
        search.admit(0, generation)


def test_a_vocabulary_of_end_tokens_is_refused() -> None:
    with pytest.raises(ValueError, match="no token continues"):
        open_search(2, max_requests=1, max_target_tokens=8, vocab_size=2, start_id=0, end_ids=(0, 1))
