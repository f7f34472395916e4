"""Files as the clients take them, and the request of TranslateDocument."""

from collections.abc import Callable
from os import PathLike, fspath
from pathlib import Path, PurePath

from regard.calls.options import DocumentOptions
from regard.calls.requests import with_options
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
    if isinstance(document, bytes):
        request.document = document
    else:
        request.document = Path(fspath(document)).read_bytes()
        request.file_name = PurePath(fspath(document)).name.encode(errors="replace").decode()
    request.file_name = options.get("file_name") or request.file_name
    request.media_type = options.get("media_type") or ""
    request.target_language = to
    request.replaces_existing = bool(options.get("replaces_existing"))
    return request
