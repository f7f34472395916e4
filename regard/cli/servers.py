"""Which server a command asks: the one it is told, one that runs on this machine, or one inside itself."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import click
import grpc

from regard.aio import AsyncClient
from regard.client import Client

DEFAULT_SERVER = "localhost:50051"
TOKEN_VARIABLE = "REGARD_TOKEN"  # no option: other users of the machine see those of a process

_PROBE_S = 0.2
_HEALTHY = b"\x08\x01"  # a grpc.health.v1.HealthCheckResponse with status SERVING


@dataclass(frozen=True)
class Address:
    """A server to ask.

    Attributes:
        tls_ca: PEM certificates, one of which signed the server's; None is plain text.
        token: sent with every call; None where the server wants none.
    """

    target: str
    tls_ca: Path | None = None
    token: str | None = None

    def client(self, timeout: float = 60.0) -> Client:
        return Client(self.target, timeout=timeout, credentials=self._credentials(), metadata=self._metadata())

    def async_client(self) -> AsyncClient:
        return AsyncClient(self.target, credentials=self._credentials(), metadata=self._metadata())

    def _credentials(self) -> grpc.ChannelCredentials | None:
        return None if self.tls_ca is None else grpc.ssl_channel_credentials(self.tls_ca.read_bytes())

    def _metadata(self) -> tuple[tuple[str, str], ...]:
        return () if self.token is None else (("authorization", f"Bearer {self.token}"),)


@contextmanager
def chosen_server(named: str | None, tls_ca: Path | None, verbose: bool, model: str | None = None) -> Iterator[Address]:
    """The server to ask; one that was started for this is stopped afterwards.

    Args:
        named: what the user says; asked without a probe, and with the token of the environment.
        tls_ca: for the server that is named.
        verbose: whether to say on standard error which one it is.
        model: the one model that will be asked for, if known: an embedded server loads no other.
    """
    if tls_ca is not None and not named:
        raise click.UsageError("--tls-ca needs --server.")
    if named or is_healthy(DEFAULT_SERVER, _PROBE_S):
        target = named or DEFAULT_SERVER
        if verbose:
            click.echo(f"regard: asking {target}", err=True)
        yield Address(target, tls_ca, os.environ.get(TOKEN_VARIABLE) if named else None)
        return
    from regard.cli.embedded import EmbeddedServer

    with EmbeddedServer(model, verbose) as target:
        if verbose:
            click.echo(
                f"regard: nothing healthy on {DEFAULT_SERVER}, so asking a server of its own, {target}", err=True
            )
        yield Address(target)


def is_healthy(target: str, timeout_s: float) -> bool:
    """Whether a gRPC server that calls itself healthy answers there within that time."""
    # By hand, as the generated health client is no part of the base install.
    with grpc.insecure_channel(target, [("grpc.enable_http_proxy", 0)]) as channel:
        check = channel.unary_unary(
            "/grpc.health.v1.Health/Check", request_serializer=bytes, response_deserializer=bytes
        )
        try:
            return check(b"", timeout=timeout_s) == _HEALTHY
        except grpc.RpcError:
            return False
