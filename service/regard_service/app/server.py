"""The server: binds its ports, loads its models, serves, and drains. Wiring only."""

import argparse
import asyncio
import gc
import logging
import signal
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, cast

import grpc
import uvloop
from google.protobuf.descriptor import ServiceDescriptor
from grpc_health.v1 import health_pb2_grpc  # type: ignore[import-untyped]

from regard.v1 import regard_pb2 as pb
from regard.v1 import regard_pb2_grpc as pb_grpc
from regard_service.app.health import Health, unready_reasons
from regard_service.app.settings import Settings, SettingsError, add_flags
from regard_service.calls.handlers import Handlers
from regard_service.convert.requests import RequestReader
from regard_service.engine.core.observer import EngineObserver
from regard_service.errors import ServiceError
from regard_service.guard.guard import Guard
from regard_service.guard.tls import Certificates, TlsError
from regard_service.guard.tokens import Scope, TokenFile, TokensError
from regard_service.http.api import Api
from regard_service.http.app import create_app
from regard_service.http.server import HttpServer
from regard_service.layers.errors import ErrorLayer
from regard_service.layers.gate import Gate
from regard_service.layers.guard import GuardLayer
from regard_service.layers.metrics import MetricsLayer
from regard_service.layers.peer import PeerLayer
from regard_service.layers.request_log import RequestLog
from regard_service.layers.routes import Routes
from regard_service.layers.tracing import TracingLayer
from regard_service.observability import logs
from regard_service.observability.metrics import Metrics
from regard_service.observability.tracing.switch import TracingUnavailable, open_tracing
from regard_service.observability.watchdog import Watchdog
from regard_service.open_inference import open_inference_pb2_grpc as v2_grpc
from regard_service.servicers.attention import AttentionServicer
from regard_service.servicers.inference import SERVICE as INFERENCE_SERVICE
from regard_service.servicers.inference import InferenceServicer
from regard_service.servicers.model import ModelServicer

if TYPE_CHECKING:
    from regard_service.observability.tracing.spans import Tracing

SERVICES = tuple(pb.DESCRIPTOR.services_by_name.values())
REFLECTION_NAME = "grpc.reflection.v1alpha.ServerReflection"
QUIET_S = 0.25  # without a call, before connections are closed: who has just got an answer may call again
MAX_QUIET_S = 1.0  # for callers who keep calling
CLOSE_GRACE_S = 0.2  # for what is no call of the API, such as an open reflection stream
MIN_ENGINE_DRAIN_S = 1.0
MAX_CALLS_PER_CONNECTION = 1024  # at a time; a client holds back what is more
KEEPALIVE_TIMEOUT_MS = 20_000  # for the answer to a ping
TRACES_GRACE_S = 3.0  # for the last traces to reach their collector

OpenHandlers = Callable[[Settings, EngineObserver], Handlers]

# A worker that comes back from a step of a millisecond or two waits for the interpreter while the event loop has it:
# at most for so long, instead of Python's 5 ms, in which its core would idle.
SWITCH_INTERVAL_S = 0.0002

# How much of a request may be under way: a photograph comes as fast as on a connection of its own, up to 10 MB/s over
# 100 ms.
LOOKAHEAD_BYTES = 1 << 20

# So many new objects are looked through for cycles at a time. A call makes about a thousand, nearly all gone with it:
# with Python's 700, a twentieth of the time around the graphs went into looking.
YOUNG_OBJECTS = 20_000

log = logging.getLogger(__name__)


class StartError(Exception):
    """The server cannot start, and why."""


