"""Looks through the model directories at intervals, and has new bundles served: a copy into the directory deploys."""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from pathlib import Path

from regard_service.errors import ServiceError
from regard_service.repository.administration import ModelAdministration
from regard_service.repository.catalogue import CatalogueEntry

log = logging.getLogger(__name__)

Signature = tuple[tuple[str, int, int], ...]


class DirectoryPoll:
    """Loads each bundle that appears and is the newest of its name.

    What was there at the start, or was looked at before, is left alone: a version that an operator rolled back from
    does not return by itself. A bundle that cannot be loaded is tried again once its files have changed, as those of a
    folder that is still being copied do.

    Args:
        models: of the server.
        on_change: runs after a model was loaded or refused.
    """

    def __init__(self, models: ModelAdministration, on_change: Callable[[], None]) -> None:
        self._models = models
        self._on_change = on_change
        self._seen = {entry.folder: _signature(entry.folder) for entry in models.entries()}

    async def run(self, interval_s: float, sleep: Callable[[float], Awaitable[None]] = asyncio.sleep) -> None:
        """Looks again and again, until it is cancelled."""
        while True:
            await sleep(interval_s)
            try:
                await self.look()
            except OSError as error:
                log.error("the model directories cannot be read: %s", error)

    async def look(self) -> None:
        """Looks once."""
        entries, signatures = await asyncio.to_thread(self._scan)
        new = [entry for entry in entries if self._seen.get(entry.folder) != signatures[entry.folder]]
        self._seen = signatures
        newest: dict[str, CatalogueEntry] = {}
        for entry in entries:
            newest.setdefault(entry.name, entry)
        for entry in new:
            if newest[entry.name] is entry:
                await self._load(entry)

    def _scan(self) -> tuple[list[CatalogueEntry], dict[Path, Signature]]:
        entries = self._models.entries()
        return entries, {entry.folder: _signature(entry.folder) for entry in entries}

    async def _load(self, entry: CatalogueEntry) -> None:
        try:
            await self._models.load(entry.name, entry.version)
        except ServiceError as error:
            log.error("%s in %s is not loaded: %s", entry.name, entry.folder, error)
        finally:
            self._on_change()


def _signature(folder: Path) -> Signature:
    """What changes when a file of a bundle does."""
    found = []
    for path in sorted(folder.iterdir()):
        try:
            status = path.stat()
        except OSError:  # gone meanwhile
            continue
        found.append((path.name, status.st_size, status.st_mtime_ns))
    return tuple(found)
