"""What holds of every search with terms, whatever the model, the attention and the options."""

import sys
from collections.abc import Iterator, Sequence
from dataclasses import replace
from unittest.mock import patch

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from regard_service.engine.search import loops
from regard_service.engine.search.beam_terms import BeamTerms, allocate
from regard_service.engine.search.constraints.candidates import BANNED, Candidates
from regard_service.engine.search.terms import Guidance, TermPlan, TermState
from regard_service.generation import Generation, Sampling, Spelling, Term, Terms
from tests.unit.service.engine.search import toy
from tests.unit.service.engine.search.toy import (
    END_ID,
    MAX_TARGET_TOKENS,
    NUM_POSITIONS,
    VOCAB_SIZE,
    Job,
    ToyEngine,
    serve,
)

# Of twelve tokens 10 and 11 continue a word, 9 is an opening mark, 8 a full stop.
SPELLING = Spelling(
    continues=bytes(token in (10, 11) for token in range(VOCAB_SIZE)),
    opens=bytes(token == 9 for token in range(VOCAB_SIZE)),
    closes=bytes(token == 8 for token in range(VOCAB_SIZE)),
)
guidances = st.builds(Guidance, is_shifted=st.booleans(), max_taken_back=st.sampled_from([0, 1, sys.maxsize]))


@pytest.fixture(autouse=True, scope="module")
def early_checks() -> Iterator[None]:
    """Outputs of the toy, which are short, are checked for loops as long ones are."""
    with patch.multiple(loops, MIN_FIRST_CHECK=3, NUM_BETWEEN_CHECKS=2, MIN_LOOP_PERIODS=2):
        yield


def term(positions: tuple[int, ...], *tokens: int) -> Term:
    return Term(positions, tokens, tokens, tokens)


@st.composite
def terms(draw: st.DrawFn) -> Terms:
    """Up to three terms of one to three tokens; the first begins a word."""
    count = draw(st.integers(1, 3))
    places = draw(st.permutations(range(NUM_POSITIONS)))
    spelled = [
        (draw(st.integers(2, 7)), *draw(st.lists(st.sampled_from([2, 3, 4, 5, 10, 11]), max_size=2)))
        for _ in range(count)
    ]
    return Terms(tuple(term((places[i],), *spelled[i]) for i in range(count)), (), SPELLING)


@st.composite
def generations(draw: st.DrawFn, num_beams: int) -> Generation:
    chosen = draw(terms())
    start = tuple(draw(st.lists(st.integers(2, 8), max_size=2)))
    least = chosen.num_tokens + len(start) + 2
    assume(least <= MAX_TARGET_TOKENS)
    return Generation(
        max_new_tokens=draw(st.integers(least, MAX_TARGET_TOKENS)),
        num_beams=num_beams,
        num_return_sequences=draw(st.integers(1, num_beams)),
        early_stopping=draw(st.sampled_from(["heuristic", "first", "never"])),
        no_repeat_ngram_size=draw(st.sampled_from([0, 0, 2])),
        max_loop=draw(st.sampled_from([0, 0, 2])),
        prefix=start,
        sampling=draw(st.none() | st.builds(Sampling, seed=st.integers(0, 99))) if num_beams == 1 else None,
        terms=chosen,
    )


beam_counts = st.sampled_from([1, 2, 4])
jobs = st.builds(Job, source=st.integers(0, 50), generation=beam_counts.flatmap(generations))
batches = beam_counts.flatmap(
    lambda num_beams: st.lists(
        st.builds(
            Job,
            source=st.integers(0, 50),
            generation=generations(num_beams) | st.just(Generation(MAX_TARGET_TOKENS, num_beams)),
            joins=st.integers(0, 4),
        ),
        min_size=1,
        max_size=4,
    )
)


def holds(tokens: list[int], spelled: tuple[int, ...]) -> bool:
    """Whether the tokens have these, and nothing continues their last word."""
    ends = [i + len(spelled) for i in range(len(tokens)) if tuple(tokens[i : i + len(spelled)]) == spelled]
    return any(tokens[end : end + 1] not in ([10], [11]) for end in ends)


