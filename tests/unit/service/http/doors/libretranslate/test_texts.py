"""LibreTranslate's requests for texts: one request of ours, however clients send them; faults name its fields."""

import json
from urllib.parse import urlencode

import pytest

from regard.v1 import regard_pb2 as pb
from regard_service.errors import InvalidInput
from regard_service.http.doors.fields import FORM
from regard_service.http.doors.given import Given
from regard_service.http.doors.libretranslate.texts import read_detection, read_translation, renamed


def given(**fields: object) -> Given:
    return Given({"content-type": "application/json"}, body=json.dumps(fields).encode())


def form(*pairs: tuple[str, str]) -> Given:
    return Given({"content-type": FORM}, body=urlencode(pairs).encode())


GOOD = {"q": "Hello", "source": "en", "target": "de"}


@pytest.mark.parametrize(
    "request_of",
    [
        given(**GOOD),
        given(**GOOD, api_key="", format="text", alternatives=0),
        given(**GOOD, format=None, alternatives=None),
        form(*GOOD.items()),
        form(*GOOD.items(), ("format", ""), ("alternatives", "0")),
        Given({}, query=tuple(GOOD.items())),
        Given({"content-type": "application/json", "content-length": "0"}, query=tuple(GOOD.items())),
    ],
)
def test_a_text_is_one_request_however_it_is_sent(request_of: Given) -> None:
    read = read_translation(request_of)
    assert read.request == pb.TranslateRequest(
        texts=["Hello"],
        source_language="en",
        target_language="de",
        text_options=pb.TextOptions(format=pb.FORMAT_PLAIN),
    )
    assert (read.is_list, read.num_alternatives) == (False, 0)


@pytest.mark.parametrize(
    "request_of", [given(**GOOD | {"q": ["a", "b"]}), form(("q", "a"), ("q", "b"), ("source", "en"), ("target", "de"))]
)
def test_a_list_stays_a_list(request_of: Given) -> None:
    read = read_translation(request_of)
    assert (list(read.request.texts), read.is_list) == (["a", "b"], True)


def test_a_list_of_one_is_a_list() -> None:
    assert read_translation(given(**GOOD | {"q": ["a"]})).is_list


@pytest.mark.parametrize(("number", "num_beams"), [(1, 4), (3, 4), (8, 9), (15, 16)])
def test_alternatives_are_hypotheses_of_enough_beams(number: int, num_beams: int) -> None:
    for request_of in (given(**GOOD, alternatives=number), form(*GOOD.items(), ("alternatives", str(number)))):
        read = read_translation(request_of)
        assert read.request.generation.num_return_sequences == number + 1
        assert read.request.generation.num_beams == num_beams
        assert read.num_alternatives == number


@pytest.mark.parametrize(
    ("changed", "fields"),
    [
        ({"q": None}, ["q"]),
        ({"q": ""}, ["q"]),
        ({"q": []}, ["q"]),
        ({"q": 3}, ["q"]),
        ({"q": {"a": 1}}, ["q"]),
        ({"q": ["a", None, "b", 3]}, ["q[1]", "q[3]"]),
        ({"source": None}, ["source"]),
        ({"source": ["en"], "target": ""}, ["source", "target"]),
        ({"target": "auto"}, ["target"]),
        ({"format": "pdf"}, ["format"]),
        ({"format": 1}, ["format"]),
        ({"alternatives": -1}, ["alternatives"]),
        ({"alternatives": 16}, ["alternatives"]),
        ({"alternatives": 1.5}, ["alternatives"]),
        ({"alternatives": True}, ["alternatives"]),
        ({"alternatives": "two"}, ["alternatives"]),
        ({"q": None, "target": None, "format": "x", "alternatives": 99}, ["q", "target", "format", "alternatives"]),
    ],
)
def test_every_bad_field_is_named(changed: dict[str, object], fields: list[str]) -> None:
    with pytest.raises(InvalidInput) as error:
        read_translation(given(**GOOD | changed))
    assert [violation.field for violation in error.value.violations] == fields


@pytest.mark.parametrize("number", ["-1", "16", "1.5", "²", "1" * 5000])
def test_a_number_in_a_form_is_read_as_one(number: str) -> None:
    with pytest.raises(InvalidInput, match="alternatives"):
        read_translation(form(*GOOD.items(), ("alternatives", number)))


def test_one_text_is_detected() -> None:
    assert read_detection(given(q="Hello")) == "Hello"
    with pytest.raises(InvalidInput, match="q: must be one text; it is a list"):
        read_detection(given(q=["Hello"]))
    with pytest.raises(InvalidInput, match="q: is missing"):
        read_detection(given())


def test_violations_of_ours_have_the_names_of_theirs() -> None:
    ours = InvalidInput.of("texts[2]", "is bad")
    assert renamed(ours).violations[0].field == "q[2]"
    assert renamed(ours, is_list=False).violations[0].field == "q"
    assert renamed(InvalidInput.of("generation.num_beams", "is bad")).violations[0].field == "alternatives"
    assert renamed(InvalidInput.of("texts", "are too many")).violations[0].field == "q"
    assert renamed(InvalidInput.of("request", "is bad")).violations[0].field == "request"
