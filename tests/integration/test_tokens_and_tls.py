"""A server with tokens and TLS over real ports, gRPC and HTTP alike."""

import http.client
import json
import socket
import ssl
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import grpc
import pytest
import trustme
from click.testing import CliRunner, Result
from grpc_health.v1 import health_pb2, health_pb2_grpc

import regard
from regard.cli import main
from regard.v1 import regard_pb2 as pb
from regard.v1 import regard_pb2_grpc as stubs
from regard_service.app.server import Server
from regard_service.app.settings import Settings
from regard_service.app.start_error import StartError
from regard_service.auth.tokens import hash_token
from tests.integration.conftest import running
from tests.waiting import PATIENCE_S

USER, RARE, ADMIN = "the user's token", "the rare caller's token", "the administrator's token"
TOKENS = f"""
[[tokens]]
name = "user"
sha256 = "{hash_token(USER)}"
scopes = ["infer"]

[[tokens]]
name = "rare"
sha256 = "{hash_token(RARE)}"
scopes = ["infer"]
requests_per_s = 0.01

[[tokens]]
name = "admin"
sha256 = "{hash_token(ADMIN)}"
scopes = ["infer", "admin"]
"""


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory, authority: trustme.CA) -> Path:
    folder = tmp_path_factory.mktemp("guarding")
    (folder / "tokens.toml").write_text(TOKENS)
    authority.cert_pem.write_to_path(str(folder / "ca.pem"))
    _issue(authority, folder)
    return folder


def _issue(authority: trustme.CA, folder: Path) -> None:
    issued = authority.issue_cert("localhost", "127.0.0.1")
    issued.private_key_pem.write_to_path(str(folder / "key.pem"))
    (folder / "cert.pem").write_bytes(b"".join(blob.bytes() for blob in issued.cert_chain_pems))


@pytest.fixture(scope="module")
def server(folder: Path) -> Iterator[Server]:
    settings = Settings(
        grpc_port=0,
        http_port=0,
        health_port=0,
        models=("everyday",),
        tokens_file=folder / "tokens.toml",
        tls_certificate=folder / "cert.pem",
        tls_key=folder / "key.pem",
    )
    with running(settings) as server:
        yield server


def _client(server: Server, folder: Path, token: str | None) -> regard.Client:
    credentials = grpc.ssl_channel_credentials((folder / "ca.pem").read_bytes())
    metadata = () if token is None else (("authorization", f"Bearer {token}"),)
    return regard.Client(f"localhost:{server.grpc_port}", credentials=credentials, metadata=metadata)


def test_a_caller_with_a_token_is_served(server: Server, folder: Path) -> None:
    with _client(server, folder, ADMIN) as client:
        assert client.translate("Thank you.", to="de").text
        assert [model.name for model in client.models()] == ["everyday"]


def _command_line(server: Server, folder: Path, token: str, *command: str, stdin: str = "") -> Result:
    options = ["--server", f"localhost:{server.grpc_port}", "--tls-ca", str(folder / "ca.pem")]
    return CliRunner(env={"REGARD_TOKEN": token}).invoke(main, [*command, *options], input=stdin)


def test_the_command_line_uses_tls_and_a_token(server: Server, folder: Path) -> None:
    listed = _command_line(server, folder, ADMIN, "models")
    assert (listed.exit_code, "everyday" in listed.stdout) == (0, True), listed.stderr
    one = _command_line(server, folder, ADMIN, "translate", "Thank you.", "--to", "de")
    lines = _command_line(server, folder, ADMIN, "translate", "-", "--to", "de", stdin="Thank you.\nThank you.\n")
    assert (one.exit_code, lines.exit_code) == (0, 0), one.stderr + lines.stderr
    assert lines.stdout == one.stdout * 2 != ""
    refused = _command_line(server, folder, "a wrong one", "models")
    assert refused.exit_code == 1
    assert "REGARD_TOKEN" in refused.stderr


@pytest.mark.parametrize("token", [None, "a wrong one"])
def test_a_caller_without_a_token_is_refused(server: Server, folder: Path, token: str | None) -> None:
    with _client(server, folder, token) as client, pytest.raises(regard.AccessDenied) as raised:
        client.translate("Thank you.", to="de")
    assert raised.value.code == "UNAUTHENTICATED"


