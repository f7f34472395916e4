"""Builds the parts of a server from its settings."""

from collections.abc import Callable
from typing import TYPE_CHECKING

from regard_service.app.settings import Settings
from regard_service.app.start_error import StartError
from regard_service.app.tls import Certificates, TlsError
from regard_service.auth.access_control import AccessControl
from regard_service.auth.renewal import TokenRenewal
from regard_service.auth.tokens import TokenFile, TokensError
from regard_service.calls.answer_size import AnswerLimits
from regard_service.calls.data_plane import DataPlane
from regard_service.calls.present import PresentCallers
from regard_service.calls.thread_pool import BoundedThreadPool
from regard_service.engine.core.observer import EngineObserver
from regard_service.engine.driver.engine import Engine
from regard_service.engine.policy.policy import EngineConfig
from regard_service.engine.usage import Usage, usage_of
from regard_service.errors import NotReady
from regard_service.glossaries.store import GlossaryStore
from regard_service.http.doors.all_doors import DOORS
from regard_service.http.doors.background import BackgroundDocuments
from regard_service.http.doors.door import Door
from regard_service.http.doors.facts import ServerFacts
from regard_service.http.doors.kept_documents import KeptDocuments
from regard_service.observability.tracing.switch import TracingUnavailable, open_tracing
from regard_service.pictures.reader import ImageLimits
from regard_service.repository.administration import ModelAdministration
from regard_service.repository.limits import ModelLimits
from regard_service.repository.loader import ModelLoader
from regard_service.repository.model_repository import ModelRepository
from regard_service.repository.preference import ModelPreference
from regard_service.validation.limits import CallLimits

if TYPE_CHECKING:
    from regard_service.observability.tracing.spans import Tracing

# Inputs that wait to be read, over all calls. A picture's file is larger than its pixels in the engine's queue.
MAX_UNREAD_INPUTS = 256

MAX_KEPT_DOCUMENTS = 16
"""How many of the largest documents doors keep until they are fetched; of smaller ones more."""


class Backend:
    """The parts of a server behind its transports.

    Attributes:
        data_plane: runs calls.
        models: loads, unloads and lists models.
        glossaries: keeps glossaries.
    """

    def __init__(
        self,
        data_plane: DataPlane,
        models: ModelAdministration,
        glossaries: GlossaryStore,
        engine: Engine,
        pool: BoundedThreadPool,
    ) -> None:
        self.data_plane = data_plane
        self.models = models
        self.glossaries = glossaries
        self._engine = engine
        self._pool = pool

    async def drain(self, timeout_s: float) -> bool:
        """Lets the engine finish its requests. Returns False if time runs out."""
        return await self._engine.drain(timeout_s)

    def close(self) -> None:
        """Stops the threads of the engine and of the pool."""
        self._pool.close()
        self._engine.close()

    def stalled_s(self) -> float:
        """Returns the time since the engine's oldest step began; 0 while the engine is idle."""
        return self._engine.stalled_s()

    def usage(self) -> dict[str, Usage]:
        """Returns the slots and buffers of the engine's batches, by model."""
        return usage_of(self._engine.batches())

    def share(self, present: PresentCallers) -> None:
        """Makes the threads that read consider the callers of the whole process."""
        self._pool.present = present


OpenBackend = Callable[[Settings, EngineObserver], Backend]


def open_backend(settings: Settings, observer: EngineObserver) -> Backend:
    """Loads the models and starts the engine.

    Raises:
        NotReady: a folder or model that the settings name is missing, or no model can be served as they say.
    """
    return backend_of(open_repository(settings, num_cores=settings.num_workers), settings, observer)


