"""Documents that are translated while their callers are away."""

import asyncio
import os
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from regard.v1 import regard_pb2 as pb
from regard_service.domain.documents import DocumentEvent, DocumentFinished, DocumentProgress, DocumentStarted
from regard_service.errors import BodyTooLarge, DocumentNotFound, InvalidInput, NotReady, Overloaded, QuotaExceeded
from regard_service.http.context import HttpContext
from regard_service.http.doors import background
from regard_service.http.doors.background import BackgroundDocuments
from regard_service.http.doors.kept_documents import KeptDocument, KeptDocuments
from tests.waiting import until

REQUEST = pb.TranslateDocumentRequest(document=b"dog", file_name="a.txt")


class Translator:
    """Yields a document's events once the gate is open.

    Attributes:
        error: raised behind `DocumentStarted`; of a file that cannot be read, before it.
        is_closed: whether the iterator has been closed.
    """

    def __init__(self, error: Exception | None = None, *, can_read: bool = True) -> None:
        self.gate = asyncio.Event()
        self.error = error
        self.can_read = can_read
        self.is_closed = False

    async def __call__(
        self, request: pb.TranslateDocumentRequest, context: HttpContext
    ) -> AsyncIterator[DocumentEvent]:
        try:
            if self.error is not None and not self.can_read:
                raise self.error
            yield DocumentStarted(2, "text/plain", 3)
            yield DocumentProgress(1, 2)
            await self.gate.wait()
            if self.error is not None:
                raise self.error
            yield DocumentFinished(b"Hund", "text/plain", (), "toy", "1")
        finally:
            self.is_closed = True


@pytest.fixture
async def documents(tmp_path: Path) -> AsyncIterator[BackgroundDocuments]:
    documents = BackgroundDocuments(KeptDocuments(tmp_path, 100, 600.0), 10)
    yield documents
    await documents.close()


async def begun(documents: BackgroundDocuments, translate: Translator) -> tuple[KeptDocument, str]:
    return await documents.start(REQUEST, HttpContext((), ""), translate)


async def state(documents: BackgroundDocuments, document: KeptDocument, key: str) -> str:
    return (await documents.find(document.id, key)).state


async def until_state(documents: BackgroundDocuments, document: KeptDocument, key: str, wanted: str) -> KeptDocument:
    while await state(documents, document, key) == "translating" != wanted:
        await asyncio.sleep(0)
    found = await documents.find(document.id, key)
    assert found.state == wanted
    return found


async def test_a_document_goes_on_behind_its_call(documents: BackgroundDocuments) -> None:
    translate = Translator()
    document, key = await begun(documents, translate)
    assert (document.num_units, document.num_characters, document.media_type) == (2, 3, "text/plain")
    assert await state(documents, document, key) == "translating"
    translate.gate.set()
    found = await until_state(documents, document, key, "done")
    assert await documents.fetch(found) == b"Hund"
    await until(lambda: translate.is_closed)


async def test_a_file_that_cannot_be_read_fails_its_call_and_is_not_kept(
    documents: BackgroundDocuments, tmp_path: Path
) -> None:
    with pytest.raises(InvalidInput, match="is no DOCX"):
        await begun(documents, Translator(InvalidInput.of("document", "is no DOCX"), can_read=False))
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize(
    ("error", "fault"),
    [
        (NotReady("the model is gone"), "the model is gone"),
        (ValueError("a secret"), "internal error; the server's log has the cause"),
    ],
)
async def test_a_later_fault_is_kept(documents: BackgroundDocuments, error: Exception, fault: str) -> None:
    translate = Translator(error)
    document, key = await begun(documents, translate)
    translate.gate.set()
    assert (await until_state(documents, document, key, "error")).fault == fault


async def test_a_caller_who_leaves_before_the_file_is_read_leaves_nothing(
    documents: BackgroundDocuments, tmp_path: Path
) -> None:
    reading = asyncio.Event()

    async def translate(request: pb.TranslateDocumentRequest, context: HttpContext) -> AsyncIterator[DocumentEvent]:
        reading.set()
        await asyncio.Event().wait()
        yield DocumentStarted(1, "text/plain", 1)

    call = asyncio.create_task(documents.start(REQUEST, HttpContext((), ""), translate))
    await reading.wait()
    call.cancel()
    with pytest.raises(asyncio.CancelledError):
        await call
    assert os.listdir(tmp_path) == []


async def test_size_and_number_are_bounded(documents: BackgroundDocuments, monkeypatch: pytest.MonkeyPatch) -> None:
    large = pb.TranslateDocumentRequest(document=b"x" * 11)
    with pytest.raises(BodyTooLarge, match="has 11 bytes; the limit is 10"):
        await documents.start(large, HttpContext((), ""), Translator())
    translate = Translator()
    document, key = await begun(documents, translate)
    monkeypatch.setattr(background, "MAX_RUNNING_OF_CALLER", 1)
    with pytest.raises(QuotaExceeded, match="1 documents of yours"):
        await begun(documents, Translator())
    monkeypatch.setattr(background, "MAX_RUNNING", 1)
    with pytest.raises(Overloaded, match="1 documents are being translated"):
        await begun(documents, Translator())
    translate.gate.set()
    await until_state(documents, document, key, "done")
    await until(lambda: translate.is_closed)


async def test_a_server_that_stops_ends_translations(tmp_path: Path) -> None:
    documents = BackgroundDocuments(KeptDocuments(tmp_path / "documents", 100, 600.0), 10)
    translate = Translator()
    await begun(documents, translate)
    await documents.close()
    assert translate.is_closed


async def test_an_unknown_document_is_not_found(documents: BackgroundDocuments) -> None:
    with pytest.raises(DocumentNotFound):
        await documents.find("0" * 32, "key")
