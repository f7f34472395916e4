"""Requests of the JSON API as bytes: what is accepted, hostile ones, and the words of errors."""

import base64
import json
import math
import re
from typing import Any

import pytest
from google.protobuf import json_format
from hypothesis import given
from hypothesis import strategies as st

from regard.v1 import regard_pb2 as pb
from regard_service.errors import MAX_VIOLATIONS, InvalidInput
from regard_service.http import json_requests
from regard_service.http.json_fields import MAX_FLOAT32, MAX_SHOWN
from regard_service.http.json_requests import MAX_CHARACTERS_HOLDING, read_body, read_query

# Words of json_format, of Python and of NumPy that no caller should read.
FOREIGN = re.compile(
    r"protobuf|parse|repeated field|enum|literal|NoneType|'(int|str|dict|list|float|bool)'|bytes-like|concatenate|"
    r"operand|regard\.v1|argument|object is not|acceptable|surrogate|Errno|codec"
)


def violations_of(body: Any, message: Any = pb.TranslateRequest) -> dict[str, str]:
    with pytest.raises(InvalidInput) as refused:
        read_body(body if isinstance(body, bytes) else json.dumps(body).encode(), message())
    return {violation.field: violation.description for violation in refused.value.violations}


@pytest.mark.parametrize("mark", [".", "[", " ", ".a", '"'])
def test_a_long_wrong_value_is_refused_at_once(mark: str) -> None:
    """With the square of the time, these take half an hour or more, and pytest's timeout ends them."""
    value = " at a" + mark * 500_000 + "!"
    found = violations_of({"truncation": value, value: 1, "texts": value, "generation": {"num_beams": value}})
    assert len(found) == 4
    assert max(map(len, [*found, *found.values()])) < 400


