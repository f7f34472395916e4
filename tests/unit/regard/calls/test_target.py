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


def test_a_token_is_no_credentials() -> None:
    check_credentials(None)
    check_credentials(grpc.ssl_channel_credentials())
    with pytest.raises(TypeError, match=r"credentials must be what grpc.ssl_channel_credentials\(\) returns"):
        regard.Client("localhost", credentials="secret")  # type: ignore[arg-type]
