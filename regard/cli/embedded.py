"""A server inside this process for as long as a command runs, with the shipped models."""

import asyncio
import threading
from concurrent.futures import Future
from types import TracebackType
from typing import Any

from regard.cli.delegation import load, needing
from regard.errors import RegardError

_PURPOSE = "without a running server, translating"
_EXTRA = "serve"
_MAX_MESSAGE_BYTES = 512 * 2**20  # as much as the client takes: all of it stays on this machine


class EmbeddedServer:
    """A server on a free port of the loopback, in a thread with a loop of its own; `with` gives its address."""

    def __init__(self, model: str | None, verbose: bool) -> None:
        """Prepares a server.

        Args:
            model: the one model to load, with or without a version; None loads all.
            verbose: whether its log is shown.
        """
        self._model = model
        self._verbose = verbose
        self._address: Future[str] = Future()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._stopping: asyncio.Event | None = None
        # A daemon, so that an interrupt while models load ends the program.
        self._thread = threading.Thread(target=self._run, daemon=True, name="embedded-server")

    def __enter__(self) -> str:
        # Imported here, as imports in a thread would race with those of the main one.
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
        """Settings from the environment, but with ports of its own, and nothing that one call does not need."""
        if self._verbose:
            load("regard_service.observability.logs", "configure", _PURPOSE, _EXTRA)("info", "text")
        flags: dict[str, object] = {
            "host": "127.0.0.1",
            "grpc_port": 0,
            "http_port": 0,
            "reflection": False,
            "max_message_bytes": _MAX_MESSAGE_BYTES,
        }
        if self._model:
            flags["models"] = [self._model.partition("@")[0]]
        settings_error = load("regard_service.app.settings", "SettingsError", _PURPOSE, _EXTRA)
        try:
            return load("regard_service.app.settings", "Settings", _PURPOSE, _EXTRA).load(flags=flags)
        except settings_error as error:
            raise RegardError("; ".join(error.problems)) from error

    def _run(self) -> None:
        try:
            asyncio.run(self._serve())
        except BaseException as error:  # whoever waits for the address is told
            if not self._address.done():
                self._address.set_exception(error)

    async def _serve(self) -> None:
        service_error = load("regard_service.errors", "ServiceError", _PURPOSE, _EXTRA)
        start_error = load("regard_service.app.start_error", "StartError", _PURPOSE, _EXTRA)
        self._loop, self._stopping = asyncio.get_running_loop(), asyncio.Event()
        server = self._server_class(self._settings)
        try:
            with needing(_PURPOSE, _EXTRA):
                await server.start()
        except (service_error, start_error) as error:
            raise RegardError(f"cannot start a server for this call: {error}") from error
        try:
            self._address.set_result(f"127.0.0.1:{server.grpc_port}")
            await self._stopping.wait()
        finally:
            await server.stop(drain_timeout_s=0)
