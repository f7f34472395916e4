"""What a call's inputs may cost before they are all read."""

from functools import partial

import pytest

from regard_service.calls import planner
from regard_service.calls.inputs import Input
from regard_service.calls.planner import _attempt, _TokenMeter
from regard_service.domain.results import Token
from regard_service.errors import InvalidInput
from regard_service.text.reading import SourceText

TEXT = SourceText("a b c d e f", tuple(Token(number, "x", None) for number in range(6)))


def test_no_more_texts_are_tokenized_once_a_call_has_too_many_tokens(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(planner, "MAX_TOKENS_PER_CALL", 10)
    meter, read = _TokenMeter(), list[int]()

    def reading(number: int) -> Input:
        read.append(number)
        return Input((TEXT,))

    outcomes = [_attempt(partial(reading, number), meter) for number in range(5)]
    assert read == [0, 1]
    assert [isinstance(outcome, InvalidInput) for outcome in outcomes] == [False, False, True, True, True]
    assert "texts: have more than 10 tokens, the limit of a call" in str(outcomes[2])
