"""Whatever a body holds, a door reads it or refuses it by name: nothing else is raised."""

import json
from contextlib import suppress

from hypothesis import given, settings
from hypothesis import strategies as st

from regard_service.errors import Forbidden, InvalidInput
from regard_service.http.doors.fields import FORM, PARTS, Fields, read_fields
from regard_service.http.doors.given import Given
from regard_service.http.doors.hugging_face.generation import Parameters
from regard_service.http.doors.hugging_face.inputs import Inference, read_inference
from regard_service.http.doors.libretranslate.door import LIBRETRANSLATE

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)
NAMES = st.sampled_from(["q", "source", "target", "format", "alternatives", "api_key", "file", "inputs", "parameters"])
OF_PARTS = (b"--x", b"--x--", b"\r\n", b"\n", b"Content-Disposition: form-data", b'; name="q"', b'; filename="a.txt"')
OTHERS = (
    b"Content-Type: text/plain; charset=utf-16",
    b"Content-Length: 9",
    b"q=a&",
    b"%",
    b"%C3",
    b"\x00",
    b"\xff",
    b"{",
)
TOKENS = st.sampled_from([*OF_PARTS, *OTHERS])
BODIES = (
    st.binary(max_size=64)
    | st.lists(TOKENS, max_size=16).map(b"".join)
    | st.dictionaries(NAMES, JSON, max_size=5).map(lambda value: json.dumps(value).encode())
)
BOUNDARIES = ("x", '"', "\u00e9", "x" * 300, "")
OTHER_TYPES = ("application/json", "application/json; charset=utf-16", FORM, PARTS, "text/plain", "", ";")
TYPES = st.sampled_from([*OTHER_TYPES, *(f"{PARTS}; boundary={each}" for each in BOUNDARIES)])


@settings(max_examples=300, deadline=None)
@given(TYPES, BODIES)
def test_fields(content_type: str, body: bytes) -> None:
    with suppress(InvalidInput):
        assert isinstance(read_fields(content_type, body, [("q", "a")]), Fields)


@settings(max_examples=200, deadline=None)
@given(TYPES, BODIES)
def test_every_call_of_libretranslates_door(content_type: str, body: bytes) -> None:
    request = Given({"content-type": content_type}, (), {"filename": "a"}, body)
    for call in LIBRETRANSLATE.calls:
        with suppress(InvalidInput, Forbidden):
            call.read(request)


@settings(max_examples=200, deadline=None)
@given(TYPES, BODIES)
def test_hugging_faces_inputs(content_type: str, body: bytes) -> None:
    with suppress(InvalidInput):
        assert isinstance(
            read_inference(Given({"content-type": content_type}, (), {"model": "everyday"}, body)), Inference
        )


@settings(max_examples=200, deadline=None)
@given(
    st.dictionaries(
        st.sampled_from(["generate_parameters", "src_lang", "truncation", "max_length", "do_sample", "early_stopping"])
        | st.text(max_size=8),
        JSON,
        max_size=5,
    )
)
def test_hugging_faces_parameters(parameters: dict[str, object]) -> None:
    with suppress(InvalidInput):
        Parameters(parameters, has_languages=True, has_truncation=True)
