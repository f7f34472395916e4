"""The gRPC port: channel arguments, binding, reflection."""

import asyncio
import math
import sys
from collections.abc import Sequence

import grpc
from google.protobuf.descriptor import ServiceDescriptor

from regard_service.app.free_ports import check_free
from regard_service.app.settings import Settings
from regard_service.app.start_error import StartError
from regard_service.app.tls import Certificates
from regard_service.http.server import MAX_HANDSHAKE_S
from regard_service.rpc.routes import Routes

REFLECTION_NAME = "grpc.reflection.v1alpha.ServerReflection"
NUM_SERVERS = 8  # behind a port
MAX_CALLS_PER_CONNECTION = 1024  # at a time; clients queue further calls
KEEPALIVE_TIMEOUT_MS = 20_000  # for the answer to a ping
MIN_PING_INTERVAL_MS = 10_000  # of clients

# The part of a request that may arrive before its call is admitted. Once the message is read, all of it may.
LOOKAHEAD_BYTES = 1 << 18


def grpc_options(settings: Settings) -> list[tuple[str, int]]:
    """Returns the channel arguments of the servers."""
    options = [
        # Requests are small. The probes of the bandwidth-delay product would cost a packet each way per call.
        ("grpc.http2.bdp_probe", 0),
        ("grpc.http2.lookahead_bytes", LOOKAHEAD_BYTES),
        ("grpc.per_message_decompression", 0),  # see regard_service.rpc.packed_messages
        ("grpc.max_receive_message_length", settings.max_message_bytes),
        ("grpc.max_send_message_length", settings.max_message_bytes),
        ("grpc.server_handshake_timeout_ms", round(min(MAX_HANDSHAKE_S, settings.client_timeout_s) * 1000)),
        ("grpc.max_connection_idle_ms", round(settings.max_connection_idle_s * 1000)),
        ("grpc.max_concurrent_streams", MAX_CALLS_PER_CONNECTION),
        # A call that is not accepted by then ends as CANCELLED; the default is 30 s.
        ("grpc.server_max_unrequested_time_in_server", math.ceil(settings.max_deadline_s)),
        ("grpc.keepalive_time_ms", round(settings.keepalive_s * 1000)),
        ("grpc.keepalive_timeout_ms", KEEPALIVE_TIMEOUT_MS),
        ("grpc.http2.ping_timeout_ms", KEEPALIVE_TIMEOUT_MS),  # the one that gRPC obeys; its default is a minute
        ("grpc.http2.min_ping_interval_without_data_ms", MIN_PING_INTERVAL_MS),
        ("grpc.keepalive_permit_without_calls", 1),
    ]
    if settings.max_connection_age_s is not None:
        options += [
            ("grpc.max_connection_age_ms", round(settings.max_connection_age_s * 1000)),
            ("grpc.max_connection_age_grace_ms", round(settings.max_deadline_s * 1000)),
        ]
    return options


class GrpcPort:
    """Servers that listen on one port; the system spreads new connections over them, by a hash of their addresses.

    A server of gRPC accepts one call in each turn of the event loop, and the calls of all its connections wait in one
    queue. Behind a thousand hostile ones, each of which is refused at once, an honest call would wait for as many
    turns, or be ended as CANCELLED because the queue is full. Several servers accept several calls a turn.

    Args:
        options: channel arguments of the servers.
        is_shared: with other processes of a group, which holds the port.
    """

    def __init__(self, options: Sequence[tuple[str, int]], *, is_shared: bool = False) -> None:
        number = NUM_SERVERS if sys.platform == "linux" else 1  # others do not spread connections
        shares = is_shared or number > 1
        self._is_shared = is_shared
        self._servers = [grpc.aio.server(options=[*options, ("grpc.so_reuseport", int(shares))]) for _ in range(number)]

    def bind(self, host: str, port: int, setting: str, certificates: Certificates | None = None) -> int:
        """Binds a port and returns its number. Args: setting: the port's, for errors. Raises StartError."""
        if not self._is_shared:
            check_free(host, port, setting)
        for server in self._servers:
            port = _bind(server, host, port, setting, certificates)
        return port

    def add_generic_rpc_handlers(self, handlers: Sequence[grpc.GenericRpcHandler]) -> None:
        """Adds handlers of calls."""
        for server in self._servers:
            server.add_generic_rpc_handlers(handlers)

    async def start(self) -> None:
        """Accepts calls."""
        for server in self._servers:
            await server.start()

    async def stop(self, grace_s: float | None) -> None:
        """Accepts no more calls, and closes the connections. Args: grace_s: for calls that run."""
        await asyncio.gather(*(server.stop(grace_s) for server in self._servers))


def _bind(server: grpc.aio.Server, host: str, port: int, setting: str, certificates: Certificates | None) -> int:
    address = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
    try:
        if certificates is not None:
            return server.add_secure_port(address, certificates.grpc_credentials())
        return server.add_insecure_port(address)
    except RuntimeError as error:  # gRPC gives no reason
        raise StartError(f"{setting}: cannot listen on {address}; is another server running there?") from error


def add_reflection(routes: Routes, services: Sequence[ServiceDescriptor]) -> None:
    # Imported only if reflection is on.
    """Registers gRPC reflection of the services and of health."""
    from grpc_reflection.v1alpha import reflection, reflection_pb2_grpc

    names = (*(service.full_name for service in services), "grpc.health.v1.Health", REFLECTION_NAME)
    servicer = reflection.aio.ReflectionServicer(names)
    reflection_pb2_grpc.add_ServerReflectionServicer_to_server(servicer, routes)
