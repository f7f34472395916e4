"""Translated files, and the events while they are translated."""

import os
from dataclasses import dataclass
from os import PathLike
from pathlib import Path
from typing import Any, Literal

from regard.names import WarningReason
from regard.v1 import regard_pb2 as pb
from regard.wire import enums


@dataclass(frozen=True)
class DocumentWarning:
    """Something that may be wrong with a translated document.

    Attributes:
        reason: such as "output_cut", or "document" if a text stays as it was; "" for a reason of a later version.
        message: the same in words.
        unit: index of the text that it concerns; None for the whole document.
        place: where that text stands, such as "line 7".
        text: how it begins.
    """

    reason: WarningReason | Literal[""]
    message: str
    unit: int | None = None
    place: str = ""
    text: str = ""

    def to_dict(self) -> dict[str, Any]:
        """The warning as a JSON object."""
        return vars(self).copy()


@dataclass(frozen=True)
class DocumentStarted:
    """First event: the file has been read, and holds `num_units` texts to translate."""

    num_units: int
    media_type: str


@dataclass(frozen=True)
class DocumentProgress:
    """`num_done` of the file's `num_units` texts are translated."""

    num_done: int
    num_units: int


@dataclass(frozen=True)
class TranslatedDocument:
    """Last event, and what `translate_document` returns: the translated file.

    Attributes:
        data: its bytes.
        media_type: its format.
        warnings: what may be wrong.
        model, model_version: which answered; "" if there was nothing to translate.
    """

    data: bytes
    media_type: str
    warnings: tuple[DocumentWarning, ...] = ()
    model: str = ""
    model_version: str = ""

    def save(self, path: str | PathLike[str]) -> None:
        """Writes the file; one that exists is replaced as a whole or not at all."""
        target = Path(path)
        unfinished = target.with_name(f".{target.name}.{os.getpid()}")
        try:
            unfinished.write_bytes(self.data)
            unfinished.replace(target)
        finally:
            unfinished.unlink(missing_ok=True)


DocumentEvent = DocumentStarted | DocumentProgress | TranslatedDocument


def read_document_event(message: pb.TranslateDocumentResponse) -> DocumentEvent | None:
    """The event in a message; None for an event of a later version of the API."""
    match message.WhichOneof("event"):
        case "started":
            return DocumentStarted(message.started.num_units, message.started.media_type)
        case "progress":
            return DocumentProgress(message.progress.num_done, message.progress.num_units)
        case "finished":
            found = message.finished
            warnings = tuple(map(_read_warning, found.warnings))
            return TranslatedDocument(found.document, found.media_type, warnings, found.model, found.model_version)
    return None


def _read_warning(message: pb.DocumentWarning) -> DocumentWarning:
    return DocumentWarning(
        enums.WARNING_REASON.name_if_known(message.reason),
        message.message,
        message.unit if message.HasField("unit") else None,
        message.place,
        message.text,
    )
