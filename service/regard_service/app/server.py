"""The server: binds its ports, loads its models, serves, and drains."""

import asyncio
import logging
import time
from collections.abc import Iterator, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, cast

import grpc
from google.protobuf.descriptor import ServiceDescriptor
from grpc_health.v1 import health_pb2_grpc
from prometheus_client import CollectorRegistry

from regard.v1 import regard_pb2 as pb
from regard.v1 import regard_pb2_grpc as pb_grpc
from regard_service.app.grpc_port import GrpcPort, add_reflection, grpc_options
from regard_service.app.health import Health
from regard_service.app.membership import Membership
from regard_service.app.settings import Settings
from regard_service.app.start_error import StartError
from regard_service.app.tls import Certificates
from regard_service.app.wiring import (
    Backend,
    OpenBackend,
    call_limits,
    door_facts,
    open_access_control,
    open_backend,
    open_certificates,
    open_documents,
    open_doors,
    open_server_tracing,
)
from regard_service.auth.access_control import AccessControl
from regard_service.auth.address import networks
from regard_service.auth.tokens import Scope
from regard_service.calls.present import PresentCallers
from regard_service.convert.requests import RequestReader
from regard_service.domain.models import ModelInfo, unready_reasons
from regard_service.http.application import create_app
from regard_service.http.bodies import Bodies
from regard_service.http.doors.backend import DoorBackend
from regard_service.http.doors.characters import Characters
from regard_service.http.doors.gateway import Gateway
from regard_service.http.hosts import HostCheck, default_hosts
from regard_service.http.json_api import JsonApi
from regard_service.http.server import HttpServer
from regard_service.languages.detection import load_detector
from regard_service.observability import logs
from regard_service.observability.metrics import Metrics
from regard_service.observability.watchdog import Watchdog
from regard_service.open_inference import open_inference_pb2_grpc as v2_grpc
from regard_service.repository.polling import DirectoryPoll
from regard_service.rpc.layers.auth import AuthLayer
from regard_service.rpc.layers.drain_gate import DrainGate
from regard_service.rpc.layers.error_status import ErrorStatusLayer
from regard_service.rpc.layers.layer import Layer
from regard_service.rpc.layers.message_bounds import MessageBounds
from regard_service.rpc.layers.metrics import MetricsLayer
from regard_service.rpc.layers.open_streams import OpenStreams
from regard_service.rpc.layers.peer import PeerLayer
from regard_service.rpc.layers.request_log import RequestLogLayer
from regard_service.rpc.layers.tracing import TracingLayer
from regard_service.rpc.memory_pressure import MemoryPressure
from regard_service.rpc.messages import MessageLimits
from regard_service.rpc.routes import Routes
from regard_service.rpc.servicers.attention import AttentionServicer
from regard_service.rpc.servicers.glossary import GlossaryServicer
from regard_service.rpc.servicers.model import ModelServicer
from regard_service.rpc.servicers.open_inference import SERVICE as OPEN_INFERENCE_SERVICE
from regard_service.rpc.servicers.open_inference import OpenInferenceServicer

if TYPE_CHECKING:
    from regard_service.observability.tracing.spans import Tracing

SERVICES = tuple(pb.DESCRIPTOR.services_by_name.values())
QUIET_PERIOD_S = 0.25  # without a call, before connections are closed: a client may call again after a response
MAX_QUIET_WAIT_S = 1.0  # for clients that keep calling
CLOSE_GRACE_S = 0.2  # for calls outside of the API, such as an open reflection stream
MIN_ENGINE_DRAIN_S = 1.0
TRACES_GRACE_S = 3.0  # for the last traces to reach their collector

log = logging.getLogger(__name__)


