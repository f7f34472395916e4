"""Requests of the JSON API as bytes: hostile ones, and errors."""

import json

import pytest

from regard.v1 import regard_pb2 as pb
from regard_service.errors import InvalidInput
from regard_service.http.json_requests import read_body


@pytest.mark.parametrize("mark", [".", "[", " ", ".a", '"'])
def test_a_long_wrong_value_is_refused_at_once(mark: str) -> None:
    """With the square of the time, these take half an hour or more, and pytest's timeout ends them."""
    value = " at a" + mark * 500_000 + "!"
    with pytest.raises(InvalidInput) as refused:
        read_body(json.dumps({"truncation": value}).encode(), pb.TranslateRequest())
    assert [violation.field for violation in refused.value.violations] == ["truncation"]


def test_protobufs_own_path_is_left_out_of_the_description() -> None:
    with pytest.raises(InvalidInput) as refused:
        read_body(b'{"truncation": "SOMEHOW"}', pb.TranslateRequest())
    (violation,) = refused.value.violations
    assert violation.description == "Invalid enum value SOMEHOW for enum type regard.v1.Truncation"


def test_bytes_may_be_data_urls_as_browsers_write_them() -> None:
    request = pb.CaptionRequest()
    read_body(b'{"images": ["data:image/png;base64,AQID", "AQID", "DATA:;BASE64,AQID"]}', request)
    assert list(request.images) == [b"\1\2\3"] * 3
    single = pb.StreamCaptionRequest()
    read_body(b'{"image": "data:image/jpeg;charset=x;base64,AQID"}', single)
    assert single.image == b"\1\2\3"


def test_a_data_url_that_is_not_base64_is_refused_and_a_text_that_looks_like_one_is_a_text() -> None:
    with pytest.raises(InvalidInput) as refused:
        read_body(b'{"images": ["data:image/svg+xml,<svg/>"]}', pb.CaptionRequest())
    assert [(v.field, v.description) for v in refused.value.violations] == [("images", "is a data URL without ;base64")]
    request = pb.TranslateRequest()
    read_body(b'{"texts": ["data:text/plain;base64,AQID"]}', request)
    assert list(request.texts) == ["data:text/plain;base64,AQID"]
