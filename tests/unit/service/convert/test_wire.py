"""Counts and names the entries of a message that is not parsed."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from regard.v1 import regard_pb2 as pb
from regard_service.convert.wire import MAX_OTHER_ENTRIES, check_message, path_at, walk
from regard_service.errors import InvalidInput
from regard_service.validation.limits import CallLimits

REQUEST = pb.TranslateRequest.DESCRIPTOR
LIMITS = CallLimits(max_inputs_per_call=128, max_text_characters=20_000)
texts = st.lists(st.text(max_size=200), max_size=5)


@given(texts, st.lists(st.tuples(st.text(max_size=20), st.text(max_size=20)), max_size=5), st.text(max_size=20))
def test_every_text_of_a_message_is_found_with_its_path(
    given_texts: list[str], terms: list[tuple[str, str]], language: str
) -> None:
    request = pb.TranslateRequest(texts=given_texts, target_language=language)
    expected = [(f"texts[{index}]", text) for index, text in enumerate(given_texts)]
    expected += [("target_language", language)] if language else []
    for index, (source, target) in enumerate(terms):
        request.terms.add(source=source, target=target)
        named = {"source": source, "target": target}
        expected += [(f"terms[{index}].{name}", text) for name, text in named.items() if text]
    raw = request.SerializeToString()
    found = [
        (path_at(REQUEST, raw, start), raw[start:end].decode())
        for field, start, end in walk(REQUEST, raw)
        if field is not None and field.is_text
    ]
    assert found == expected


@given(st.binary(max_size=300))
def test_bytes_that_are_no_message_end_the_walk(raw: bytes) -> None:
    for _, start, end in walk(REQUEST, raw):
        assert 0 <= start <= end <= len(raw)
        path_at(REQUEST, raw, start)


class Counted(bytes):
    """Counts which of its bytes are looked at."""

    num_looks = 0

    def __getitem__(self, index: object) -> int:  # type: ignore[override]
        self.num_looks += 1
        return super().__getitem__(index)  # type: ignore[call-overload, no-any-return]


@pytest.mark.parametrize(
    ("entry", "field"), [(b"\x12\0", "texts"), (b"\xf8\x3f\1", "request"), (b"\x22\0", "target_language")]
)
def test_counting_ends_at_the_limit(entry: bytes, field: str) -> None:
    raw = Counted(entry * 1_000_000)
    with pytest.raises(InvalidInput, match=f"{field}: a message has more than"):
        check_message(REQUEST, raw, LIMITS)
    assert raw.num_looks < 16 * (MAX_OTHER_ENTRIES + LIMITS.max_inputs_per_call)
