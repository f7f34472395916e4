"""Files as the clients take them, and the request of TranslateDocument."""

from collections.abc import Callable
from os import PathLike, fspath
from pathlib import Path, PurePath

from regard.calls.options import DocumentOptions
from regard.calls.requests import set_checked, with_options
from regard.v1 import regard_pb2 as pb

DocumentLike = str | PathLike[str] | bytes
"""A file's path, or its bytes."""

OnProgress = Callable[[int, int], None]
"""Takes the number of a document's texts that are translated, and the number of all."""


def translate_document(document: DocumentLike, to: str, options: DocumentOptions) -> pb.TranslateDocumentRequest:
    """The request of TranslateDocument. Raises OSError for a file that cannot be read."""
    own = ("media_type", "file_name", "replaces_existing")
    request = with_options(
        pb.TranslateDocumentRequest(), {name: value for name, value in options.items() if name not in own}
    )
    fields: dict[str, object] = {name: options[name] for name in own if options.get(name)}  # type: ignore[literal-required]
    if isinstance(document, bytes | bytearray | memoryview):
        content = bytes(document)
    elif not isinstance(document, str | PathLike):
        raise TypeError(f"document must be a file's path or its bytes; it is of type {type(document).__name__}")
    else:
        content = Path(fspath(document)).read_bytes()
        fields.setdefault("file_name", PurePath(fspath(document)).name.encode(errors="replace").decode())
    return set_checked(request, document=content, target_language=to, **fields)
