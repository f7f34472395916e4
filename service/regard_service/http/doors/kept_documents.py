"""Translated files, kept until their callers fetch them.

They lie in a folder, which the processes of a server may share: whichever answers finds a caller's file. A file is a
record, "ID.json", and, once it is translated, its content, "ID.data".
"""

import hashlib
import hmac
import json
import os
import re
import secrets
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Literal

from regard_service.errors import DocumentNotFound, QuotaExceeded

MAX_PER_CALLER = 32
MAX_DOCUMENTS = 1024
EXPIRY_S = 3600.0
RETRY_S = 5.0

_ID = re.compile(r"[0-9A-F]{32}")
_RECORD, _DATA = ".json", ".data"


@dataclass(frozen=True)
class KeptDocument:
    """What is known of a file.

    Attributes:
        caller: who sent it.
        key_hash: SHA-256 of the key that its caller got, in hexadecimal.
        size: bytes that it takes: of the file that was sent, then of the translated one.
        changed: when the record was written last, as POSIX time.
        seconds: that its translation has taken so far.
        fault: why it was not translated.
        is_fetched: whether its caller has it; it stays as long as there is room.
    """

    id: str
    caller: str
    key_hash: str
    size: int
    file_name: str
    changed: float
    state: Literal["translating", "done", "error"] = "translating"
    media_type: str = ""
    num_characters: int = 0
    num_units: int = 0
    num_done: int = 0
    seconds: float = 0.0
    fault: str = ""
    is_fetched: bool = False

    @property
    def seconds_left(self) -> int:
        """How long its translation may still take, as long as the texts so far have taken on average; at least 1."""
        if not self.num_done:
            return 1
        return max(1, round(self.seconds / self.num_done * (self.num_units - self.num_done)))


class KeptDocuments:
    """Keeps files within limits of bytes, of their number, of those of a caller, and of time. Every method blocks.

    Args:
        folder: None makes a temporary one, when it is needed.
        max_bytes: of all files.
        max_running_s: a translation that has not changed for so long has ended with its process.
        clock: POSIX time.
    """

    def __init__(
        self,
        folder: Path | None,
        max_bytes: int,
        max_running_s: float,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._folder = folder
        self._temporary: tempfile.TemporaryDirectory[str] | None = None
        self._max_bytes = max_bytes
        self._max_running_s = max_running_s
        self._clock = clock

    def add(self, caller: str, file_name: str, size: int) -> tuple[KeptDocument, str]:
        """Makes room for a file whose translation begins.

        Returns:
            The file, and its key.

        Raises:
            QuotaExceeded: there are too many, of this caller or of all.
        """
        self._make_room(caller, size)
        key = secrets.token_hex(32).upper()
        new = KeptDocument(secrets.token_hex(16).upper(), caller, _hash(key), size, file_name, self._clock())
        self.write(new)
        return new, key

    def write(self, document: KeptDocument) -> KeptDocument:
        """Writes what is known of a file, and returns it with the time."""
        document = replace(document, changed=self._clock())
        path = self._path(document.id, _RECORD)
        new = path.with_suffix(".new")
        new.write_text(json.dumps(asdict(document)), encoding="utf-8")
        os.replace(new, path)
        return document

    def finish(self, document: KeptDocument, content: bytes) -> None:
        """Keeps a translated file."""
        path = self._path(document.id, _DATA)
        path.write_bytes(content)
        self.write(replace(document, state="done", size=len(content)))

    def find(self, document_id: str, key: str) -> KeptDocument:
        """Returns what is known of a file. Raises DocumentNotFound: there is none of this ID and key."""
        found = self._read(document_id) if _ID.fullmatch(document_id) else None
        if found is None or not hmac.compare_digest(found.key_hash, _hash(key)) or self._is_expired(found):
            raise DocumentNotFound(f"there is no document {document_id[:40]!r} with this key; it may have expired")
        if found.state == "translating" and self._clock() - found.changed > self._max_running_s:
            return replace(found, state="error", fault="the server's process ended before the translation did")
        return found

    def fetch(self, document: KeptDocument) -> bytes:
        """Returns a translated file. Raises DocumentNotFound: it has been removed meanwhile."""
        try:
            content = self._path(document.id, _DATA).read_bytes()
        except FileNotFoundError:
            raise DocumentNotFound(f"document {document.id!r} has been removed") from None
        self.write(replace(document, is_fetched=True))
        return content

    def remove(self, document_id: str) -> None:
        """Forgets a file."""
        for suffix in (_RECORD, _DATA):
            self._path(document_id, suffix).unlink(missing_ok=True)

    def close(self) -> None:
        """Removes the temporary folder."""
        if self._temporary is not None:
            self._temporary.cleanup()
            self._temporary = None

    def _make_room(self, caller: str, size: int) -> None:
        """Removes what has been fetched, longest ago first, as far as another file needs its place.

        Raises:
            QuotaExceeded: that is not enough.
        """
        kept = sorted(self._unexpired(), key=lambda each: (not each.is_fetched, each.changed))
        own = sum(each.caller == caller for each in kept)
        number, total = len(kept), sum(each.size for each in kept)
        for each in kept:
            has_room = number < MAX_DOCUMENTS and total + size <= self._max_bytes
            if has_room and own < MAX_PER_CALLER:
                return
            if each.is_fetched and (not has_room or each.caller == caller):
                self.remove(each.id)
                own, number, total = own - (each.caller == caller), number - 1, total - each.size
        if own >= MAX_PER_CALLER:
            raise QuotaExceeded(f"{own} documents of yours wait to be downloaded, which is the limit", RETRY_S)
        if number >= MAX_DOCUMENTS or total + size > self._max_bytes:
            fault = f"{number} documents of {total} bytes wait to be downloaded; the limits are {MAX_DOCUMENTS}"
            raise QuotaExceeded(f"{fault} documents and {self._max_bytes} bytes", RETRY_S)

    def _unexpired(self) -> Iterator[KeptDocument]:
        """Yields the files; removes those that have expired."""
        for path in list(self._root().glob(f"*{_RECORD}")):
            found = self._read(path.stem)
            if found is not None and not self._is_expired(found):
                yield found
            elif found is not None:
                self.remove(path.stem)

    def _is_expired(self, document: KeptDocument) -> bool:
        return self._clock() - document.changed > max(EXPIRY_S, self._max_running_s)

    def _read(self, document_id: str) -> KeptDocument | None:
        with suppress(FileNotFoundError, ValueError, TypeError):
            return KeptDocument(**json.loads(self._path(document_id, _RECORD).read_bytes()))
        return None

    def _path(self, document_id: str, suffix: str) -> Path:
        return self._root() / (document_id + suffix)

    def _root(self) -> Path:
        if self._folder is not None:
            self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            return self._folder
        if self._temporary is None:
            self._temporary = tempfile.TemporaryDirectory(prefix="regard-documents-", ignore_cleanup_errors=True)
        return Path(self._temporary.name)


def _hash(key: str) -> str:
    return hashlib.sha256(key.encode()).hexdigest()