class Server:
    """One server: gRPC, health and HTTP on their ports, in one event loop.

        async with Server(settings) as server:
            ...  # server.grpc_port answers

    Args:
        open_handlers: loads the models; runs in a thread, so that HTTP tells meanwhile that it is not ready.
    """

    def __init__(self, settings: Settings, open_handlers: OpenHandlers = Handlers.open) -> None:
        self._settings = settings
        self._open_handlers = open_handlers
        self._metrics = Metrics()
        self._metrics.queue_limit.set(settings.max_queue)
        self._services = (*SERVICES, INFERENCE_SERVICE) if settings.open_inference else SERVICES
        names = [service.full_name for service in self._services]
        self._health = Health(names)
        self._gate = Gate(names)
        self._guard: Guard | None = None
        self._tracing: Tracing | None = None
        self._handlers: Handlers | None = None
        self._routes: Routes | None = None
        self._grpc: grpc.aio.Server | None = None
        self._probes: grpc.aio.Server | None = None
        self._http: HttpServer | None = None
        self._is_draining = False
        self._watching: asyncio.Task[None] | None = None
        self._stopping: asyncio.Task[None] | None = None
        self.grpc_port = 0
        self.http_port = 0
        self.health_port: int | None = None

    async def __aenter__(self) -> "Server":
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.stop()

    async def start(self) -> None:
        """Takes the ports, loads the models, serves.

        Raises:
            StartError: a port is taken, or tokens or certificates cannot be used.
            ServiceError: a model that the settings name cannot be served.
        """
        try:
            await self._start()
        except BaseException:
            await self.stop(drain_timeout_s=0)
            raise
        log.info("serving", extra=logs.fields(**self._addresses()))

    async def _start(self) -> None:
        self._guard = _open_guard(self._settings)
        self._take_ports()
        self._handlers = await asyncio.to_thread(self._open_handlers, self._settings, self._metrics.engine)
        self._metrics.watch_models(self._handlers.models)
        self._metrics.watch_engine(self._handlers.usage)
        self._tracing = _open_tracing(self._settings)
        self._add_services(self._handlers)
        for server in (self._grpc, self._probes):
            if server is not None:
                await server.start()
        self._refresh_health()
        watchdog = Watchdog(self._handlers.stalled_s, self._settings.watchdog_timeout_s, self._health.set_live)
        self._watching = asyncio.get_running_loop().create_task(watchdog.run())

    def _take_ports(self) -> None:
        """Binds every port before any model is loaded, so that a taken one is told at once."""
        settings = self._settings
        try:
            api = Api(lambda: self._routes, settings.max_message_bytes) if settings.http_api else None
            app = create_app(
                self._metrics.registry, self._unready, api, lambda: self.grpc_port, lambda: self._health.is_live
            )
            certificates = _certificates(settings)
            self._http = HttpServer(
                app, settings.host, settings.http_port, certificates, timeout_s=settings.client_timeout_s
            )
        except OSError as error:
            raise StartError(f"http_port: cannot listen on {settings.host}:{settings.http_port}: {error}") from error
        self.http_port = self._http.port
        self._http.start()
        self._grpc = grpc.aio.server(options=grpc_options(settings))
        self.grpc_port = _bind(self._grpc, settings.host, settings.grpc_port, "grpc_port", certificates)
        if settings.health_port is not None:
            self._probes = grpc.aio.server(options=grpc_options(settings))
            self.health_port = _bind(self._probes, settings.host, settings.health_port, "health_port")

    def _add_services(self, handlers: Handlers) -> None:
        attention = AttentionServicer(handlers, RequestReader(self._settings), self._metrics.attention)
        whose = PeerLayer() if self._guard is None else GuardLayer(self._guard, _scopes(self._services))
        tracing = () if self._tracing is None else (TracingLayer(self._tracing),)
        routes = Routes(
            RequestLog(),
            *tracing,
            MetricsLayer(self._metrics.grpc),
            ErrorLayer(self._metrics.refusals.count),
            whose,
            self._gate,
            message_timeout_s=self._settings.client_timeout_s,
        )
        registry = cast(grpc.aio.Server, routes)  # as far as adding a servicer goes
        pb_grpc.add_AttentionServiceServicer_to_server(attention, registry)
        pb_grpc.add_ModelServiceServicer_to_server(ModelServicer(handlers, self._refresh_health), registry)
        if self._settings.open_inference:
            servicer = InferenceServicer(handlers, RequestReader(self._settings), self._metrics.attention)
            v2_grpc.add_GRPCInferenceServiceServicer_to_server(servicer, registry)
        health_pb2_grpc.add_HealthServicer_to_server(self._health, registry)
        self._metrics.grpc.expect(_method_labels(self._services))
        if self._settings.reflection:
            _add_reflection(routes, self._services)
        self._routes = routes
        if self._grpc is not None:
            self._grpc.add_generic_rpc_handlers((routes,))
        if self._probes is not None:
            errors = ErrorLayer(self._metrics.refusals.count)
            probes = Routes(errors, message_timeout_s=self._settings.client_timeout_s)
            health_pb2_grpc.add_HealthServicer_to_server(self._health, cast(grpc.aio.Server, probes))
            self._probes.add_generic_rpc_handlers((probes,))

    def _refresh_health(self) -> None:
        if self._handlers is not None:
            self._health.update(self._handlers.models())

    def _unready(self) -> list[str]:
        if self._is_draining:
            return ["the server is draining"]
        if self._handlers is None:
            return ["the models are loading"]
        return unready_reasons(self._handlers.models())

    def _addresses(self) -> dict[str, object]:
        addresses = {"grpc_port": self.grpc_port, "http_port": self.http_port, "health_port": self.health_port}
        return {"host": self._settings.host} | {name: port for name, port in addresses.items() if port is not None}

    async def stop(self, drain_timeout_s: float | None = None) -> None:
        """Finishes the calls there are, takes no more, and stops. Called again, it waits for the first to end."""
        if self._stopping is None:
            budget = self._settings.drain_timeout_s if drain_timeout_s is None else drain_timeout_s
            self._stopping = asyncio.get_running_loop().create_task(self._stop(budget))
        await self._stopping

    async def _stop(self, budget: float) -> None:
        """Health first, the engine after gRPC, HTTP last."""
        end = time.monotonic() + budget
        self._is_draining = True
        self._health.close()
        if self._grpc is not None:
            await self._drain_grpc(self._grpc, budget)
        if self._handlers is not None:
            await self._handlers.drain(max(end - time.monotonic(), MIN_ENGINE_DRAIN_S))
            self._handlers.close()
        if self._probes is not None:
            await self._probes.stop(0)
        if self._http is not None:
            await self._http.stop()
        if self._watching is not None:
            self._watching.cancel()
        if self._tracing is not None:
            await asyncio.to_thread(self._tracing.close, TRACES_GRACE_S)

    async def _drain_grpc(self, server: grpc.aio.Server, budget: float) -> None:
        """Serves on for a moment, then refuses new calls while those in flight end, then closes the connections.

        Were the connections closed first, calls that had just arrived would end as CANCELLED, which few clients repeat.
        """
        with suppress(TimeoutError):
            async with asyncio.timeout(budget):
                await asyncio.sleep(self._settings.drain_delay_s)
                self._gate.close()
                await self._gate.wait_until_empty()
                with suppress(TimeoutError):
                    async with asyncio.timeout(MAX_QUIET_S):
                        await self._gate.wait_until_quiet(QUIET_S)
        await server.stop(CLOSE_GRACE_S if budget else 0)


