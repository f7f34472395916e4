"""Where the characters of an output stand among its tags."""

import pytest

from regard_service.calls.marked_passages import positions_within


@pytest.mark.parametrize(
    ("target", "written", "found"),
    [
        ("ab", "ab", [0, 1, 2]),
        ("ab", "<b>a</b>b", [3, 8, 9]),
        ("a & b", "a &amp; <i x='>'>b</i>", [0, 1, 2, 7, 17, 18]),
        ("a<b", "a&lt;b", [0, 1, 5, 6]),
        ("", "<br>", [0]),
        ("ax", "a", [0, 1, 1]),
    ],
)
def test_tags_and_references_are_passed(target: str, written: str, found: list[int]) -> None:
    assert positions_within(target, written) == found
