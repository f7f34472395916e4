"""Bytes that are not a request."""

from hypothesis import given
from hypothesis import strategies as st

from regard.v1 import regard_pb2 as pb
from regard_service.convert.malformed import describe_malformed


@given(st.lists(st.text(max_size=5), max_size=3), st.lists(st.text(max_size=5), max_size=3))
def test_the_text_that_is_not_utf8_is_named(before: list[str], after: list[str]) -> None:
    raw = pb.TranslateRequest(texts=before).SerializeToString() + b"\x12\x02\xc3\x28"
    raw += pb.TranslateRequest(texts=after, model="everyday", target_language="de").SerializeToString()
    error = describe_malformed("regard.v1.AttentionService.Translate", raw)
    assert [violation.field for violation in error.violations] == [f"texts[{len(before)}]"]


@given(st.binary(max_size=60))
def test_any_bytes_are_described(raw: bytes) -> None:
    assert describe_malformed("regard.v1.AttentionService.Translate", raw).violations
