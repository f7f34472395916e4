"""A server in a thread of this process, with the shipped models or others."""

import asyncio
import threading
from collections.abc import Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any

from regard.embedded.extras import load, requires_extra
from regard.errors import RegardError

_PURPOSE = "starting a server in this process"
_EXTRA = "serve"
_MAX_MESSAGE_BYTES = 512 * 2**20  # the client's limit: no message leaves this machine


@dataclass(frozen=True)
class ModelChoice:
    """The models of an embedded server.

    Attributes:
        names: those to load; empty loads all that the directories have.
        directories: folders that contain bundles; empty is those of the environment, or the shipped ones.
        num_workers: threads that run the graphs; None is one a core of the machine.
    """

    names: Sequence[str] = ()
    directories: Sequence[Path] = ()
    num_workers: int | None = None


class EmbeddedServer:
    """A server on a free port of the loopback, in a thread with its own event loop; `with` returns its address."""

    def __init__(self, models: ModelChoice, is_verbose: bool) -> None:
        """Prepares a server.

        Args:
            is_verbose: prints the server's log.
        """
        self._models = models
        self._is_verbose = is_verbose
        self._address: Future[str] = Future()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._stopping: asyncio.Event | None = None
        # A daemon thread, so that an interrupt ends the program while models load.
        self._thread = threading.Thread(target=self._run, daemon=True, name="embedded-server")

    def __enter__(self) -> str:
        # Imported in this thread: imports in the other one would race with it.
        self._server_class = load("regard_service.app.server", "Server", _PURPOSE, _EXTRA)
        self._settings = self._read_settings()
        self._thread.start()
        return self._address.result()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._loop is not None and self._stopping is not None:
            self._loop.call_soon_threadsafe(self._stopping.set)
            self._thread.join()

    def _read_settings(self) -> Any:
        """Settings from the environment, with free ports and without what one call does not need."""
        if self._is_verbose:
            load("regard_service.observability.logs", "configure", _PURPOSE, _EXTRA)("info", "text")
        flags: dict[str, object] = {
            "host": "127.0.0.1",
            "grpc_port": 0,
            "http_port": 0,
            "reflection": False,
            "max_message_bytes": _MAX_MESSAGE_BYTES,
        }
        if self._models.names:
            flags["models"] = list(self._models.names)
        if self._models.directories:
            flags["model_directories"] = list(self._models.directories)
        if self._models.num_workers is not None:
            flags["num_workers"] = self._models.num_workers
        settings_class = load("regard_service.app.settings", "Settings", _PURPOSE, _EXTRA)
        settings_error = load("regard_service.app.settings", "SettingsError", _PURPOSE, _EXTRA)
        try:
            with requires_extra(_PURPOSE, _EXTRA):
                return settings_class.load(flags=flags)
        except settings_error as error:
            raise RegardError("; ".join(error.problems)) from error

    def _run(self) -> None:
        try:
            asyncio.run(self._serve())
        except BaseException as error:  # raised again where the address is awaited
            if not self._address.done():
                self._address.set_exception(error)

    async def _serve(self) -> None:
        service_error = load("regard_service.errors", "ServiceError", _PURPOSE, _EXTRA)
        start_error = load("regard_service.app.start_error", "StartError", _PURPOSE, _EXTRA)
        self._loop, self._stopping = asyncio.get_running_loop(), asyncio.Event()
        server = self._server_class(self._settings)
        try:
            with requires_extra(_PURPOSE, _EXTRA):
                await server.start()
        except (service_error, start_error) as error:
            raise RegardError(f"cannot start a server in this process: {error}") from error
        try:
            self._address.set_result(f"127.0.0.1:{server.grpc_port}")
            await self._stopping.wait()
        finally:
            await server.stop(drain_timeout_s=0)
