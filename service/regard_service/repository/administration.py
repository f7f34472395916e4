"""Loads, unloads and lists models while calls run: the other transport-independent half beside `calls.data_plane`."""

import asyncio
import gc
import time

from regard_service.domain.models import ModelInfo
from regard_service.engine.driver.engine import Engine
from regard_service.repository.catalogue import CatalogueEntry
from regard_service.repository.model_repository import ModelRepository

FREED_POLL_S = 0.02
FIRST_COLLECTION_S = 1.0


class ModelAdministration:
    """The administration of a server's models, which every transport shares."""

    def __init__(self, repository: ModelRepository, engine: Engine) -> None:
        self._repository = repository
        self._engine = engine
        self._load_lock = asyncio.Lock()

    def infos(self) -> list[ModelInfo]:
        """Describes every model, by name, in any state."""
        return self._repository.infos()

    def entries(self) -> list[CatalogueEntry]:
        """Lists the bundles that the model directories have now, by name and then newest first."""
        return self._repository.entries()

    async def load(self, name: str, version: str | None) -> ModelInfo:
        """Reads a model and warms it up in a thread, then makes it serve. The version it replaces gets no new requests.

        Args:
            version: None takes the newest.

        Raises:
            ModelNotFound: the model directories have no such model or version.
            LoadFailed: the model cannot be served; the version before it still serves.
            ModelLimit: the model does not fit beside the others.
        """
        async with self._load_lock:
            model = await asyncio.to_thread(self._repository.read, name, version)
            replaced = self._repository.install(model)
        if replaced is not None:
            self._engine.retire(replaced.runner)
        return next(info for info in self._repository.infos() if info.manifest is model.manifest)

    async def unload(self, name: str, version: str | None) -> None:
        """Takes a model out of service; its requests are finished. Raises ModelNotFound."""
        self._engine.retire(self._repository.remove(name, version).runner)

    async def wait_until_freed(self, name: str) -> None:
        """Returns once no version of a model that is out of service is in memory."""
        # Calls, batches and maps hold the graphs; the last to release them frees them. An error may keep one of them in
        # a reference cycle, which only the garbage collector ends. A collection is slow, so each waits twice as long.
        begin, collect_after_s = time.monotonic(), FIRST_COLLECTION_S
        while self._repository.is_draining(name):
            await asyncio.sleep(FREED_POLL_S)
            if time.monotonic() - begin > collect_after_s:
                await asyncio.to_thread(gc.collect)
                collect_after_s *= 2