# What newcomers write, and what they are told: (message, body) -> field, description.
SLIPS: list[tuple[Any, Any, str, str]] = [
    (pb.TranslateRequest, {"text": "Hi"}, "text", 'there is no such field; did you mean "texts"?'),
    (pb.TranslateRequest, {"to": "de"}, "to", 'there is no such field; did you mean "target_language"?'),
    (pb.TranslateRequest, {"target": "de"}, "target", 'there is no such field; did you mean "target_language"?'),
    (pb.TranslateRequest, {"beams": 4}, "beams", 'there is no such field; did you mean "generation.num_beams"?'),
    (
        pb.TranslateRequest,
        {"num_beams": 4},
        "num_beams",
        'there is no such field; did you mean "generation.num_beams"?',
    ),
    (pb.TranslateRequest, {"kinds": []}, "kinds", 'there is no such field; did you mean "attention.kinds"?'),
    (pb.StreamTranslateRequest, {"texts": []}, "texts", 'there is no such field; did you mean "text"?'),
    (pb.CaptionRequest, {"image": "AAAA"}, "image", 'there is no such field; did you mean "images"?'),
    (pb.GetModelRequest, {"x": 1}, "x", "there is no such field; there are name, version"),
    (pb.TranslateRequest, {"texts": "Hi"}, "texts", 'must be a list, such as ["Hi"]; it is "Hi"'),
    (pb.TranslateRequest, {"texts": {"a": 1}}, "texts", "must be a list, such as [...]; it is an object"),
    (pb.TranslateRequest, {"texts": ["a", 3]}, "texts[1]", "must be a text in quotation marks; it is 3"),
    (pb.TranslateRequest, {"texts": [None]}, "texts[0]", "must be a text in quotation marks; it is null"),
    (pb.TranslateRequest, {"texts": [["Hi"]]}, "texts[0]", "must be a text in quotation marks; it is a list"),
    (
        pb.TranslateRequest,
        {"target_language": ["de"]},
        "target_language",
        "must be a text in quotation marks; it is a list",
    ),
    (pb.TranslateRequest, {"model": {"name": "x"}}, "model", "must be a text in quotation marks; it is an object"),
    (
        pb.TranslateRequest,
        {"attention": True},
        "attention",
        'must be an object with fields such as "kinds", "layers", "heads"; it is true',
    ),
    (
        pb.TranslateRequest,
        {"attention": {"kinds": "alignment"}},
        "attention.kinds",
        'must be a list, such as ["alignment"]; it is "alignment"',
    ),
    (
        pb.TranslateRequest,
        {"attention": {"kinds": ["aligment"]}},
        "attention.kinds[0]",
        '"aligment" is none of cross, alignment, encoder_self, decoder_self, rollout, channel, spatial; '
        'did you mean "alignment"?',
    ),
    (
        pb.TranslateRequest,
        {"attention": {"kinds": [True]}},
        "attention.kinds[0]",
        "must be one of cross, alignment, encoder_self, decoder_self, rollout, channel, spatial; it is true",
    ),
    (
        pb.TranslateRequest,
        {"attention": {"encoding": "fp16"}},
        "attention.encoding",
        '"fp16" is none of float32, float16, uint8, json',
    ),
    (pb.TranslateRequest, {"priority": "high"}, "priority", '"high" is none of interactive, bulk'),
    (
        pb.TranslateRequest,
        {"text_options": {"protected_spans": [[0, 1, 2]]}},
        "text_options.protected_spans[0]",
        'must be an object with fields such as "text", "span"; it is a list',
    ),
    (
        pb.TranslateRequest,
        {"text_options": {"protected_spans": [{"span": {"start": "x"}}]}},
        "text_options.protected_spans[0].span.start",
        'must be a whole number; it is "x"',
    ),
    (
        pb.TranslateRequest,
        {"generation": []},
        "generation",
        'must be an object with fields such as "num_beams", "max_new_tokens", "min_new_tokens"; it is a list',
    ),
    (
        pb.TranslateRequest,
        {"generation": {"num_beams": "four"}},
        "generation.num_beams",
        'must be a whole number; it is "four"',
    ),
    (
        pb.TranslateRequest,
        {"generation": {"num_beams": 4.5}},
        "generation.num_beams",
        "must be a whole number; it is 4.5",
    ),
    (
        pb.TranslateRequest,
        {"generation": {"num_beams": True}},
        "generation.num_beams",
        "must be a whole number; it is true",
    ),
    (
        pb.TranslateRequest,
        {"generation": {"num_beams": [4]}},
        "generation.num_beams",
        "must be a whole number; it is a list",
    ),
    (
        pb.TranslateRequest,
        {"generation": {"num_beams": 1e20}},
        "generation.num_beams",
        "must be in [-2147483648, 2147483647]; it is 1e+20",
    ),
    (
        pb.TranslateRequest,
        {"generation": {"temperature": "hot"}},
        "generation.temperature",
        'must be a number; it is "hot"',
    ),
    (
        pb.TranslateRequest,
        {"generation": {"temperature": math.nan}},
        "generation.temperature",
        "must be a number; it is NaN",
    ),
    (
        pb.TranslateRequest,
        {"generation": {"temperature": 1e39}},
        "generation.temperature",
        "must be in [-3.402823e+38, 3.402823e+38]; it is 1e+39",
    ),
    (
        pb.TranslateRequest,
        {"generation": {"whole_vocabulary": 1}},
        "generation.whole_vocabulary",
        "must be true or false; it is 1",
    ),
    (
        pb.TranslateRequest,
        {"targetLanguage": "de", "target_language": "fr"},
        "target_language",
        "is given twice, also as 'targetLanguage'",
    ),
    (pb.CaptionRequest, {"images": ["no base64!"]}, "images[0]", 'is not base64: "no base64!"'),
    (pb.CaptionRequest, {"images": ["ÄÄÄÄ"]}, "images[0]", 'is not base64: "ÄÄÄÄ"'),
    (
        pb.CaptionRequest,
        {"images": ["https://example.com/a.jpg"]},
        "images[0]",
        "is an address, which this server does not fetch; send the bytes in base64",
    ),
    (pb.CaptionRequest, {"images": [[137, 80]]}, "images[0]", "must be the bytes in base64, as a text; it is a list"),
    (
        pb.CaptionRequest,
        {"images": [{"type": "Buffer", "data": [137, 80]}]},  # as Node writes a Buffer
        "images[0]",
        "must be the bytes in base64, as a text; it is an object",
    ),
    (pb.CaptionRequest, {"images": ["data:image/svg+xml,<svg/>"]}, "images[0]", "is a data URL without ;base64"),
]


@pytest.mark.parametrize(("message", "body", "field", "description"), SLIPS, ids=lambda value: None)
def test_a_slip_is_named_with_its_field_its_value_and_what_was_meant(
    message: Any, body: Any, field: str, description: str
) -> None:
    found = violations_of(body, message)
    assert list(found) == [field]
    assert found[field] == description
    assert not FOREIGN.search(found[field])


