"""Documents: upload, status and download."""

import mimetypes
from dataclasses import dataclass
from typing import Any

from regard.v1 import regard_pb2 as pb
from regard_service.errors import NotReady, Unsupported
from regard_service.http.context import HttpContext
from regard_service.http.doors.backend import DoorBackend
from regard_service.http.doors.deepl.language_codes import check_translated
from regard_service.http.doors.deepl.parameters import Parameters
from regard_service.http.doors.deepl.texts import DOOR, glossary_names, naming
from regard_service.http.doors.deepl.translations import (
    Languages,
    check_formality,
    read_glossary_ids,
    read_languages,
    refuse_customization,
)
from regard_service.http.doors.door import Answer
from regard_service.http.doors.given import Given
from regard_service.http.doors.kept_documents import KeptDocument


@dataclass(frozen=True)
class Upload:
    """A document to translate. Attributes: message: the same request of the API, without the glossaries."""

    message: pb.TranslateDocumentRequest
    languages: Languages
    glossary_ids: tuple[str, ...]


@dataclass(frozen=True)
class Handle:
    """Which document is asked for."""

    id: str
    key: str


def read_upload(given: Given) -> Upload:
    """Reads a document. Raises InvalidInput with every violation."""
    fields = given.fields
    parameters = Parameters.of(fields)
    file = fields.files.get("file")
    if file is None:
        parameters.fault("file", "is missing; it is a part of multipart/form-data with a file name")
    for name in fields.files.keys() - {"file"}:
        parameters.fault(name, "is a file; the document is the part named file")
    languages = read_languages(parameters)
    glossary_ids = read_glossary_ids(parameters, languages)
    name = parameters.text("filename") or (file.name if file is not None else "")
    output = parameters.text("output_format")
    if output and output.lower() != name.rpartition(".")[2].lower():
        parameters.fault("output_format", f"is {output[:40]!r}; a document keeps its format")
    check_formality(parameters)
    refuse_customization(parameters)
    parameters.finish()
    message = pb.TranslateDocumentRequest(
        document=b"" if file is None else file.data,
        file_name=name,
        source_language=languages.source or "auto",
        target_language=languages.target,
    )
    return Upload(message, languages, glossary_ids)


async def upload(request: Upload, backend: DoorBackend, context: HttpContext) -> Answer:
    """Begins to translate a document; answers once it has been read."""
    check_translated(request.languages.source, request.languages.target, backend.models())
    names = await glossary_names(backend, request.glossary_ids, request.languages)
    request.message.glossaries.extend(names)
    with naming(request.languages, request.glossary_ids, backend):
        document, key = await backend.documents.start(request.message, context, backend.translate_document)
    backend.characters.count(DOOR, document.num_characters)
    return Answer({"document_id": document.id, "document_key": key})


def read_handle(given: Given) -> Handle:
    """Reads which document is asked for. Raises InvalidInput."""
    parameters = Parameters.of(given.fields)
    key = parameters.needed_text("document_key")
    parameters.finish()
    return Handle((given.in_path or {})["document_id"], key)


async def status(handle: Handle, backend: DoorBackend, context: HttpContext) -> Answer:
    """Says how far a translation is."""
    return Answer(_described(await backend.documents.find(handle.id, handle.key)))


async def download(handle: Handle, backend: DoorBackend, context: HttpContext) -> Answer:
    """Returns a translated document.

    Raises:
        NotReady: it is not translated yet.
        Unsupported: it cannot be translated.
    """
    found = await backend.documents.find(handle.id, handle.key)
    if found.state == "translating":
        raise NotReady(f"document {found.id} is not translated yet: {found.num_done} of {found.num_units} texts are")
    if found.state == "error":
        raise Unsupported(f"document {found.id} was not translated: {found.fault}")
    media_type = mimetypes.guess_type(found.file_name)[0] or found.media_type
    return Answer(await backend.documents.fetch(found), media_type)


def _described(document: KeptDocument) -> dict[str, Any]:
    described: dict[str, Any] = {"document_id": document.id, "status": document.state}
    if document.state == "translating":
        return described | {"seconds_remaining": document.seconds_left}
    if document.state == "error":
        return described | {"error_message": document.fault}
    return described | {"billed_characters": document.num_characters}