@settings(max_examples=150)
@given(jobs, guidances)
def test_every_hypothesis_has_every_term_and_the_search_ends(job: Job, guidance: Guidance) -> None:
    generation = job.generation
    assert generation.terms is not None
    hypotheses = serve(job, guidance=guidance).hypotheses
    assert hypotheses
    for hypothesis in hypotheses:
        tokens = hypothesis.tokens.tolist()
        assert tokens[: len(generation.prefix)] == list(generation.prefix)
        assert len(tokens) <= generation.max_new_tokens
        assert END_ID not in tokens[:-1]
        for each in generation.terms.terms:
            assert holds(tokens, each.tokens), (tokens, each)


@given(jobs, guidances)
def test_paths_lead_to_the_beams_that_made_each_token(job: Job, guidance: Guidance) -> None:
    served = serve(job, guidance=guidance)
    for hypothesis in served.hypotheses:
        for step, beam in enumerate(hypothesis.path):
            assert served.seen[step][beam] == tuple(hypothesis.tokens[:step])


@given(jobs, guidances)
def test_committed_tokens_never_retract(job: Job, guidance: Guidance) -> None:
    served = serve(job, guidance=guidance)
    best = served.hypotheses[0].tokens.tolist()
    lengths = [len(prefix.tokens) for prefix in served.commitments]
    for prefix in served.commitments:
        assert prefix.tokens.tolist() == best[: len(prefix.tokens)]
    assert lengths[-1] == len(best)


@given(batches, guidances)
def test_neighbours_are_of_no_consequence(batch: list[Job], guidance: Guidance) -> None:
    together = ToyEngine(batch[0].generation.num_beams, len(batch), guidance=guidance).run(batch)
    for job, served in zip(batch, together, strict=True):
        alone = serve(job, guidance=guidance)
        assert [h.tokens.tolist() for h in served.hypotheses] == [h.tokens.tolist() for h in alone.hypotheses]
        assert [h.score for h in served.hypotheses] == [h.score for h in alone.hypotheses]


@given(batches)
def test_rows_without_terms_are_as_before(batch: list[Job]) -> None:
    together = ToyEngine(batch[0].generation.num_beams, len(batch)).run(batch)
    for job, served in zip(batch, together, strict=True):
        if job.generation.terms is None:
            plain = serve(replace(job, joins=0))
            assert [h.tokens.tolist() for h in served.hypotheses] == [h.tokens.tolist() for h in plain.hypotheses]


def plan(*chosen: Term, is_shifted: bool = False, max_new_tokens: int = 20) -> TermPlan:
    generation = Generation(max_new_tokens, terms=Terms(chosen, (), SPELLING))
    made = TermPlan.of(generation, (END_ID,), Guidance(is_shifted, sys.maxsize))
    assert made is not None
    return made


def attending(position: int) -> "np.ndarray[tuple[int], np.dtype[np.float32]]":
    weights = np.zeros(NUM_POSITIONS, np.float32)
    weights[position] = 1.0
    return weights


def test_a_term_is_taken_up_when_its_source_is_attended_to() -> None:
    state = TermState(plan(term((2,), 5, 6)))
    assert state.decide(attending(0), 3) is None
    state.take(0, 3)
    move = state.decide(attending(2), 4)
    assert move == (0, 5)
    state.take(*move)
    assert state.decide(attending(0), 4) == (0, 6)
    state.take(0, 6)
    assert not state.has_unmet
    assert not state.allows(10)
    assert not state.allows(5)
    assert state.allows(4)


def test_a_model_whose_alignment_is_one_step_late_takes_its_own_word_back() -> None:
    state = TermState(plan(term((2,), 5), is_shifted=True))
    for token in (3, 4, 10):  # the word 4, 10 is found to be the term's
        assert state.decide(attending(0), token) is None
        state.take(0, token)
    assert state.decide(attending(2), 7) == (2, 5)
    state.take(2, 5)
    assert state.tokens == [3, 5]