def test_the_largest_float32_is_read_from_its_shortest_decimal() -> None:
    request = pb.TranslateRequest()
    read_body(b'{"generation": {"length_penalty": 3.4028235e38}}', request)  # as protobuf writes it
    assert request.generation.length_penalty == MAX_FLOAT32
    assert list(violations_of({"generation": {"length_penalty": 3.4028236e38}})) == ["generation.length_penalty"]


def test_every_violation_is_listed_at_once() -> None:
    found = violations_of(
        {"texts": [1, 2], "generation": {"num_beams": "x", "seed": "y"}, "attention": {"layers": ["z"]}}
    )
    assert list(found) == ["texts[0]", "texts[1]", "generation.num_beams", "generation.seed", "attention.layers[0]"]


def test_a_message_of_violations_is_not_looked_at_to_its_end() -> None:
    assert len(violations_of({f"num_beam{number}": 1 for number in range(1000)})) == MAX_VIOLATIONS


@pytest.mark.parametrize(
    ("body", "description"),
    [
        (b"", "the body is empty; it must be a JSON object"),
        (b"[1]", "the body must be a JSON object; it is a list"),
        (b'"a"', 'the body must be a JSON object; it is "a"'),
        (b"\xff{}", "is not valid UTF-8"),
        (b'{"texts": ["\\ud800"]}', "is not valid UTF-8"),
        (b'{"seed": ' + b"9" * 5000 + b"}", "the body holds a number of too many digits"),
        (b"[" * 100_000, "the body is nested too deeply"),
    ],
)
def test_a_body_that_is_no_object_is_described(body: bytes, description: str) -> None:
    assert violations_of(body) == {"request": description}


LONG = "a" * (MAX_CHARACTERS_HOLDING + 1)  # a body with it is parsed value by value


@pytest.mark.parametrize(
    ("body", "field", "description"),
    [
        (f'{{"texts": ["{LONG}"], "texts": ["b"]}}', "texts", "is given twice"),
        (f'{{"texts": ["{LONG}"], "generation": {{"seed": 1, "seed": 1}}}}', "seed", "is given twice"),
        (f'{{"texts": ["{LONG}", "\\ud800"]}}', "request", "is not valid UTF-8"),
        (f'{{"texts": ["{LONG}"], "\\udfff": 1}}', "request", "is not valid UTF-8"),
        (f'{{"texts": ["{LONG}"], "seed": {"9" * 5000}}}', "request", "the body holds a number of too many digits"),
        (f'{{"texts": ["{LONG}"], "x": {"[" * 5000}', "request", "the body is nested too deeply"),
        (
            f'{{"texts": "{LONG}"}}',
            "texts",
            f'must be a list, such as ["{"a" * MAX_SHOWN}..."]; it is "{"a" * MAX_SHOWN}..."',
        ),
    ],
)
def test_long_bodies_are_refused_for_what_short_ones_are(body: str, field: str, description: str) -> None:
    assert violations_of(body.encode()) == {field: description}


def test_many_names_of_which_the_last_is_given_twice_are_refused_at_once() -> None:
    """With the square of the time, this takes half an hour, and pytest's timeout ends it."""
    names = [*map(str, range(400_000)), "399999"]
    with pytest.raises(InvalidInput, match="399999: is given twice"):
        json_requests._object([(name, 1) for name in names])


def test_a_field_that_is_given_twice_is_no_field_that_is_dropped() -> None:
    assert violations_of(b'{"texts": ["a"], "texts": ["b"]}') == {"texts": "is given twice"}
    with pytest.raises(InvalidInput, match="text: is given twice"):
        read_query([("text", "a"), ("text", "b")], pb.StreamTranslateRequest())


def test_enums_have_short_names_whatever_their_case_long_names_and_numbers() -> None:
    for kind in ("alignment", "ALIGNMENT", "ATTENTION_KIND_ALIGNMENT", 2, "2"):
        request = pb.TranslateRequest()
        read_body(json.dumps({"attention": {"kinds": [kind]}}).encode(), request)
        assert list(request.attention.kinds) == [pb.ATTENTION_KIND_ALIGNMENT]
    unspecified = pb.TranslateRequest()
    read_body(b'{"priority": "PRIORITY_UNSPECIFIED"}', unspecified)
    assert unspecified.priority == pb.PRIORITY_UNSPECIFIED