def test_an_admin_call_needs_its_scope(server: Server, folder: Path) -> None:
    credentials = grpc.ssl_channel_credentials((folder / "ca.pem").read_bytes())
    with grpc.secure_channel(f"localhost:{server.grpc_port}", credentials) as channel:
        stub = stubs.ModelServiceStub(channel)
        codes = []
        for token in (USER, ADMIN):
            with pytest.raises(grpc.RpcError) as raised:
                stub.LoadModel(
                    pb.LoadModelRequest(name="no such model"),
                    metadata=(("authorization", f"Bearer {token}"),),
                    timeout=PATIENCE_S,
                )
            codes.append(raised.value.code())
    assert codes[0] == grpc.StatusCode.PERMISSION_DENIED
    assert codes[1] != grpc.StatusCode.PERMISSION_DENIED


def test_a_caller_that_asks_too_often_is_told_when_to_return(server: Server, folder: Path) -> None:
    """One call per 100 s is allowed: no machine is so slow that two calls are further apart."""
    with _client(server, folder, RARE) as client:
        client.models()
        with pytest.raises(regard.Overloaded) as raised:
            client.models()
    assert raised.value.retry_after_s is not None
    assert 0 < raised.value.retry_after_s <= 100


def test_a_connection_without_tls_is_refused(server: Server) -> None:
    with regard.Client(f"localhost:{server.grpc_port}", timeout=1) as client, pytest.raises(regard.CallError):
        client.translate("Thank you.", to="de")


def test_probes_need_neither_token_nor_tls(server: Server) -> None:
    with grpc.insecure_channel(f"127.0.0.1:{server.health_port}") as channel:
        response = health_pb2_grpc.HealthStub(channel).Check(health_pb2.HealthCheckRequest(), timeout=PATIENCE_S)
    assert response.status == health_pb2.HealthCheckResponse.SERVING


def _post(server: Server, folder: Path, token: str | None) -> str:
    request = urllib.request.Request(
        f"https://localhost:{server.http_port}/v1/translate",
        data=json.dumps({"texts": ["Thank you."], "target_language": "de"}).encode(),
        headers={"content-type": "application/json"} | ({} if token is None else {"authorization": f"Bearer {token}"}),
    )
    context = ssl.create_default_context(cafile=str(folder / "ca.pem"))
    with urllib.request.urlopen(request, timeout=PATIENCE_S, context=context) as response:
        answer: str = json.load(response)["results"][0]["hypotheses"][0]["text"]
    return answer


def test_http_needs_the_same_tokens_over_tls(server: Server, folder: Path) -> None:
    assert _post(server, folder, ADMIN)
    for token in (None, "a wrong one"):
        with pytest.raises(urllib.error.HTTPError) as raised:
            _post(server, folder, token)
        assert raised.value.code == 401
        raised.value.close()


def test_a_renewed_certificate_is_used_without_a_restart(server: Server, folder: Path, authority: trustme.CA) -> None:
    def presented(port: int) -> bytes | None:
        context = ssl.create_default_context(cafile=str(folder / "ca.pem"))
        context.set_alpn_protocols(["h2", "http/1.1"])
        plain = socket.create_connection(("127.0.0.1", port), timeout=PATIENCE_S)
        with context.wrap_socket(plain, server_hostname="localhost") as secure:
            return secure.getpeercert(binary_form=True)

    ports = (server.grpc_port, server.http_port)
    before = [presented(port) for port in ports]
    _issue(authority, folder)
    after = [presented(port) for port in ports]
    assert len({*before}) == 1
    assert len({*after}) == 1
    assert before[0] != after[0]
    with _client(server, folder, ADMIN) as client:
        assert client.models()


def test_a_half_written_certificate_is_not_used(server: Server, folder: Path) -> None:
    whole = (folder / "cert.pem").read_bytes()
    (folder / "cert.pem").write_bytes(whole[:200])
    try:
        with _client(server, folder, ADMIN) as client:
            assert client.models()
    finally:
        (folder / "cert.pem").write_bytes(whole)


def test_mutual_tls_needs_a_clients_certificate(folder: Path, authority: trustme.CA) -> None:
    settings = Settings(
        grpc_port=0,
        http_port=0,
        models=("everyday",),
        tls_certificate=folder / "cert.pem",
        tls_key=folder / "key.pem",
        tls_client_ca=folder / "ca.pem",
    )
    own = authority.issue_cert("somebody")
    root = (folder / "ca.pem").read_bytes()
    known = grpc.ssl_channel_credentials(root, own.private_key_pem.bytes(), own.cert_chain_pems[0].bytes())
    with running(settings) as server:
        with regard.Client(f"localhost:{server.grpc_port}", credentials=known) as client:
            assert client.translate("Thank you.", to="de").text
        unknown = grpc.ssl_channel_credentials(root)
        client = regard.Client(f"localhost:{server.grpc_port}", credentials=unknown, timeout=1)
        with client, pytest.raises(regard.CallError):
            client.models()
        assert b"regard_model_state" in _get(server, folder, "/metrics", own)
        with pytest.raises((ssl.SSLError, ConnectionError)):
            _get(server, folder, "/metrics", None)


