"""Answers of models without a decoder: which of them are written outside the event loop."""

import numpy as np
import pytest

from regard_service.convert.one_step import MAX_WEIGHTS_AT_ONCE, WEIGHTS_PER_NUMBER, is_slow_to_write
from regard_service.domain.explanations import Explanation
from regard_service.domain.outputs import (
    AnswerResult,
    ClassifyResult,
    Detection,
    DetectResult,
    OneStepResult,
    ReadInput,
)
from regard_service.domain.results import Source, Timings

READ = ReadInput(Source(), 1, Timings(0.0, 0.0, 0.0), "m", "1")


def _explanations(num_scores: int) -> tuple[Explanation, ...]:
    return (Explanation("random", "cat", 0.5, np.zeros(num_scores, np.float32), (), 10),)


def _results(num_scores: int) -> list[OneStepResult]:
    own = _explanations(num_scores)
    return [
        ClassifyResult((), (), READ, own),
        AnswerResult((), READ, own),
        DetectResult((Detection("cat", 0.5, (0, 0, 1, 1), 0, own),), READ),
    ]


@pytest.mark.parametrize("index", range(3))
def test_many_scores_of_explanations_are_slow_to_write(index: int) -> None:
    few, many = 100, MAX_WEIGHTS_AT_ONCE // WEIGHTS_PER_NUMBER + 1
    assert not is_slow_to_write([_results(few)[index]])
    assert is_slow_to_write([_results(many)[index]])
