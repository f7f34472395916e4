"""Features of doubtful outputs."""

import math

from hypothesis import given
from hypothesis import strategies as st

from regard_service.confidence.features import features, length_of, score_of
from regard_service.domain.results import Span, Token


def _tokens(text: str, logprob: float = -0.1) -> list[Token]:
    """Words as tokens, with an end token."""
    tokens, start = [], 0
    for word in text.split():
        tokens.append(Token(len(word), f"\u2581{word}", Span(start, start + len(word)), logprob=logprob))
        start += len(word) + 1
    return [*tokens, Token(0, "</s>", None, is_special=True, logprob=logprob)]


def test_loops_copies_and_lengths_are_seen() -> None:
    source = _tokens("where is the library")
    usual = features(source, _tokens("wo ist die Bibliothek"), 0.0)
    assert usual["repeated"] == usual["copied"] == usual["short"] == usual["long"] == 0
    assert usual["pieces"] == 1
    assert features(source, _tokens("wo wo wo wo"), 0.0)["repeated"] == 0.75
    assert features(source, _tokens("where is the library"), 0.0)["copied"] == 1
    assert features(source, _tokens("wo"), 0.0)["short"] > 0
    assert features(source, _tokens("wo ist denn nun die alte Bibliothek"), 0.0)["long"] > 0


def test_unlikely_tokens_are_seen_and_impossible_ones_stay_finite() -> None:
    source, target = _tokens("a b"), _tokens("x y", -math.inf)
    found = features(source, target, length_of(source, target))
    assert math.isfinite(found["surprise"])
    assert found["surprise"] > features(source, _tokens("x y"), 0.0)["surprise"]


@given(st.text("ab ", max_size=20), st.text("ab ", max_size=20), st.floats(-40, 0))
def test_every_output_has_finite_features_and_a_score(source: str, target: str, logprob: float) -> None:
    found = features(_tokens(source), _tokens(target, logprob), 0.1)
    assert all(math.isfinite(value) for value in found.values())
    assert 0 <= score_of(found, dict.fromkeys(found, 3.0), -1.0) <= 1


def test_nothing_at_all_has_features() -> None:
    assert all(math.isfinite(value) for value in features([], [], 0.0).values())


def test_single_unlikely_tokens_are_told_apart() -> None:
    target = [
        token._replace(logprob=logprob)
        for token, logprob in zip(_tokens("a b c"), (-1.0, -4.0, -2.0, -3.0), strict=True)
    ]
    found = features(_tokens("x y z"), target, 0.0)
    assert (found["worst"], found["second"], found["first"], found["end"]) == (4, 3, 1, 3)
    alone = features(_tokens("x"), target[:1], 0.0)
    assert alone["worst"] == alone["second"] == alone["first"] == alone["end"] == 1
