"""LibreTranslate's /translate_file, and the address from which its client fetches the translation."""

import re
from contextlib import aclosing
from dataclasses import dataclass
from urllib.parse import quote

from regard.v1 import regard_pb2 as pb
from regard_service.documents.formats import FORMATS, media_type_of
from regard_service.domain.documents import DocumentFinished
from regard_service.errors import FieldViolation, InvalidInput, ModelNotFound
from regard_service.http.context import HttpContext
from regard_service.http.doors.backend import DoorBackend
from regard_service.http.doors.door import Answer
from regard_service.http.doors.given import Given
from regard_service.http.doors.libretranslate.catalogue import unknown_language
from regard_service.http.doors.libretranslate.texts import read_language, renamed

PREFIX = "/libretranslate"
DOWNLOAD = "/download_file"
ENDINGS = sorted(ending for each in FORMATS for ending in each.endings)
MAX_NAME = 128  # characters of a file's name that come back

_UNSAFE = re.compile(r"[^\w.-]+")
_KEPT_NAME = re.compile(r"(?P<id>[0-9A-F]{32})(?P<key>[0-9A-F]{64})\.(?P<name>.+)")


@dataclass(frozen=True)
class FileTranslation:
    """A request of /translate_file. Attributes: base_url: of the server, as the client calls it."""

    request: pb.TranslateDocumentRequest
    base_url: str


def read_file_translation(given: Given) -> FileTranslation:
    """Reads /translate_file. Raises InvalidInput with every bad field."""
    faults: list[FieldViolation] = []
    fields = given.fields
    source, target = (read_language(fields, name, faults) for name in ("source", "target"))
    file = fields.files.get("file")
    if file is None:
        faults.append(FieldViolation("file", "is missing; it must be a file of multipart/form-data"))
    elif not media_type_of(file.name):
        known = ", ".join(ENDINGS)
        faults.append(FieldViolation("file", f"is named {file.name[-80:]!r}; its ending must be one of {known}"))
    if faults or file is None:
        raise InvalidInput(faults)
    request = pb.TranslateDocumentRequest(
        document=file.data, file_name=file.name, source_language=source, target_language=target
    )
    return FileTranslation(request, given.base_url)


async def translate_file(message: FileTranslation, backend: DoorBackend, context: HttpContext) -> Answer:
    """Translates a file and keeps the translation.

    Raises:
        InvalidInput: by LibreTranslate's names of the fields.
        QuotaExceeded: too many translations wait to be fetched.
    """
    request = message.request
    finished: DocumentFinished | None = None
    try:
        async with aclosing(backend.translate_document(request, context)) as events:
            async for event in events:
                finished = event if isinstance(event, DocumentFinished) else finished
    except InvalidInput as error:
        raise renamed(error) from error
    except ModelNotFound as error:
        raise unknown_language(backend.models(), request.source_language, request.target_language) from error
    if finished is None:
        raise AssertionError("a document has no end")
    document, key = await backend.documents.keep(request.file_name, finished.document)
    name = quote(f"{document.id}{key}.{_safe_name(request.file_name, request.target_language)}")
    return Answer({"translatedFileUrl": f"{message.base_url}{PREFIX}{DOWNLOAD}/{name}"})


def _safe_name(name: str, target: str) -> str:
    """Returns the name of a translation: "notes_de.txt" for "notes.txt"."""
    plain = re.split(r"[/\\]", name)[-1]
    stem, dot, ending = plain.rpartition(".")
    return _UNSAFE.sub("_", f"{stem[: MAX_NAME - len(ending)]}_{target}{dot}{ending}")


def read_download(given: Given) -> tuple[str, str, str]:
    """Reads /download_file; returns the ID, the key and the name of the file. Raises InvalidInput."""
    found = _KEPT_NAME.fullmatch((given.in_path or {}).get("filename", ""))
    if found is None:
        raise InvalidInput.of("filename", "is no name of a translation")
    return found["id"], found["key"], found["name"]


async def download(message: tuple[str, str, str], backend: DoorBackend, context: HttpContext) -> Answer:
    """Returns a translated file. Raises DocumentNotFound: there is none of that name, or no longer."""
    document_id, key, name = message
    data = await backend.documents.fetch(await backend.documents.find(document_id, key))
    headers = {
        "content-disposition": f"attachment; filename*=UTF-8''{quote(name)}",
        "x-content-type-options": "nosniff",
    }
    return Answer(data, media_type_of(name) or "application/octet-stream", headers=headers)