def grpc_options(settings: Settings) -> list[tuple[str, int]]:
    """Channel arguments of the server."""
    options = [
        # Requests are small: no pings to find out how much to let in at a time, which cost a packet each way a call.
        ("grpc.http2.bdp_probe", 0),
        ("grpc.http2.lookahead_bytes", LOOKAHEAD_BYTES),
        ("grpc.so_reuseport", 0),  # a taken port is an error, not half of the connections
        ("grpc.max_receive_message_length", settings.max_message_bytes),
        ("grpc.max_send_message_length", settings.max_message_bytes),
        ("grpc.server_handshake_timeout_ms", round(settings.client_timeout_s * 1000)),
        ("grpc.max_connection_idle_ms", round(settings.max_connection_idle_s * 1000)),
        ("grpc.max_concurrent_streams", MAX_CALLS_PER_CONNECTION),
        ("grpc.keepalive_time_ms", round(settings.keepalive_s * 1000)),
        ("grpc.keepalive_timeout_ms", KEEPALIVE_TIMEOUT_MS),
        ("grpc.http2.ping_timeout_ms", KEEPALIVE_TIMEOUT_MS),  # what gRPC goes by; its own is a minute
        ("grpc.http2.min_ping_interval_without_data_ms", 10_000),
        ("grpc.keepalive_permit_without_calls", 1),
    ]
    if settings.max_connection_age_s is not None:
        options += [
            ("grpc.max_connection_age_ms", round(settings.max_connection_age_s * 1000)),
            ("grpc.max_connection_age_grace_ms", round(settings.max_deadline_s * 1000)),
        ]
    return options


