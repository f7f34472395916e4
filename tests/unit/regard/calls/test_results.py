"""Answers of a server as results and events."""

import pytest

from regard.calls.results import Finished, Result, read_event, read_results
from regard.errors import BadResponse
from regard.v1 import regard_pb2 as pb
from regard.values.outputs import Output

MESSAGE = pb.Result(hypotheses=[pb.Hypothesis(text="eins")])


def test_one_input_has_one_result_and_a_list_has_a_list() -> None:
    assert read_results([MESSAGE], is_single=True) == Result.from_message(MESSAGE)
    assert read_results([MESSAGE], is_single=False) == [Result.from_message(MESSAGE)]
    assert read_results([], is_single=False) == []


@pytest.mark.parametrize("num_results", [0, 2])
def test_another_number_of_results_than_one_to_one_input_is_refused(num_results: int) -> None:
    with pytest.raises(BadResponse, match=f"{num_results} results to one input"):
        read_results([MESSAGE] * num_results, is_single=True)


def test_the_last_event_has_a_result_that_draws_itself() -> None:
    event = read_event(pb.StreamTranslateResponse(finished=pb.FinishedEvent(result=MESSAGE)))
    assert isinstance(event, Finished)
    assert type(event.result) is Result
    assert "eins" in event.result._repr_html_()


def test_an_event_of_a_later_version_is_none() -> None:
    assert read_event(pb.StreamCaptionResponse()) is None


def test_results_equal_results_of_the_same_message_only() -> None:
    assert Result.from_message(MESSAGE) != Output.from_message(MESSAGE)
    assert repr(Result.from_message(MESSAGE)) == "<Result 'eins' by @>"
