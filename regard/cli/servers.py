"""Which server a command asks: the one it is told, one that runs on this machine, or one inside itself."""

from collections.abc import Iterator
from contextlib import contextmanager

import click
import grpc

DEFAULT_SERVER = "localhost:50051"

_PROBE_S = 0.2
_HEALTHY = b"\x08\x01"  # a grpc.health.v1.HealthCheckResponse with status SERVING


@contextmanager
def chosen_server(named: str | None, verbose: bool, model: str | None = None) -> Iterator[str]:
    """The address of the server to ask; one that was started for this is stopped afterwards.

    Args:
        named: what the user says; asked without a probe.
        verbose: whether to say on standard error which one it is.
        model: the one model that will be asked for, if known: an embedded server loads no other.
    """
    if named or is_healthy(DEFAULT_SERVER, _PROBE_S):
        target = named or DEFAULT_SERVER
        if verbose:
            click.echo(f"regard: asking {target}", err=True)
        yield target
        return
    from regard.cli.embedded import EmbeddedServer

    with EmbeddedServer(model, verbose) as target:
        if verbose:
            click.echo(
                f"regard: nothing healthy on {DEFAULT_SERVER}, so asking a server of its own, {target}", err=True
            )
        yield target


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
