"""Fields of requests: JSON, forms, forms of parts and queries give the same, and faults name what is wrong."""

import json
import tracemalloc
from unittest import mock
from urllib.parse import parse_qsl, urlencode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from regard_service.errors import InvalidInput
from regard_service.http.doors import fields
from regard_service.http.doors.fields import FORM, PARTS, read_fields

PAIRS = [("q", "Grüße, Ana!"), ("source", "auto"), ("target", "de")]


def parts(pairs: list[tuple[str, str]], more: bytes = b"", boundary: str = "xyz") -> bytes:
    body = b""
    for name, value in pairs:
        body += f'--{boundary}\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n'.encode()
    return body + more + f"--{boundary}--\r\n".encode()


@pytest.mark.parametrize(
    ("content_type", "body", "query"),
    [
        ("application/json", json.dumps(dict(PAIRS)).encode(), []),
        ("application/json; charset=utf-8", json.dumps(dict(PAIRS), ensure_ascii=False).encode(), [("q", "ignored")]),
        (FORM, urlencode(PAIRS).encode(), []),
        (f"{PARTS}; boundary=xyz", parts(PAIRS), []),
        (f'{PARTS}; boundary="xyz"', parts(PAIRS), []),
        (FORM, urlencode(PAIRS[1:]).encode(), PAIRS[:1]),
        ("", b"", PAIRS),
        ("application/json", b"", PAIRS),
    ],
)
def test_fields_are_the_same_wherever_they_stand(content_type: str, body: bytes, query: list[tuple[str, str]]) -> None:
    fields = read_fields(content_type, body, query)
    assert {name: fields.get(name) for name, _ in PAIRS} == dict(PAIRS)
    assert fields.get("format") is None


@pytest.mark.parametrize(
    ("content_type", "body"),
    [(FORM, b"q=a&q=b"), (f"{PARTS}; boundary=xyz", parts([("q", "a"), ("q", "b")])), ("", b"")],
)
def test_a_form_repeats_a_name_to_give_a_list(content_type: str, body: bytes) -> None:
    fields = read_fields(content_type, body, [] if body else [("q", "a"), ("q", "b")])
    assert fields.every("q") == ["a", "b"]
    with pytest.raises(InvalidInput, match="q: is given twice"):
        fields.get("q")


def test_one_value_of_a_form_is_no_list() -> None:
    assert read_fields(FORM, b"q=a", []).every("q") == "a"


def test_a_file_has_its_name_type_and_bytes() -> None:
    data = bytes(range(256)) * 1000
    file = b'--xyz\r\nContent-Disposition: form-data; name="file"; filename="a.srt"\r\nContent-Type: text/plain\r\n\r\n'
    fields = read_fields(f"{PARTS}; boundary=xyz", parts(PAIRS, file + data + b"\r\n"), [])
    assert fields.files["file"].data == data
    assert (fields.files["file"].name, fields.files["file"].media_type) == ("a.srt", "text/plain")
    assert fields.get("target") == "de"


@pytest.mark.parametrize(
    ("content_type", "body", "fault"),
    [
        ("text/plain", b"q=a", "content-type must be application/json, .*; it is text/plain"),
        ("", b"q=a", "it is missing"),
        ("application/json", b"{", "is not JSON"),
        ("application/json", b"[1]", "must be a JSON object; it is a list"),
        ("application/json", b'{"q": "a", "q": "b"}', "q: is given twice"),
        ("application/json", b"\xff", "UTF-8"),
        (FORM, b"q=%ff", "UTF-8"),
        (FORM, b"q=\xc3\xa4", "UTF-8"),
        (FORM, b"q", "no form"),
        (FORM, b"&".join([b"q=a"] * 2000), "no form"),
        (PARTS, parts(PAIRS), "boundary"),
        (f"{PARTS}; boundary=xyz", b"--xyz\r\n", "no multipart"),
        (f"{PARTS}; boundary=xyz", parts(PAIRS)[:-20], "no multipart"),
        (f"{PARTS}; boundary=abc", parts(PAIRS), "no multipart"),
        (f"{PARTS}; boundary=xyz", parts([("q", "a")] * 2000), "no multipart"),
        (f"{PARTS}; boundary=xyz", parts([]).replace(b"--\r\n", b"\r\n\r\nq"), "no multipart"),
    ],
)
def test_a_body_that_is_not_of_its_type_is_refused(content_type: str, body: bytes, fault: str) -> None:
    with pytest.raises(InvalidInput, match=fault):
        read_fields(content_type, body, [])


def test_text_of_a_part_that_is_no_utf_8_names_its_field() -> None:
    body = b'--xyz\r\nContent-Disposition: form-data; name="q"\r\n\r\n\xff\r\n--xyz--\r\n'
    with pytest.raises(InvalidInput, match=r"q: .*UTF-8"):
        read_fields(f"{PARTS}; boundary=xyz", body, [])


ESCAPED = st.lists(st.sampled_from(["g", "+", "%C3%A4", "%41", "%", "%4", "%zz", "k" * 5, "%2B"]), max_size=12)


@given(st.lists(st.tuples(ESCAPED.map("".join), ESCAPED.map("".join)), min_size=1, max_size=4), st.integers(3, 40))
def test_a_form_is_read_as_by_urllib_whatever_its_slices(pairs: list[tuple[str, str]], size: int) -> None:
    body = "&".join(f"{name}={value}" for name, value in pairs)
    expected: dict[str, list[str]] = {}
    for name, value in parse_qsl(body, keep_blank_values=True, strict_parsing=True):
        expected.setdefault(name, []).append(value)
    with mock.patch.object(fields, "SLICE_BYTES", size):
        assert read_fields(FORM, body.encode(), []).values == expected


def test_escapes_take_no_more_memory_than_a_few_times_the_body() -> None:
    """Each is an object of 34 bytes to urllib: 900 MB of a body of 12 MB were seen."""
    body = b"q=" + b"%41" * 500_000
    tracemalloc.start()
    try:
        assert len(read_fields(FORM, body, []).get("q")) == 500_000
        assert tracemalloc.get_traced_memory()[1] < 5 * len(body)
    finally:
        tracemalloc.stop()
