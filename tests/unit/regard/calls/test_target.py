"""Targets, metadata and credentials: what gRPC would misread is refused in words."""

from typing import Any

import grpc
import pytest

import regard
from regard.calls.target import check_credentials, checked_metadata, checked_target


@pytest.mark.parametrize(
    ("target", "checked"),
    [
        ("localhost:50051", "localhost:50051"),
        ("localhost", "localhost:50051"),  # gRPC would take port 443
        (" regard.example ", "regard.example:50051"),
        ("[::1]", "[::1]:50051"),
        ("::1", "[::1]:50051"),
        ("[::1]:9", "[::1]:9"),
        ("dns:///regard.example:50051", "dns:///regard.example:50051"),
        ("ipv4:127.0.0.1:1,127.0.0.2:1", "ipv4:127.0.0.1:1,127.0.0.2:1"),
        ("unix:/run/regard.sock", "unix:/run/regard.sock"),
    ],
)
def test_a_target_has_a_port(target: str, checked: str) -> None:
    assert checked_target(target) == checked


@pytest.mark.parametrize(
    ("target", "advice"),
    [
        (
            "http://localhost:8080",
            "it is the URL 'http://localhost:8080'; the HTTP port, 8080 by default, takes no gRPC",
        ),
        ("https://regard.example/v1", "for TLS, pass credentials (--tls-ca on the command line)"),
        ("grpc://localhost:50051", "did you mean 'localhost:50051'?"),
        ("localhost:99999", "a port from 1 to 65535; it is 'localhost:99999'"),  # gRPC would take it modulo 65536
        ("localhost:0", "a port from 1 to 65535"),
        ("localhost:http", "a port from 1 to 65535"),
        ("localhost:", "a port from 1 to 65535"),
        ("", "such as 'localhost:50051'; it is ''"),
        (":50051", "must be HOST:PORT"),
        ("localhost:50051/v1", "must be HOST:PORT"),
        ("local host", "must be HOST:PORT"),
    ],
)
def test_what_is_no_target_is_refused_with_what_was_meant(target: str, advice: str) -> None:
    with pytest.raises(ValueError, match="target must be HOST:PORT") as refused:
        regard.Client(target)
    assert advice in str(refused.value)


def test_another_type_is_no_target() -> None:
    for wrong in (None, 50051, b"localhost"):
        with pytest.raises(TypeError, match="target must be a text such as 'localhost:50051'; it is of type"):
            checked_target(wrong)


def test_metadata_is_pairs_or_a_dictionary() -> None:
    pairs = (("authorization", "Bearer x"),)
    assert checked_metadata({"authorization": "Bearer x"}) == checked_metadata(list(pairs)) == pairs
    wrong: Any
    for wrong in ("Bearer x", [("a", 1)], [("a",)], 5):
        with pytest.raises(TypeError, match="metadata must be pairs such as"):
            checked_metadata(wrong)


@pytest.mark.parametrize(
    ("name", "value", "reason"),
    [
        ("x y", "z", "the name 'x y'; names consist of a-z, 0-9"),
        ("", "z", "the name ''"),
        ("key-bin", "z", "names with -bin are for bytes"),
        (
            "authorization",
            "Bearer \u201csecret\u201d",
            "has a value with '\u201c' at 7; values are printable ASCII",
        ),
        ("authorization", "secret\n", r"value with '\n' at 6"),
    ],
)
def test_metadata_is_what_http_takes(name: str, value: str, reason: str) -> None:
    assert checked_metadata({"Authorization": "Bearer x"}) == (("authorization", "Bearer x"),)
    with pytest.raises(ValueError, match="metadata") as refused:
        regard.Client(metadata={name: value})
    assert reason in str(refused.value)
    assert "secret" not in str(refused.value)


def test_a_clients_timeout_is_a_number() -> None:
    for wrong in (None, "5", True):
        with pytest.raises(TypeError, match=r"timeout must be a number of seconds; it is .*; math.inf is no limit"):
            regard.Client(timeout=wrong)  # type: ignore[arg-type]


def test_a_token_is_no_credentials() -> None:
    check_credentials(None)
    check_credentials(grpc.ssl_channel_credentials())
    with pytest.raises(TypeError, match=r"credentials must be what grpc.ssl_channel_credentials\(\) returns"):
        regard.Client("localhost", credentials="secret")  # type: ignore[arg-type]
