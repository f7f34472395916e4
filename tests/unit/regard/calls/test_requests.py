"""Requests from Python arguments; tests/integration/test_client.py sends them."""

import math

import pytest

from regard.calls import requests
from regard.calls.channel import deadline
from regard.errors import InvalidArgument
from regard.v1 import regard_pb2 as pb


def test_an_enums_short_name_becomes_its_number() -> None:
    request = requests.translate(["x"], "de", {"truncation": "split_and_join", "priority": "bulk"})
    assert (request.truncation, request.priority) == (pb.TRUNCATION_SPLIT_AND_JOIN, pb.PRIORITY_BULK)
    assert requests.list_models("captioning").task == pb.TASK_CAPTIONING


def test_an_unknown_short_name_is_a_violation_that_lists_the_known_ones() -> None:
    with pytest.raises(InvalidArgument) as caught:
        requests.translate(["x"], "de", {"truncation": "split"})  # type: ignore[typeddict-item]
    [violation] = caught.value.violations
    assert violation.field == "truncation"
    assert violation.description == "'split' is none of reject, truncate, split_and_join"


def test_a_deadline_is_the_calls_timeout_or_else_the_clients() -> None:
    assert [deadline(timeout, 60.0) for timeout in (None, 1.5, math.inf)] == [60.0, 1.5, None]