def test_maps_as_numbers_are_float32_for_the_server() -> None:
    request = pb.TranslateRequest()
    assert read_body(b'{"attention": {"kinds": ["cross"], "encoding": "json"}}', request)
    assert request.attention.encoding == pb.ENCODING_FLOAT32
    assert not read_body(b'{"attention": {"kinds": ["cross"]}}', pb.TranslateRequest())
    query = [("text", "a"), ("attention.kinds", "cross"), ("attention.encoding", "json")]
    assert read_query(query, pb.StreamTranslateRequest())


def test_the_path_names_the_model_and_the_body_must_not_name_another() -> None:
    request = pb.LoadModelRequest()
    read_body(b"", request, {"name": "everyday"})
    assert request.name == "everyday"
    with pytest.raises(InvalidInput, match='name: is "other" in the body, but "everyday" in the path'):
        read_body(b'{"name": "other"}', pb.LoadModelRequest(), {"name": "everyday"})


def test_bytes_may_be_data_urls_as_browsers_write_them() -> None:
    request = pb.CaptionRequest()
    read_body(b'{"images": ["data:image/png;base64,AQID", "AQID", "DATA:;BASE64,AQID", "_-8"]}', request)
    assert list(request.images) == [b"\1\2\3"] * 3 + [b"\xff\xef"]
    single = pb.StreamCaptionRequest()
    read_body(b'{"image": "data:image/jpeg;charset=x;base64,AQID"}', single)
    assert single.image == b"\1\2\3"


def test_a_text_that_looks_like_a_data_url_is_a_text() -> None:
    request = pb.TranslateRequest()
    read_body(b'{"texts": ["data:text/plain;base64,AQID"]}', request)
    assert list(request.texts) == ["data:text/plain;base64,AQID"]


_WHOLE = st.integers(-(2**31), 2**31 - 1)
_FLOATS = st.floats(width=32, allow_nan=False, allow_infinity=False)
_REQUESTS = st.builds(
    pb.TranslateRequest,
    texts=st.lists(st.text(st.characters(codec="utf-8"))),
    target_language=st.text(st.characters(codec="utf-8")),
    model=st.none() | st.text(st.characters(codec="utf-8")),
    generation=st.none()
    | st.builds(
        pb.GenerationConfig,
        num_beams=st.none() | _WHOLE,
        length_penalty=st.none() | _FLOATS,
        seed=st.none() | st.integers(-(2**63), 2**63 - 1),
        whole_vocabulary=st.none() | st.booleans(),
        early_stopping=st.integers(0, 3),
    ),
    attention=st.none() | st.builds(pb.AttentionConfig, kinds=st.lists(st.integers(0, 5)), layers=st.lists(_WHOLE)),
    text_options=st.none()
    | st.builds(
        pb.TextOptions,
        raw=st.booleans(),
        protected_spans=st.lists(
            st.builds(pb.ProtectedSpan, text=_WHOLE, span=st.none() | st.builds(pb.Span, start=_WHOLE))
        ),
    ),
)


@given(_REQUESTS, st.booleans())
def test_what_protobuf_writes_is_read_as_the_same_message(request: pb.TranslateRequest, has_own_names: bool) -> None:
    written = json_format.MessageToJson(request, preserving_proto_field_name=has_own_names)
    read = pb.TranslateRequest()
    read_body(written.encode(), read)
    assert read == request


@given(_REQUESTS)
def test_long_bodies_are_read_as_short_ones(request: pb.TranslateRequest) -> None:
    written = json_format.MessageToJson(request, preserving_proto_field_name=True, ensure_ascii=False).encode()
    short, long = pb.TranslateRequest(), pb.TranslateRequest()
    read_body(written, short)
    read_body(b" " * MAX_CHARACTERS_HOLDING + written, long)
    assert short == long == request


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=6,
)
_FIELDS = st.sampled_from([field.name for field in pb.TranslateRequest.DESCRIPTOR.fields])


@given(st.dictionaries(_FIELDS, _JSON | st.dictionaries(st.sampled_from(["num_beams", "kinds", "span"]), _JSON)))
def test_any_json_is_a_message_or_a_described_error(value: dict[str, Any]) -> None:
    try:
        read_body(json.dumps(value).encode(), pb.TranslateRequest())
    except InvalidInput as refused:
        for violation in refused.violations:
            own_words = re.sub(r'"(?:[^"\\]|\\.)*"', "", violation.description)
            assert own_words
            assert not FOREIGN.search(own_words)


@given(st.binary())
def test_any_bytes_go_through_base64(content: bytes) -> None:
    request = pb.StreamCaptionRequest()
    read_body(json.dumps({"image": base64.b64encode(content).decode()}).encode(), request)
    assert request.image == content