def _open_guard(settings: Settings) -> Guard | None:
    if settings.tokens_file is None:
        return None
    try:
        return Guard(TokenFile.load(settings.tokens_file))
    except TokensError as error:
        raise StartError(f"tokens_file: {error}") from error


def _open_tracing(settings: Settings) -> "Tracing | None":
    try:
        return open_tracing(settings.trace_endpoint, settings.trace_sample_ratio)
    except TracingUnavailable as error:
        raise StartError(f"trace_endpoint: {error}") from error


def _scopes(services: Sequence[ServiceDescriptor]) -> dict[str, Scope]:
    """What a caller needs for each service of the API, and for the methods that change what is served."""
    scopes: dict[str, Scope] = {service.full_name: "infer" for service in services}
    return scopes | {f"regard.v1.ModelService/{name}": "admin" for name in ("LoadModel", "UnloadModel")}


def _certificates(settings: Settings) -> Certificates | None:
    if settings.tls_certificate is None or settings.tls_key is None:
        return None
    try:
        return Certificates(settings.tls_certificate, settings.tls_key, settings.tls_client_ca)
    except TlsError as error:
        raise StartError(str(error)) from error


def _bind(server: grpc.aio.Server, host: str, port: int, setting: str, certificates: Certificates | None = None) -> int:
    address = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
    try:
        if certificates is not None:
            return server.add_secure_port(address, certificates.grpc_credentials())
        return server.add_insecure_port(address)
    except RuntimeError as error:  # gRPC tells no more than that it failed
        raise StartError(f"{setting}: cannot listen on {address}; is another server running there?") from error


def _add_reflection(routes: Routes, services: Sequence[ServiceDescriptor]) -> None:
    # Where it is wanted only.
    from grpc_reflection.v1alpha import reflection, reflection_pb2_grpc  # type: ignore[import-untyped]

    names = (*(service.full_name for service in services), "grpc.health.v1.Health", REFLECTION_NAME)
    servicer = reflection.aio.ReflectionServicer(names)
    reflection_pb2_grpc.add_ServerReflectionServicer_to_server(servicer, routes)


def _method_labels(services: Sequence[ServiceDescriptor]) -> Iterator[tuple[str, str, str]]:
    """Type, service and name of every method."""
    for service in services:
        for method in service.methods:
            yield "server_stream" if method.server_streaming else "unary", service.full_name, method.name


async def _serve_until_stopped(settings: Settings) -> None:
    stopping = asyncio.Event()
    loop = asyncio.get_running_loop()
    signals = (signal.SIGTERM, signal.SIGINT)
    for number in signals:
        loop.add_signal_handler(number, stopping.set)
    async with Server(settings):
        # What is there now stays: without it, each collection looks at all of it again, and calls wait meanwhile.
        gc.collect()
        gc.freeze()
        gc.set_threshold(YOUNG_OBJECTS, *gc.get_threshold()[1:])
        await stopping.wait()
        log.info("draining")
        for number in signals:
            loop.remove_signal_handler(number)  # a second signal ends the process at once
    log.info("stopped")


def serve(settings: Settings) -> int:
    """Serves until SIGTERM or SIGINT, then drains. Returns the process' exit status."""
    logs.configure(settings.log_level, settings.log_format)
    sys.setswitchinterval(SWITCH_INTERVAL_S)
    try:
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            runner.run(_serve_until_stopped(settings))
    except (StartError, ServiceError) as error:
        log.error("cannot start: %s", error)
        return 1
    return 0


def main(arguments: Sequence[str] | None = None) -> int:
    """`regard serve`: reads flags, environment and file, and serves. Returns the exit status."""
    parser = argparse.ArgumentParser(
        prog="regard serve", description="Serves attention models over gRPC, with metrics and health over HTTP."
    )
    parser.add_argument("--config", type=Path, metavar="FILE", help="TOML file with settings")
    add_flags(parser)
    flags = vars(parser.parse_args(arguments))
    try:
        settings = Settings.load(flags.pop("config"), flags=flags)
    except SettingsError as error:
        print("\n".join(error.problems), file=sys.stderr)  # noqa: T201
        return 2
    return serve(settings)


if __name__ == "__main__":
    sys.exit(main())
