"""The server that a command calls: the one that is named, one that runs on this machine, or one inside the command."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import click
import grpc

from regard.calls.aio import AsyncClient
from regard.calls.client import Client

DEFAULT_SERVER = "localhost:50051"
TOKEN_VARIABLE = "REGARD_TOKEN"  # not an option: other users of the machine can read a process' options

_PROBE_TIMEOUT_S = 0.2
_SERVING_RESPONSE = b"\x08\x01"  # a serialized grpc.health.v1.HealthCheckResponse


@dataclass(frozen=True)
class Address:
    """A server's address, and how to connect to it.

    Attributes:
        target: "host:port", or any other name that gRPC resolves.
        tls_ca: PEM file of the authorities that may have signed the server's certificate; None sends plain text.
        token: bearer token sent with every call; None sends none.
    """

    target: str
    tls_ca: Path | None = None
    token: str | None = None

    def client(self, timeout: float = 60.0) -> Client:
        """A blocking client; `timeout` is the limit of its calls in seconds."""
        return Client(self.target, timeout=timeout, credentials=self._credentials(), metadata=self._metadata())

    def async_client(self) -> AsyncClient:
        """A client for asyncio."""
        return AsyncClient(self.target, credentials=self._credentials(), metadata=self._metadata())

    def _credentials(self) -> grpc.ChannelCredentials | None:
        return None if self.tls_ca is None else grpc.ssl_channel_credentials(self.tls_ca.read_bytes())

    def _metadata(self) -> tuple[tuple[str, str], ...]:
        return () if self.token is None else (("authorization", f"Bearer {self.token}"),)


@contextmanager
def open_server(named: str | None, tls_ca: Path | None, is_verbose: bool, *models: str | None) -> Iterator[Address]:
    """Yields the server to call; starts one if none is running, and stops it afterwards.

    Args:
        named: the server that the user names; used without a probe, with the token of the environment.
        tls_ca: see `Address`; only for a named server.
        is_verbose: prints on standard error which server it is.
        models: those that the command calls, if all are known, without None: an embedded server loads no other.
    """
    if tls_ca is not None and not named:
        raise click.UsageError("--tls-ca needs --server.")
    if named or is_healthy(DEFAULT_SERVER, _PROBE_TIMEOUT_S):
        target = named or DEFAULT_SERVER
        if is_verbose:
            click.echo(f"regard: asking {target}", err=True)
        yield Address(target, tls_ca, os.environ.get(TOKEN_VARIABLE) if named else None)
        return
    from regard.embedded.server import EmbeddedServer, ModelChoice

    names = [model.partition("@")[0] for model in models if model]
    with EmbeddedServer(ModelChoice(names if len(names) == len(models) else ()), is_verbose) as target:
        if is_verbose:
            click.echo(f"regard: no healthy server on {DEFAULT_SERVER}; asking an embedded one, {target}", err=True)
        yield Address(target)


def is_healthy(target: str, timeout_s: float) -> bool:
    """Whether a gRPC server answers there, within this time, that it is healthy."""
    # Without the generated health client, which the base install lacks.
    with grpc.insecure_channel(target, [("grpc.enable_http_proxy", 0)]) as channel:
        check = channel.unary_unary(
            "/grpc.health.v1.Health/Check", request_serializer=bytes, response_deserializer=bytes
        )
        try:
            return check(b"", timeout=timeout_s) == _SERVING_RESPONSE
        except grpc.RpcError:
            return False


def named(server: str | None) -> str:
    """The server that is named, or the usual one: a server that this command starts would end with it."""
    return server or DEFAULT_SERVER
