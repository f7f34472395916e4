"""Translates files whose callers do not wait: they ask later how far a translation is."""

import asyncio
import logging
from collections import Counter
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from dataclasses import replace
from functools import partial

from regard.v1 import regard_pb2 as pb
from regard_service.auth.caller import current_caller
from regard_service.domain.documents import DocumentEvent, DocumentFinished, DocumentProgress, DocumentStarted
from regard_service.errors import BodyTooLarge, Overloaded, QuotaExceeded, ServiceError
from regard_service.http.context import HttpContext
from regard_service.http.doors.kept_documents import EXPIRY_S, RETRY_S, KeptDocument, KeptDocuments

MAX_RUNNING = 16
"""Translations at once; each has a window of its texts in the queue, and its file in memory."""

MAX_RUNNING_OF_CALLER = 8
"""Of one caller: others find places too."""

INTERVAL_S = 1.0
"""Between two records of how far a translation is."""

log = logging.getLogger(__name__)


class BackgroundDocuments:
    """The translations that run in this process, and the files that they have made.

    Args:
        max_bytes: of a file that is sent.
    """

    def __init__(self, kept: KeptDocuments, max_bytes: int) -> None:
        self._kept = kept
        self._max_bytes = max_bytes
        self._running: set[asyncio.Task[None]] = set()
        self._num_of: Counter[str] = Counter()  # by caller, those included that are about to run
        self._removals: set[asyncio.TimerHandle] = set()

    async def start(
        self,
        request: pb.TranslateDocumentRequest,
        context: HttpContext,
        translate: Callable[[pb.TranslateDocumentRequest, HttpContext], AsyncIterator[DocumentEvent]],
    ) -> tuple[KeptDocument, str]:
        """Begins a translation; returns the file and its key once the file has been read.

        Raises:
            InvalidInput: the file is not of its format, or a field is bad.
            BodyTooLarge: the file has too many bytes.
            Overloaded: too many translations run, or too many files are kept.
        """
        size = len(request.document)
        if size > self._max_bytes:
            raise BodyTooLarge(f"the file has {size} bytes; the limit is {self._max_bytes}")
        caller = current_caller()
        self._take_place(caller)
        try:
            document, key = await asyncio.to_thread(self._kept.add, caller, request.file_name, size)
        except BaseException:
            self._give_place(caller)
            raise
        is_read = asyncio.get_running_loop().create_future()
        run = _Run(self._kept, document, translate(request, context), is_read)
        task = asyncio.create_task(run.finish())
        self._running.add(task)
        task.add_done_callback(partial(self._ended, document))
        try:
            await is_read
        except BaseException:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
            await asyncio.to_thread(self._kept.remove, document.id)
            raise
        return run.document, key

    async def keep(self, file_name: str, content: bytes) -> tuple[KeptDocument, str]:
        """Keeps a file that has been translated; returns it and its key. Raises QuotaExceeded: too many are kept."""

        def keep() -> tuple[KeptDocument, str]:
            document, key = self._kept.add(current_caller(), file_name, len(content))
            self._kept.finish(document, content)
            return document, key

        return await asyncio.to_thread(keep)

    async def find(self, document_id: str, key: str) -> KeptDocument:
        """Returns what is known of a file. Raises DocumentNotFound."""
        return await asyncio.to_thread(self._kept.find, document_id, key)

    async def fetch(self, document: KeptDocument) -> bytes:
        """Returns a translated file. Raises DocumentNotFound."""
        return await asyncio.to_thread(self._kept.fetch, document)

    async def close(self) -> None:
        """Ends the translations, and removes what is kept in memory's place."""
        for timer in self._removals:
            timer.cancel()
        for task in self._running:
            task.cancel()
        await asyncio.gather(*self._running, return_exceptions=True)
        await asyncio.to_thread(self._kept.close)

    def _take_place(self, caller: str) -> None:
        """Counts a translation of a caller. Raises Overloaded, QuotaExceeded."""
        own = self._num_of[caller]
        if self._num_of.total() >= MAX_RUNNING:
            raise Overloaded(f"{MAX_RUNNING} documents are being translated, which is the limit", RETRY_S)
        if own >= MAX_RUNNING_OF_CALLER:
            raise QuotaExceeded(f"{own} documents of yours are being translated, which is the limit", RETRY_S)
        self._num_of[caller] += 1

    def _give_place(self, caller: str) -> None:
        self._num_of[caller] -= 1
        if not self._num_of[caller]:
            del self._num_of[caller]

    def _ended(self, document: KeptDocument, task: asyncio.Task[None]) -> None:
        """Forgets a translation, and later its file."""
        self._running.discard(task)
        self._give_place(document.caller)
        if task.cancelled():
            return
        loop = asyncio.get_running_loop()

        def remove() -> None:
            self._removals.discard(timer)
            loop.run_in_executor(None, self._kept.remove, document.id)

        timer = loop.call_later(EXPIRY_S, remove)
        self._removals.add(timer)


class _Run:
    """One translation. Attributes: document: what is known of its file."""

    def __init__(
        self,
        kept: KeptDocuments,
        document: KeptDocument,
        events: AsyncIterator[DocumentEvent],
        is_read: "asyncio.Future[None]",
    ) -> None:
        self.document = document
        self._kept = kept
        self._events = events
        self._is_read = is_read
        self._begin = self._written = asyncio.get_running_loop().time()

    async def finish(self) -> None:
        """Translates the file, and keeps the translation or the fault."""
        try:
            async for event in self._events:
                await self._record(event)
        except Exception as error:
            await self._fail(error)
        finally:
            if isinstance(self._events, AsyncGenerator):
                await self._events.aclose()

    async def _record(self, event: DocumentEvent) -> None:
        now = asyncio.get_running_loop().time()
        seconds = now - self._begin
        if isinstance(event, DocumentStarted):
            num_units, media_type, num_characters = event
            read = replace(self.document, num_units=num_units, media_type=media_type, num_characters=num_characters)
            self.document = await asyncio.to_thread(self._kept.write, read)
            if not self._is_read.done():
                self._is_read.set_result(None)
        elif isinstance(event, DocumentProgress):
            self.document = replace(self.document, num_done=event.num_done, seconds=seconds)
            if now - self._written > INTERVAL_S:
                self._written = now
                await asyncio.to_thread(self._kept.write, self.document)
        elif isinstance(event, DocumentFinished):
            await asyncio.to_thread(self._kept.finish, self.document, event.document)

    async def _fail(self, error: Exception) -> None:
        """Tells who waits for the file to be read, or keeps the fault for who asks later."""
        if not self._is_read.done():
            self._is_read.set_exception(error)
            return
        fault = str(error) if isinstance(error, ServiceError) else "internal error; the server's log has the cause"
        failed = replace(self.document, state="error", size=0, fault=fault)
        await asyncio.to_thread(self._kept.write, failed)
        if not isinstance(error, ServiceError):
            log.error("a document's translation failed", exc_info=error)
