"""gRPC's messages about connections, as this version of gRPC writes them, in words."""

import socket
import threading
from collections.abc import Iterator

import grpc
import pytest
import trustme

import regard
from regard.errors import Unavailable
from regard.errors.connections import plain
from tests.waiting import PATIENCE_S


def message_of(target: str, credentials: grpc.ChannelCredentials | None = None) -> str:
    with regard.Client(target, credentials=credentials, timeout=PATIENCE_S) as client:
        with pytest.raises(Unavailable) as caught:
            client.models()
        return str(caught.value)


@pytest.fixture
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture
def tls_port(authority: trustme.CA) -> Iterator[int]:
    certificate = authority.issue_cert("localhost")
    key, chain = certificate.private_key_pem.bytes(), certificate.cert_chain_pems[0].bytes()
    server = grpc.server(None)  # type: ignore[arg-type]  # serves no method
    port = server.add_secure_port("127.0.0.1:0", grpc.ssl_server_credentials([(key, chain)]))
    server.start()
    yield port
    server.stop(None)


def trusting(authority: trustme.CA) -> grpc.ChannelCredentials:
    return grpc.ssl_channel_credentials(authority.cert_pem.bytes())


def test_nobody_listens() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # and does not listen
        port = taken.getsockname()[1]
        assert message_of(f"127.0.0.1:{port}") == f"no server listens on 127.0.0.1:{port}"


def test_another_protocol_is_named() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def answer() -> None:
            connection, _ = listening.accept()
            with connection:
                connection.sendall(b"HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\n\r\n")
                connection.recv(1 << 16)

        threading.Thread(target=answer, daemon=True).start()
        port = listening.getsockname()[1]
        assert message_of(f"127.0.0.1:{port}") == (
            f"127.0.0.1:{port} answers, but not with gRPC: is that the HTTP port? The gRPC port is by default 50051"
        )


def test_tls_that_does_not_fit_says_how(authority: trustme.CA, tls_port: int) -> None:
    place = f"127.0.0.1:{tls_port}"
    assert message_of(place) == f"{place} closes the connection at once: does it expect TLS (credentials, or --tls-ca)?"
    assert message_of(place, trusting(trustme.CA())).startswith(f"the certificate of {place} is not signed by")
    assert message_of(place, trusting(authority)) == f"the certificate of {place} is for another name"


def test_a_name_that_is_not_known() -> None:
    assert (
        plain(
            "errors resolving nohost.invalid:50051: [field:hostname lookup error:address lookup failed for "
            "nohost.invalid:50051: Domain name not found]"
        )
        == "the name nohost.invalid:50051 is not known"
    )


def test_any_other_message_stays() -> None:
    assert plain("the models are loading") == "the models are loading"
