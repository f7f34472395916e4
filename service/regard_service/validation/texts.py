"""The checks of texts and names. Each returns the description of a violation, or None.

Every way into the server uses these: gRPC, the JSON API and the Open Inference Protocol.
"""

import re
from collections.abc import Sequence

NOT_UTF8 = "is not valid UTF-8"
EMPTY = "is empty"
MAX_NAME_CHARACTERS = 256
MAX_LISTED = 16

_LOADABLE_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")  # as bundles may be named


def text_fault(text: str, max_characters: int, *, may_be_blank: bool = False) -> str | None:
    """Checks a text to translate or to summarize."""
    if not may_be_blank:
        if not text:
            return EMPTY
        if text.isspace():
            return "holds only white space"
    return _length_fault(text, max_characters)


def name_fault(name: str) -> str | None:
    """Checks the name of a model, version, language or style. Whether there is one of that name is checked later."""
    return _length_fault(name, MAX_NAME_CHARACTERS)


def unknown_label(label: str, labels: Sequence[str], model: str) -> str:
    """Describes a label that is none of a model's, of which the first are listed."""
    listed = ", ".join(labels[:MAX_LISTED]) + (", ..." if len(labels) > MAX_LISTED else "")
    return f"{label!r} is no label of model {model!r}; it has {listed}"


def loadable_name_fault(name: str) -> str | None:
    """Checks the name of a model to load, which must not be a path."""
    if _LOADABLE_NAME.fullmatch(name):
        return None
    return 'must be 1 to 64 of A-Z, a-z, 0-9, ".", "_" and "-", beginning with a letter or digit'


def is_utf8(raw: bytes) -> bool:
    """Whether bytes are valid UTF-8."""
    try:
        raw.decode("utf-8")
    except UnicodeDecodeError:
        return False
    return True


def _length_fault(text: str, limit: int) -> str | None:
    return f"has {len(text)} characters; the limit is {limit}" if len(text) > limit else None
