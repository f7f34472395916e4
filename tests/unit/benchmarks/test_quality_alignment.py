"""Hard links between words, from an alignment of tokens."""

import numpy as np

from benchmarks.quality.alignment import _word_weights
from regard_service.domain.results import Span, Token
from regard_service.maps.links import symmetric_links


def _token(start: int, end: int) -> Token:
    return Token(id=5, piece="x", span=Span(start, end), logprob=0.0)


def test_links_are_those_of_the_service_between_words() -> None:
    """Two tokens of a word count as one, and two target words may belong to one source word."""
    source, target = [_token(0, 3), _token(4, 7)], [_token(0, 1), _token(1, 2), _token(3, 5), _token(6, 8)]
    alignment = np.array([[0.9, 0.1], [0.8, 0.2], [0.7, 0.3], [0.1, 0.9]], np.float32)
    words = [Span(0, 3), Span(4, 7)], [Span(0, 2), Span(3, 5), Span(6, 8)]
    weights = _word_weights(alignment, (source, words[0]), (target, words[1]))
    np.testing.assert_allclose(weights, [[0.85, 0.15], [0.7, 0.3], [0.1, 0.9]], rtol=1e-6)
    assert symmetric_links(weights, [False] * 2, [False] * 3) == [(0, 0), (0, 1), (1, 2)]
