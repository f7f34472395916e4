"""Requests of OpenAI's client for vectors."""

import json
from contextlib import suppress

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from regard_service.errors import InvalidInput
from regard_service.http.doors.given import Given
from regard_service.http.doors.openai.inputs import FIELDS, Embeddings, read_embeddings
from tests.documented_calls import documented_names
from tests.unit.service.http.doors.test_hostile_bodies import JSON


def read(body: object) -> Embeddings:
    return read_embeddings(Given({}, body=json.dumps(body).encode()))


def test_a_text_and_a_list_of_texts() -> None:
    assert read({"input": "a", "model": "e5", "user": "me"}) == Embeddings(("a",), "e5", False, False, None)
    many = {"input": ["a", "b"], "model": "e5", "encoding_format": "base64", "dimensions": 32}
    assert read(many) == Embeddings(("a", "b"), "e5", True, True, 32)


@pytest.mark.parametrize(
    ("body", "fields"),
    [
        ({}, ["input", "model"]),
        ({"input": 3, "model": ""}, ["input", "model"]),
        ({"input": [1, 2], "model": "e5"}, ["input"]),
        ({"input": [[1], "a", [2, 3], True], "model": "e5"}, ["input[0]", "input[2]", "input[3]"]),
        ({"input": "a", "model": "e5", "encoding_format": "int8", "dimensions": 0}, ["encoding_format", "dimensions"]),
        ({"input": "a", "model": "e5", "dimensions": True, "user": 3, "x": 1}, ["x", "dimensions", "user"]),
        ([], ["request"]),
    ],
)
def test_every_bad_field_is_named(body: object, fields: list[str]) -> None:
    with pytest.raises(InvalidInput) as error:
        read(body)
    assert [violation.field for violation in error.value.violations] == fields


def test_token_ids_are_refused_in_words() -> None:
    with pytest.raises(InvalidInput, match="token ids"):
        read({"input": [1, 2], "model": "e5"})


@settings(max_examples=200, deadline=None)
@given(st.dictionaries(st.sampled_from(FIELDS), JSON, max_size=5) | JSON)
def test_whatever_a_body_holds_is_read_or_refused_by_name(body: object) -> None:
    with suppress(InvalidInput):
        assert all(isinstance(text, str) for text in read(body).texts)


def test_the_documented_fields_are_those_that_are_known() -> None:
    assert documented_names("openai.md", "Fields") == set(FIELDS)
