"""Files: what a caller sends, and the events of their translation."""

from dataclasses import dataclass, field
from typing import NamedTuple

from regard_service.domain.calls import Call, Control, TextOptions, Truncation
from regard_service.domain.results import WarningReason


@dataclass(frozen=True)
class DocumentCall(Call):
    """A file to translate.

    Attributes:
        media_type: or a short name of the format.
        replaces_existing: translates what has a translation already.
        max_unit_characters: longer plain texts are cut; longer texts with markup are refused.
    """

    document: bytes = b""
    media_type: str = ""
    source_language: str = ""
    target_language: str = ""
    replaces_existing: bool = False
    truncation: Truncation | None = None
    text_options: TextOptions = field(default_factory=TextOptions)
    control: Control = field(default_factory=Control)
    max_unit_characters: int = 20_000


class DocumentWarning(NamedTuple):
    """Something that may be wrong with a translated document.

    Attributes:
        unit: index of the text that it concerns; None for the whole document.
        place, text: where that text stands, and how it begins.
    """

    reason: WarningReason
    message: str
    unit: int | None = None
    place: str = ""
    text: str = ""


class DocumentStarted(NamedTuple):
    """The file has been read. Attributes: num_characters: of its texts, tags aside."""

    num_units: int
    media_type: str
    num_characters: int


class DocumentProgress(NamedTuple):
    """Some of its texts are translated."""

    num_done: int
    num_units: int


class DocumentFinished(NamedTuple):
    """The translated file. Attributes: model, version: "" if there was nothing to translate."""

    document: bytes
    media_type: str
    warnings: tuple[DocumentWarning, ...]
    model: str
    version: str


DocumentEvent = DocumentStarted | DocumentProgress | DocumentFinished