def backend_of(repository: ModelRepository, settings: Settings, observer: EngineObserver) -> Backend:
    """Starts the engine for models that are loaded."""
    config = EngineConfig(
        settings.num_workers,
        settings.max_slots,
        settings.max_queue,
        settings.max_queue_tokens,
        settings.max_queue_s,
    )
    engine = Engine(config, observer)
    pool = BoundedThreadPool(settings.num_workers, min(settings.max_queue, MAX_UNREAD_INPUTS))
    limits = AnswerLimits(settings.max_message_bytes, settings.max_answer_memory_bytes)
    glossaries = GlossaryStore(settings.glossary_directory)
    data_plane = DataPlane(repository, engine, pool, limits, glossaries.find, checks_language=settings.check_language)
    return Backend(data_plane, ModelAdministration(repository, engine), glossaries, engine, pool)


def open_repository(settings: Settings, *, num_cores: int) -> ModelRepository:
    """Loads the models.

    Args:
        num_cores: cores that encode a large source while the engine computes nothing else; 1 starts no threads.

    Raises:
        NotReady: a folder or model that the settings name is missing, or no model can be served as they say.
    """
    missing = [str(folder) for folder in settings.model_directories if not folder.is_dir()]
    if missing:
        raise NotReady(f"model_directories: there is no folder {', '.join(missing)}")
    return ModelRepository(
        settings.model_directories,
        names=settings.models,
        loader=ModelLoader(
            provider=settings.execution_provider,
            precision=settings.graph_precision,
            image_limits=ImageLimits(settings.max_image_pixels, settings.max_image_side),
            num_cores=num_cores,
        ),
        limits=ModelLimits(settings.max_models, settings.max_models_bytes),
        preference=ModelPreference(settings.default_models, settings.preferred_models),
    )


def open_doors(settings: Settings) -> tuple[Door, ...]:
    """Returns the doors that the settings open."""
    return tuple(door for door in DOORS if getattr(settings, f"{door.name}_door"))


def door_facts(settings: Settings) -> ServerFacts:
    """Returns what doors tell of the server."""
    return ServerFacts(
        settings.max_text_characters,
        settings.max_inputs_per_call,
        settings.max_document_bytes,
        settings.tokens_file is not None,
    )


def open_documents(settings: Settings) -> BackgroundDocuments:
    """Returns what translates the documents of doors, and keeps them."""
    max_bytes = MAX_KEPT_DOCUMENTS * settings.max_document_bytes
    kept = KeptDocuments(settings.document_directory, max_bytes, settings.max_deadline_s)
    return BackgroundDocuments(kept, settings.max_document_bytes)


def call_limits(settings: Settings) -> CallLimits:
    """Returns the limits of a call."""
    return CallLimits(
        max_inputs_per_call=settings.max_inputs_per_call,
        max_text_characters=settings.max_text_characters,
        max_image_bytes=settings.max_image_bytes,
        max_document_bytes=settings.max_document_bytes,
        default_deadline_s=settings.default_deadline_s,
        max_deadline_s=settings.max_deadline_s,
    )


def open_access_control(settings: Settings) -> AccessControl | None:
    """Reads the token file; returns None without one. Raises StartError."""
    if settings.tokens_file is None:
        return None
    try:
        renewal = TokenRenewal(settings.tokens_file)
        tokens = TokenFile.load(settings.tokens_file)
        return AccessControl(tokens, renewal.renewed, num_processes=settings.processes)
    except TokensError as error:
        raise StartError(f"tokens_file: {error}") from error


def open_certificates(settings: Settings) -> Certificates | None:
    """Reads the TLS certificates; returns None without them. Raises StartError."""
    if settings.tls_certificate is None or settings.tls_key is None:
        return None
    try:
        return Certificates(settings.tls_certificate, settings.tls_key, settings.tls_client_ca)
    except TlsError as error:
        raise StartError(str(error)) from error


def open_server_tracing(settings: Settings) -> "Tracing | None":
    """Opens the tracing of calls; returns None if it is off. Raises StartError."""
    try:
        return open_tracing(settings.trace_endpoint, settings.trace_sample_ratio)
    except TracingUnavailable as error:
        raise StartError(f"trace_endpoint: {error}") from error
