"""Numbers that tell doubtful outputs from others; the larger, the more doubtful. They read tokens only."""

import math
from collections.abc import Mapping, Sequence
from heapq import nsmallest

from regard_service.bundle import Feature
from regard_service.domain.results import Token

MIN_LOGPROB = -30.0  # a token may be impossible
_WORD_START = "\u2581"
_MIN_COPY_CHARACTERS = 3


def length_of(source: Sequence[Token], target: Sequence[Token]) -> float:
    """Returns the logarithm of the ratio of the numbers of tokens, with one added to both."""
    return _length(_num_own(source), _num_own(target))


def features(
    source: Sequence[Token], target: Sequence[Token], usual_length: float, novelty: float | None = None
) -> dict[Feature, float]:
    """Returns the features of an output.

    Args:
        target: with log-probabilities, the end token included.
        usual_length: `length_of` most outputs.
        novelty: of the source; None if the model does not compute it.

    Returns:
        surprise: minus the mean log-probability of the target's tokens.
        worst, second: minus the least of them, and the second least.
        first, end: minus that of the first token and of the last, by which the output ends.
        short, long: how far the length is below and above the usual.
        repeated: the share of tokens that occurred before.
        copied: the share of the target's pieces that are the source's.
        pieces: tokens of the source per word: text that the vocabulary does not know is cut into many.
        novelty: only of models that compute it.
    """
    logprobs = [token.logprob for token in target] or [0.0]
    if min(logprobs) < MIN_LOGPROB:
        logprobs = [max(each, MIN_LOGPROB) for each in logprobs]
    pieces = [token.piece for token in target if not token.is_special]
    read = {token.piece for token in source}
    long_pieces = [piece for piece in pieces if len(piece.strip(_WORD_START)) >= _MIN_COPY_CHARACTERS]
    num_source = _num_own(source)
    distance = _length(num_source, len(pieces)) - usual_length
    found: dict[Feature, float] = {
        "surprise": -sum(logprobs) / len(logprobs),
        "worst": -min(logprobs),
        "second": -min(logprobs) if len(logprobs) == 1 else -nsmallest(2, logprobs)[1],
        "first": -logprobs[0],
        "end": -logprobs[-1],
        "short": max(0.0, -distance),
        "long": max(0.0, distance),
        "repeated": 1 - len(set(pieces)) / max(1, len(pieces)),
        "copied": len([piece for piece in long_pieces if piece in read]) / max(1, len(long_pieces)),
        "pieces": num_source / max(1, _num_words(source)),
    }
    if novelty is not None:
        found["novelty"] = novelty
    return found


def score_of(found: Mapping[Feature, float], weights: Mapping[Feature, float], intercept: float) -> float:
    """Returns the logistic regression's probability that the output is of a corrupted source."""
    total = intercept + sum([weight * found.get(name, 0.0) for name, weight in weights.items()])
    return 1 / (1 + math.exp(-max(-50.0, min(50.0, total))))


def _length(num_source: int, num_target: int) -> float:
    return math.log((num_target + 1) / (num_source + 1))


def _num_own(tokens: Sequence[Token]) -> int:
    return len([token for token in tokens if not token.is_special])


def _num_words(tokens: Sequence[Token]) -> int:
    """The runs of tokens without a gap between them."""
    end, count = -1, 0
    for token in tokens:
        if token.span is not None:
            count += token.span.start > end
            end = token.span.end
    return count
