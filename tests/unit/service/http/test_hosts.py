"""Hosts that the HTTP port answers to."""

import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.routing import Route
from starlette.testclient import TestClient

from regard_service.http.hosts import HostCheck, default_hosts


async def answer(request: Request) -> PlainTextResponse:
    return PlainTextResponse("answered")


@pytest.mark.parametrize(
    ("host", "is_allowed"),
    [
        ("localhost", True),
        ("LOCALHOST:8080", True),
        ("localhost.", True),
        ("127.0.0.1:8080", True),
        ("[::1]:8080", True),
        ("10.1.2.3", True),
        ("evil.example", False),
        ("localhost.evil.example", False),
        ("evil.example:8080", False),
        ("", False),
        ("127.0.0.1.evil.example", False),
    ],
)
def test_a_name_that_points_here_is_not_enough(host: str, is_allowed: bool) -> None:
    app = HostCheck(Starlette(routes=[Route("/", answer)]), default_hosts("127.0.0.1"))
    response = TestClient(app, base_url="http://localhost").get("/", headers={"host": host})
    assert response.status_code == (200 if is_allowed else 421)
    if not is_allowed:
        assert response.json()["reason"] == "HOST_NOT_ALLOWED"


def test_probes_need_no_host() -> None:
    app = HostCheck(Starlette(routes=[Route("/healthz", answer)]), default_hosts("127.0.0.1"))
    assert TestClient(app, base_url="http://localhost").get("/healthz", headers={"host": ""}).status_code == 200


@pytest.mark.parametrize(("address", "hosts"), [("::1", ("localhost",)), ("0.0.0.0", ("*",)), ("::", ("*",))])
def test_a_server_that_others_reach_answers_to_any_name_by_default(address: str, hosts: tuple[str, ...]) -> None:
    assert default_hosts(address) == hosts
