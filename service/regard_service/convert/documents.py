"""Reads calls that translate a file, and writes their events."""

from regard.v1 import regard_pb2 as pb
from regard_service.convert import enums
from regard_service.convert.checks import Checks
from regard_service.convert.control import read_terms
from regard_service.convert.options import read_generation, read_text_options
from regard_service.convert.requests import RequestReader
from regard_service.documents.formats import FORMATS, format_of, media_type_of
from regard_service.domain.calls import GenerationOptions, TextOptions
from regard_service.domain.documents import (
    DocumentCall,
    DocumentEvent,
    DocumentProgress,
    DocumentStarted,
    DocumentWarning,
)
from regard_service.errors import InvalidInput
from regard_service.validation.limits import CallLimits


def read_document(
    request: pb.TranslateDocumentRequest, reader: RequestReader, time_remaining: float | None
) -> DocumentCall:
    """Reads a request to translate a file. Raises InvalidInput with every violation, or DeadlinePassed."""
    checks = Checks()
    call = DocumentCall(
        model=checks.name("model", request.model),
        generation=read_generation(checks, request.generation)
        if request.HasField("generation")
        else GenerationOptions(),
        is_bulk=checks.enum("priority", enums.PRIORITY, request.priority) != "interactive",
        deadline=reader.deadline(time_remaining),
        document=_bytes(checks, request.document, reader.limits),
        media_type=_media_type(checks, request),
        source_language=checks.name("source_language", request.source_language),
        target_language=checks.name("target_language", request.target_language),
        replaces_existing=request.replaces_existing,
        truncation=checks.enum("truncation", enums.TRUNCATION, request.truncation),
        text_options=_text_options(checks, request),
        control=read_terms(checks, request),
        max_unit_characters=reader.limits.max_text_characters,
    )
    checks.raise_if_any()
    return call


def _bytes(checks: Checks, document: bytes, limits: CallLimits) -> bytes:
    if len(document) > limits.max_document_bytes:
        checks.add("document", f"has {len(document)} bytes; the limit is {limits.max_document_bytes}")
    return document


def _media_type(checks: Checks, request: pb.TranslateDocumentRequest) -> str:
    media_type = request.media_type or media_type_of(request.file_name)
    if not media_type:
        known = ", ".join(ending for each in FORMATS for ending in each.endings)
        fault = f"is empty, and file_name {request.file_name[-80:]!r} has no known ending; there are {known}"
        checks.add("media_type", fault)
        return ""
    try:
        format_of(media_type)
    except InvalidInput as error:
        for violation in error.violations:
            checks.add(violation.field, violation.description)
    return media_type


def _text_options(checks: Checks, request: pb.TranslateDocumentRequest) -> TextOptions:
    if not request.HasField("text_options"):
        return TextOptions()
    for name in ("format", "protected_spans", "raw"):
        if getattr(request.text_options, name):
            checks.add(f"text_options.{name}", "is not for documents, which tell it themselves")
    given = pb.TextOptions()
    given.CopyFrom(request.text_options)
    given.ClearField("format")
    given.ClearField("protected_spans")
    given.ClearField("raw")
    return read_text_options(checks, given, ())


def write_document_event(event: DocumentEvent) -> pb.TranslateDocumentResponse:
    """Writes an event of a document's translation."""
    message = pb.TranslateDocumentResponse()
    if isinstance(event, DocumentStarted):
        message.started.num_units, message.started.media_type = event.num_units, event.media_type
    elif isinstance(event, DocumentProgress):
        message.progress.num_done, message.progress.num_units = event
    else:
        finished = message.finished
        finished.document, finished.media_type = event.document, event.media_type
        finished.model, finished.model_version = event.model, event.version
        for warning in event.warnings:
            _write_warning(finished.warnings.add(), warning)
    return message


def _write_warning(message: pb.DocumentWarning, warning: DocumentWarning) -> None:
    message.reason = enums.WARNING_REASON.number(warning.reason)
    message.message, message.place, message.text = warning.message, warning.place, warning.text
    if warning.unit is not None:
        message.unit = warning.unit
