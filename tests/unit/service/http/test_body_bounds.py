"""Counts what a body holds."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from regard_service.errors import InvalidInput
from regard_service.http.body_bounds import MAX_OTHER_VALUES, SLICE_ESCAPES_BYTES, VALUES_PER_INPUT, counting

MAX_INPUTS = 4
ODD = st.text(st.sampled_from('ab,[{"\\\n/ü'), max_size=50)


@given(st.lists(ODD, max_size=4), st.integers(0, 3), st.booleans())
def test_what_stands_in_texts_is_not_counted(texts: list[str], num_slices: int, ascii_only: bool) -> None:
    """However the slices cut the escapes."""
    long = '\\"[,' * (num_slices * SLICE_ESCAPES_BYTES // 4) + 'x"'
    body = json.dumps({"texts": [*texts, long]}, ensure_ascii=ascii_only).encode()
    list(counting(body, MAX_INPUTS))


@given(ODD)
def test_what_stands_behind_a_text_is_counted(text: str) -> None:
    most = MAX_OTHER_VALUES + VALUES_PER_INPUT * MAX_INPUTS
    body = json.dumps({"texts": [text, "\\" * 2000], "layers": [0] * most}).encode()
    with pytest.raises(InvalidInput, match="no call has as many"):
        list(counting(body, MAX_INPUTS))


@pytest.mark.parametrize("end", [b"", b"\\", b'\\"', b'"'])
def test_a_body_that_ends_within_a_text_is_counted_to_its_end(end: bytes) -> None:
    list(counting(b'{"texts": ["' + b"\\n" * SLICE_ESCAPES_BYTES + end, MAX_INPUTS))


def test_a_long_text_with_escapes_is_scanned_in_slices() -> None:
    """A search holds the interpreter: 14 MB of escapes would for a tenth of a second."""
    body = b'{"texts": ["' + b'\\"' * 7_000_000 + b'"]}'
    assert sum(1 for _ in counting(body, MAX_INPUTS)) >= len(body) // SLICE_ESCAPES_BYTES
