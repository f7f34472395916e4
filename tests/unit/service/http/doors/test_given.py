"""What a door's call knows of a request."""

import pytest
from starlette.requests import Request

from regard_service.errors import InvalidInput
from regard_service.http.doors.given import Given


@pytest.mark.parametrize(
    ("headers", "url"),
    [
        ({"host": "localhost:8080"}, "http://localhost:8080"),
        ({"host": "translate.example", "x-forwarded-proto": "https"}, "https://translate.example"),
        ({"host": "translate.example", "x-forwarded-proto": "javascript"}, "http://translate.example"),
    ],
)
def test_the_address_of_the_server_is_the_one_that_its_client_uses(headers: dict[str, str], url: str) -> None:
    raw = [(name.encode(), value.encode()) for name, value in headers.items()]
    scope = {"type": "http", "method": "GET", "headers": raw, "path": "/libretranslate/x", "query_string": b"q=a&q=b"}
    given = Given.of(Request(scope | {"scheme": "http", "server": ("inner", 80), "root_path": ""}), b"")
    assert given.base_url == url
    assert given.fields.every("q") == ["a", "b"]


@pytest.mark.parametrize("query", [b"q=A%ff%20cat", b"q=A\xff", b"q=a&%ff=b", b"q=%ed%a0%80"])
def test_a_query_that_is_not_utf_8_is_refused_and_no_other_text_takes_its_place(query: bytes) -> None:
    scope = {
        "type": "http",
        "method": "POST",
        "headers": [],
        "path": "/libretranslate/translate",
        "query_string": query,
    }
    with pytest.raises(InvalidInput, match="request: the query is not valid UTF-8"):
        Given.of(Request(scope | {"scheme": "http", "server": ("inner", 80), "root_path": ""}), b"")