def test_an_opening_mark_before_the_word_that_is_taken_back_stays() -> None:
    glued = Term((2,), tokens=(5,), glued=(11,), initial=(5,))
    state = TermState(plan(glued, is_shifted=True))
    for token in (3, 9, 10):
        assert state.decide(attending(0), token) is None
        state.take(0, token)
    assert state.decide(attending(2), 7) == (1, 11)


def test_a_term_that_the_model_writes_by_itself_counts() -> None:
    state = TermState(plan(term((2,), 5, 6)))
    for token in (5, 6):
        assert state.decide(attending(0), token) is None
        state.take(0, token)
    assert state.decide(attending(2), 7) is None
    assert not state.has_unmet


def test_a_term_that_the_prefix_has_counts() -> None:
    generation = Generation(20, prefix=(3, 5, 4), terms=Terms((term((2,), 5),), (), SPELLING))
    made = TermPlan.of(generation, (END_ID,), Guidance())
    assert made is not None
    state = TermState(made)
    for token in (3, 5, 4):
        assert state.decide(attending(2), token) is None
        state.take(0, token)
    assert state.decide(attending(2), 6) is None
    assert not state.has_unmet


def test_a_longer_word_that_begins_with_the_term_does_not_count() -> None:
    state = TermState(plan(term((2,), 5)))
    for token in (5, 10, 4):
        state.decide(attending(0), token)
        state.take(0, token)
    state.decide(attending(0), 3)
    assert state.has_unmet


def test_the_end_of_a_longer_word_is_not_the_term() -> None:
    state = TermState(plan(Term((2,), tokens=(5,), glued=(11,), initial=(5,))))
    for token in (3, 11, 4):
        assert state.decide(attending(0), token) is None
        state.take(0, token)
    assert state.has_unmet


def test_a_missing_term_takes_the_place_of_the_word_that_attends_to_it_most() -> None:
    state = TermState(plan(term((2,), 5)))
    for weight, token in ((0.0, 3), (0.4, 4), (0.1, 6)):
        weights = attending(0)
        weights[2] = weight
        assert state.decide(weights, token) is None
        state.take(0, token)
    assert state.decide(attending(0), END_ID) == (2, 5)


def test_a_term_that_the_model_writes_again_goes_back_to_where_the_model_wants_it() -> None:
    state = TermState(plan(term((2,), 5)))
    state.decide(attending(0), 3)
    state.take(0, 3)
    assert state.decide(attending(2), 4) == (0, 5)  # in a wrong place
    state.take(0, 5)
    assert state.num_certain == 1
    for token in (6, 5):
        assert state.decide(attending(0), token) is None
        state.take(0, token)
    assert state.decide(attending(0), 7) == (3, 4)
    state.take(3, 4)
    assert state.tokens == [3, 4]
    assert state.has_unmet
    assert state.decide(attending(2), 6) is None  # not again


def test_the_models_own_translation_behind_a_term_is_taken_back_a_few_times() -> None:
    state = TermState(plan(term((2,), 5), is_shifted=True))
    for token in (3, 4):
        assert state.decide(attending(0), token) is None
        state.take(0, token)
    assert state.decide(attending(2), 7) == (1, 5)  # in place of 4
    state.take(1, 5)
    for token in (6, 10):  # a word that is found to translate the term's source, too
        assert state.decide(attending(0), token) is None
        state.take(0, token)
    assert state.decide(attending(2), 7) == (3, 5)  # the term's last token comes again
    state.take(3, 5)
    assert state.tokens == [3, 5]
    assert not state.allows(6)
    assert state.may_ban
    for token in (7, 2):
        assert state.decide(attending(0), token) is None
        state.take(0, token)
        assert state.allows(6)
        assert state.decide(attending(2), 8) == (2, 5)
        state.take(2, 5)
    assert not any(map(state.allows, (6, 7, 2)))
    assert state.decide(attending(0), 3) is None
    state.take(0, 3)
    assert state.decide(attending(2), 8) is None  # not again: the search ends
    assert state.is_faulty