class Server:
    """One server: gRPC, health and HTTP on their ports, in one event loop.

        async with Server(settings) as server:
            ...  # server.grpc_port answers

    Args:
        open_backend: loads the models. It runs in a thread, while HTTP already reports that the server is not ready.
        membership: of a group of processes that share the ports; None: this process is alone.
    """

    def __init__(
        self, settings: Settings, open_backend: OpenBackend = open_backend, membership: Membership | None = None
    ) -> None:
        self._settings = settings
        self._membership = membership
        self._open_backend = open_backend
        self._metrics = Metrics()
        self._metrics.queue_limit.set(settings.max_queue)
        self._present = PresentCallers()
        self._bodies = Bodies(settings.max_message_bytes, settings.max_inputs_per_call, self._present)
        self._gateway = Gateway(
            open_doors(settings),
            lambda: self._routes,
            self._bodies,
            self._metrics.doors,
            needs_tokens=settings.tokens_file is not None,
            max_unadmitted_bytes=settings.max_buffered_bytes,
        )
        self._documents = open_documents(settings)
        self._services = (*SERVICES, OPEN_INFERENCE_SERVICE) if settings.open_inference else SERVICES
        names = [service.full_name for service in self._services]
        self._health = Health(names)
        self._gate = DrainGate([*names, *self._gateway.services])
        self._access_control: AccessControl | None = None
        self._tracing: Tracing | None = None
        self._backend: Backend | None = None
        self._routes: Routes | None = None
        self._grpc: GrpcPort | None = None
        self._probes: GrpcPort | None = None
        self._http: HttpServer | None = None
        self._is_draining = False
        self._pressure = MemoryPressure(settings.max_buffered_bytes)
        self._watching: list[asyncio.Task[None]] = []
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
        """Binds the ports, loads the models, serves.

        Raises:
            StartError: a port is in use, or tokens, certificates or traces cannot be set up.
            ServiceError: a model that the settings name cannot be served.
        """
        try:
            await self._start()
        except BaseException:
            await self.stop(drain_timeout_s=0)
            raise
        if self._membership is None:
            log.info("serving", extra=logs.fields(**self._addresses()))
        else:
            await self._membership.served()

    async def _start(self) -> None:
        self._access_control = open_access_control(self._settings)
        self._bind_ports()
        self._backend = await asyncio.to_thread(self._open_backend, self._settings, self._metrics.engine)
        self._metrics.watch_models(self._backend.models.infos)
        self._metrics.watch_engine(self._backend.usage)
        self._tracing = open_server_tracing(self._settings)
        self._add_services(self._backend)
        for server in (self._grpc, self._probes):
            if server is not None:
                await server.start()
        self._refresh_health()
        self._pressure.begin()
        watchdog = Watchdog(self._backend.stalled_s, self._settings.watchdog_timeout_s, self._set_live)
        loop = asyncio.get_running_loop()
        self._watching = [loop.create_task(watchdog.run()), loop.create_task(self._pressure.run())]
        if self._settings.model_poll_s is not None:
            poll = DirectoryPoll(self._backend.models, self._refresh_health)
            self._watching.append(loop.create_task(poll.run(self._settings.model_poll_s)))
        if self._settings.check_language and any(map(_detects_languages, self._backend.models.infos())):
            # The first text that needs it would wait for 0.4 s of processor time, seconds on a busy machine.
            self._watching.append(loop.create_task(asyncio.to_thread(load_detector)))

    def _bind_ports(self) -> None:
        """Binds every port before any model is loaded: a port in use is reported at once."""
        settings = self._settings
        certificates = self._start_http()
        options, is_shared = grpc_options(settings), self._membership is not None
        self._grpc = GrpcPort(options, is_shared=is_shared)
        self.grpc_port = self._grpc.bind(settings.host, settings.grpc_port, "grpc_port", certificates)
        if settings.health_port is not None:
            self._probes = GrpcPort(options, is_shared=is_shared)
            self.health_port = self._probes.bind(settings.host, settings.health_port, "health_port")

    def _start_http(self) -> Certificates | None:
        """Starts the HTTP port; returns the certificates of all ports."""
        settings = self._settings
        certificates = open_certificates(settings)
        api = JsonApi(lambda: self._routes, self._bodies) if settings.http_api else None
        app = create_app(
            self._collect, self._unready, api, lambda: self.grpc_port, lambda: self._health.is_live, self._gateway
        )
        tls = None if certificates is None else certificates.https_context()
        try:
            hosts = settings.allowed_hosts or default_hosts(settings.host)
            checked = HostCheck(app, hosts)
            is_shared, timeout_s = self._membership is not None, settings.client_timeout_s
            self._http = HttpServer(
                checked,
                settings.host,
                settings.http_port,
                tls,
                timeout_s=timeout_s,
                shares_port=is_shared,
                max_unread_bytes=settings.max_buffered_bytes,
            )
        except OSError as error:
            raise StartError(f"http_port: cannot listen on {settings.host}:{settings.http_port}: {error}") from error
        self.http_port = self._http.port
        self._http.start()
        return certificates

    def _add_services(self, backend: Backend) -> None:
        reader, sent_maps = RequestReader(call_limits(self._settings)), self._metrics.attention
        routes = Routes(
            *self._layers(),
            inner_layers=(self._gate,),
            message_limits=self._message_limits(),
            max_answer_bytes=self._settings.max_message_bytes,
            present=self._present,
        )
        backend.share(self._present)
        registry = cast(grpc.aio.Server, routes)  # which adds servicers as a server does
        attention = AttentionServicer(backend.data_plane, reader, sent_maps, self._metrics.outputs)
        pb_grpc.add_AttentionServiceServicer_to_server(attention, registry)
        models = backend.models
        if self._membership is not None:
            models = self._membership.join(models, self._metrics, self._refresh_health)
        pb_grpc.add_ModelServiceServicer_to_server(ModelServicer(models, self._refresh_health), registry)
        pb_grpc.add_GlossaryServiceServicer_to_server(GlossaryServicer(backend.glossaries), registry)
        open_inference = OpenInferenceServicer(
            backend.data_plane, models, reader, sent_maps, self._settings.max_message_bytes
        )
        if self._settings.open_inference:
            v2_grpc.add_GRPCInferenceServiceServicer_to_server(open_inference, registry)
        doors = DoorBackend(
            attention,
            backend.data_plane,
            models,
            backend.glossaries,
            open_inference,
            self._documents,
            Characters(self._metrics.doors, self._collect, knows_callers=self._settings.tokens_file is not None),
            door_facts(self._settings),
        )
        self._gateway.register(routes, doors)
        health_pb2_grpc.add_HealthServicer_to_server(self._health, registry)
        self._metrics.grpc.expect(_method_labels(self._services))
        if self._settings.reflection:
            add_reflection(routes, self._services)
        self._routes = routes
        if self._grpc is not None:
            self._grpc.add_generic_rpc_handlers((routes,))
        if self._probes is not None:
            self._probes.add_generic_rpc_handlers((self._probe_routes(),))

    def _layers(self) -> Iterator[Layer]:
        """Yields the layers around every call that see it before its message is read, outermost first."""
        yield RequestLogLayer()
        if self._tracing is not None:
            yield TracingLayer(self._tracing)
        yield MetricsLayer(self._metrics.grpc)
        yield ErrorStatusLayer(self._metrics.refusals.count, self._gateway.field_names())
        if self._access_control is None:
            yield PeerLayer(networks(self._settings.trusted_proxies))
        else:
            yield AuthLayer(self._access_control, _scopes(self._services) | dict(self._gateway.scopes()))
        yield OpenStreams()
        yield MessageBounds(call_limits(self._settings))

    def _probe_routes(self) -> Routes:
        errors = ErrorStatusLayer(self._metrics.refusals.count)
        probes = Routes(errors, OpenStreams(), message_limits=self._message_limits())
        health_pb2_grpc.add_HealthServicer_to_server(self._health, cast(grpc.aio.Server, probes))
        return probes

    def _message_limits(self) -> MessageLimits:
        settings = self._settings
        num_tolerated = max(1, settings.max_buffered_bytes // settings.max_message_bytes)
        return MessageLimits(
            settings.client_timeout_s,
            settings.max_deadline_s,
            self._pressure,
            num_tolerated,
            settings.max_message_bytes,
        )

    def _refresh_health(self) -> None:
        if self._backend is not None:
            self._health.update(self._backend.models.infos())

    def _set_live(self, is_live: bool) -> None:
        self._health.set_live(is_live)
        if self._membership is not None and not is_live:
            self._membership.is_stuck()

    async def _collect(self) -> CollectorRegistry:
        if self._membership is None or self._backend is None:
            return self._metrics.registry
        return await self._membership.metrics()

    def _unready(self) -> list[str]:
        if self._is_draining:
            return ["the server is draining"]
        if self._backend is None:
            return ["the models are loading"]
        return unready_reasons(self._backend.models.infos())

    def _addresses(self) -> dict[str, object]:
        addresses = {"grpc_port": self.grpc_port, "http_port": self.http_port, "health_port": self.health_port}
        return {"host": self._settings.host} | {name: port for name, port in addresses.items() if port is not None}

    async def stop(self, drain_timeout_s: float | None = None) -> None:
        """Refuses new calls, finishes those in flight, and stops. A second call waits for the first one."""
        if self._stopping is None:
            budget_s = self._settings.drain_timeout_s if drain_timeout_s is None else drain_timeout_s
            self._stopping = asyncio.get_running_loop().create_task(self._stop(budget_s))
        await self._stopping

    async def _stop(self, budget_s: float) -> None:
        """Stops health first, the engine after gRPC, HTTP last."""
        end = time.monotonic() + budget_s
        self._is_draining = True
        self._health.close()
        if self._grpc is not None:
            await self._drain_grpc(self._grpc, budget_s)
        await self._documents.close()
        if self._backend is not None:
            await self._backend.drain(max(end - time.monotonic(), MIN_ENGINE_DRAIN_S))
            self._backend.close()
        if self._probes is not None:
            await self._probes.stop(0)
        if self._http is not None:
            await self._http.stop()
        for task in self._watching:
            task.cancel()
        if self._tracing is not None:
            await asyncio.to_thread(self._tracing.close, TRACES_GRACE_S)

    async def _drain_grpc(self, server: GrpcPort, budget_s: float) -> None:
        """Serves on for a moment, then refuses new calls until those in flight end, then closes the connections.

        Closing the connections first would end calls that just arrived as CANCELLED, which few clients retry.
        """
        with suppress(TimeoutError):
            async with asyncio.timeout(budget_s):
                await asyncio.sleep(self._settings.drain_delay_s)
                self._gate.close()
                await self._gate.wait_until_empty()
                with suppress(TimeoutError):
                    async with asyncio.timeout(MAX_QUIET_WAIT_S):
                        await self._gate.wait_until_quiet(QUIET_PERIOD_S)
        await server.stop(CLOSE_GRACE_S if budget_s else 0)


def _detects_languages(model: ModelInfo) -> bool:
    """Whether a server looks at the language of a model's texts."""
    return model.task == "translation" and model.manifest is not None and len(model.manifest.source_languages) > 0


_CHANGING_GLOSSARIES = ("GlossaryService/PutGlossary", "GlossaryService/DeleteGlossary")


def _scopes(services: Sequence[ServiceDescriptor]) -> dict[str, Scope]:
    """Returns the scope of each service, and of the methods that change models and glossaries."""
    scopes: dict[str, Scope] = {service.full_name: "infer" for service in services}
    changing = ("ModelService/LoadModel", "ModelService/UnloadModel", *_CHANGING_GLOSSARIES)
    return scopes | {f"regard.v1.{method}": "admin" for method in changing}


def _method_labels(services: Sequence[ServiceDescriptor]) -> Iterator[tuple[str, str, str]]:
    """Yields type, service and name of every method."""
    for service in services:
        for method in service.methods:
            yield "server_stream" if method.server_streaming else "unary", service.full_name, method.name
