"""Requests that a page of another site makes a browser send."""

import pytest
from starlette.requests import Request

from regard_service.errors import Forbidden
from regard_service.http.sites import check_site


def request(**headers: str) -> Request:
    raw = [(name.replace("_", "-").encode(), value.encode()) for name, value in headers.items()]
    return Request({"type": "http", "method": "POST", "headers": raw, "path": "/", "query_string": b""})


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"sec_fetch_site": "same-origin", "origin": "https://here.example", "host": "inner:8080"},
        {"sec_fetch_site": "none"},
        {"origin": "http://here.example:8080", "host": "HERE.example:8080"},
    ],
)
def test_programs_and_own_pages_may_call(headers: dict[str, str]) -> None:
    check_site(request(**headers))


@pytest.mark.parametrize(
    "headers",
    [
        {"sec_fetch_site": "cross-site"},
        {"sec_fetch_site": "same-site", "origin": "http://here.example", "host": "here.example"},
        {"origin": "http://evil.example", "host": "here.example"},
        {"origin": "null", "host": "here.example"},
        {"origin": "http://here.example", "host": "here.example:8080"},
    ],
)
def test_pages_of_others_may_not(headers: dict[str, str]) -> None:
    with pytest.raises(Forbidden):
        check_site(request(**headers))