def test_the_models_own_translation_behind_a_term_that_it_wrote_by_itself_is_taken_back() -> None:
    state = TermState(plan(term((2,), 5), is_shifted=True))
    for token in (3, 5, 4):
        assert state.decide(attending(0), token) is None
        state.take(0, token)
    assert not state.has_unmet
    assert state.decide(attending(2), 6) == (2, 5)


def test_a_mark_behind_a_term_stays() -> None:
    state = TermState(plan(term((2,), 5), is_shifted=True))
    for token in (3, 4):
        state.decide(attending(0), token)
        state.take(0, token)
    state.take(*state.decide(attending(2), 8) or (0, 0))
    state.take(0, 8)
    assert state.decide(attending(2), 6) is None
    assert not state.is_faulty


def test_terms_at_the_limit_of_the_output_are_placed_in_time() -> None:
    state = TermState(plan(term((2,), 5, 6), max_new_tokens=4))
    assert state.decide(attending(0), 3) is None
    state.take(0, 3)
    assert state.decide(attending(0), 3) is not None


def test_every_candidate_of_a_beam_counts_a_term_as_whole_or_not() -> None:
    def steered(best: int, other: int) -> tuple[BeamTerms, float]:
        beams = BeamTerms(plan(term((2,), 5)), 1)
        beams.steer(attending(0)[None], candidates(5, 3), np.zeros(1, np.float32))
        beams.extend(np.zeros(1, np.int64), np.array([5]))
        found = beams.steer(attending(0)[None], candidates(best, other), np.zeros(1, np.float32))
        beams.extend(np.zeros(1, np.int64), np.array([other]))
        return beams, float(found.candidates.scores[0, 1])

    _, score = steered(3, 10)  # the best candidate leaves the word whole, so no other continues it
    assert score == BANNED
    beams, score = steered(10, 3)  # the best continues it, another does not: there the term is met
    assert score > BANNED
    assert not beams.has_unmet


def candidates(*ids: int) -> Candidates:
    """Of one beam, the best first."""
    scores = -np.arange(1, len(ids) + 1, dtype=np.float32)[None]
    return Candidates(np.array([ids], np.int64), scores, scores)


def test_banks_share_the_beams() -> None:
    scores = np.array([-1.0, -2.0, -3.0, -9.0, -8.0, -np.inf], np.float32)
    banks = np.array([0, 0, 0, 1, 1, 2])
    assert allocate(scores, banks, 4).tolist() == [4, 0, 3, 1]


NEXT = {3: 4, 4: 10, 10: 6, 5: 6, 6: END_ID, 7: END_ID}  # 4 and 10 are the model's own translation of position 2


def own_logits(source: int, prefix: Sequence[int]) -> "np.ndarray[tuple[int], np.dtype[np.float32]]":
    """Follows `NEXT`, from 3; another token is nearly as likely, for the other beams."""
    logits = np.full(VOCAB_SIZE, -9.0, np.float32)
    logits[NEXT.get(prefix[-1], 3) if prefix else 3], logits[7] = 1.0, 0.3
    return logits


def own_weights(source: int, prefix: Sequence[int]) -> "np.ndarray[tuple[int], np.dtype[np.float32]]":
    """Attends to position 2 behind the model's own translation of it, else to position 0."""
    return attending(2 if tuple(prefix[-2:]) == (4, 10) else 0)


@pytest.mark.parametrize("num_beams", [1, 2, 4])
def test_a_term_takes_the_place_of_all_tokens_of_the_models_own_word(num_beams: int) -> None:
    generation = Generation(10, num_beams, terms=Terms((term((2,), 5),), (), SPELLING))
    with patch.multiple(toy, toy_logits=own_logits, toy_weights=own_weights):
        [best, *_] = serve(Job(0, generation), guidance=Guidance(True, sys.maxsize)).hypotheses
    assert best.tokens.tolist() == [3, 5, 6, END_ID]