def _get(server: Server, folder: Path, path: str, own: trustme.LeafCert | None) -> bytes:
    """Returns the response of the HTTP port to a client with this certificate, or with none."""
    context = ssl.create_default_context(cafile=str(folder / "ca.pem"))
    if own is not None:
        own.configure_cert(context)
    connection = http.client.HTTPSConnection("localhost", server.http_port, timeout=PATIENCE_S, context=context)
    with closing(connection):
        connection.request("GET", path)
        return connection.getresponse().read()


@pytest.mark.parametrize("broken", ["tokens_file", "tls_certificate"])
async def test_a_server_with_broken_files_does_not_start(folder: Path, tmp_path: Path, broken: str) -> None:
    (tmp_path / "broken").write_text("this is neither")
    options = {"tls_certificate": folder / "cert.pem", "tls_key": folder / "key.pem", broken: tmp_path / "broken"}
    with pytest.raises(StartError, match="broken"):
        await Server(Settings(grpc_port=0, http_port=0, **options)).start()


def test_each_port_sees_a_renewal_and_a_withdrawn_authority(tmp_path: Path) -> None:
    """First HTTPS notices, then gRPC: one must not hide the change from the other. Clients of the old authority are
    refused on both.
    """
    old, new = trustme.CA(), trustme.CA()
    old.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    _issue(old, tmp_path)
    settings = Settings(
        grpc_port=0,
        http_port=0,
        models=("everyday",),
        tls_certificate=tmp_path / "cert.pem",
        tls_key=tmp_path / "key.pem",
        tls_client_ca=tmp_path / "ca.pem",
    )
    with running(settings) as server:
        client = {authority: _identity(authority, tmp_path, name) for authority, name in ((old, "old"), (new, "new"))}
        assert _https_status(server, old, client[old]) == 200
        assert _health(server, old, client[old]) is None
        new.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
        _issue(new, tmp_path)
        assert _https_status(server, new, client[new]) == 200
        assert _health(server, new, client[new]) is None
        with pytest.raises((ssl.SSLError, OSError)):
            _https_status(server, new, client[old])
        assert _health(server, new, client[old]) is grpc.StatusCode.UNAVAILABLE


def _identity(authority: trustme.CA, folder: Path, name: str) -> Path:
    """Writes a client's certificate and key."""
    file = folder / f"{name}-client.pem"
    authority.issue_cert("client.test").private_key_and_cert_chain_pem.write_to_path(str(file))
    return file


def _https_status(server: Server, authority: trustme.CA, identity: Path) -> int:
    context = ssl.create_default_context()
    authority.configure_trust(context)
    context.load_cert_chain(identity)
    connection = http.client.HTTPSConnection("localhost", server.http_port, context=context, timeout=PATIENCE_S)
    with closing(connection):
        connection.request("GET", "/healthz")
        return connection.getresponse().status


def _health(server: Server, authority: trustme.CA, identity: Path) -> grpc.StatusCode | None:
    """Returns the code of a failed health check; None if it succeeds."""
    pem = identity.read_bytes()
    credentials = grpc.ssl_channel_credentials(authority.cert_pem.bytes(), pem, pem)
    with grpc.secure_channel(f"localhost:{server.grpc_port}", credentials) as channel:
        try:
            health_pb2_grpc.HealthStub(channel).Check(health_pb2.HealthCheckRequest(), timeout=PATIENCE_S)
        except grpc.RpcError as error:
            return error.code()
    return None


def test_half_of_a_tls_greeting_ends_in_seconds(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """On both ports; with half a second here in place of ten."""
    monkeypatch.setattr("regard_service.http.server.MAX_HANDSHAKE_S", 0.5)
    monkeypatch.setattr("regard_service.app.grpc_port.MAX_HANDSHAKE_S", 0.5)
    settings = Settings(
        grpc_port=0,
        http_port=0,
        models=("everyday",),
        tls_certificate=folder / "cert.pem",
        tls_key=folder / "key.pem",
        client_timeout_s=10 * PATIENCE_S,
    )
    with running(settings) as server:
        for port in (server.grpc_port, server.http_port):
            with socket.create_connection(("127.0.0.1", port), timeout=PATIENCE_S) as half:
                half.sendall(b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(20))
                try:
                    while half.recv(4096):
                        pass
                except ConnectionResetError:
                    pass
