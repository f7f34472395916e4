"""Files that doors keep until their callers fetch them, in a folder that the processes of a server share."""

import re
import secrets
import shutil
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path

from regard_service.errors import Overloaded

KEEP_S = 1800.0
RETRY_S = 60.0
KEY_BYTES = 24
_KEY = re.compile(r"[\w-]{32}")


class KeptFiles:
    """Keeps files under random keys for a while. Its methods block.

    Args:
        folder: None: one of its own, for this process alone.
        max_bytes: of all files.
        keep_s: the time after which a file is gone.
    """

    def __init__(
        self, folder: Path | None, max_bytes: int, keep_s: float = KEEP_S, clock: Callable[[], float] = time.time
    ) -> None:
        self._given = folder
        self._own: Path | None = None
        self._max_bytes = max_bytes
        self._keep_s = keep_s
        self._clock = clock
        self._lock = threading.Lock()

    def put(self, data: bytes) -> str:
        """Keeps a file; returns its key. Raises Overloaded: there is no room until others are fetched, or too old."""
        key = secrets.token_urlsafe(KEY_BYTES)
        self.replace(key, data)
        return key

    def replace(self, key: str, data: bytes) -> None:
        """Keeps other bytes under a key. Raises Overloaded, as `put`."""
        with self._lock:
            folder = self._folder()
            left = self._max_bytes - self._remove_old(folder, key)
            if len(data) > left:
                fault = f"the files that doors keep leave {left} bytes, of {self._max_bytes}; this one has {len(data)}"
                raise Overloaded(fault, RETRY_S)
            unfinished = folder / f"{key}.new"
            unfinished.write_bytes(data)
            unfinished.rename(folder / key)

    def get(self, key: str) -> bytes | None:
        """Returns a file; None if there is none of that key, or no longer."""
        if not _KEY.fullmatch(key):
            return None
        path = self._folder() / key
        try:
            return path.read_bytes() if self._is_young(path) else None
        except FileNotFoundError:
            return None

    def remove(self, key: str) -> None:
        """Forgets a file."""
        if _KEY.fullmatch(key):
            (self._folder() / key).unlink(missing_ok=True)

    def close(self) -> None:
        """Removes the folder, if it is its own."""
        with self._lock:
            if self._own is not None:
                shutil.rmtree(self._own, ignore_errors=True)
                self._own = None

    def _folder(self) -> Path:
        if self._given is not None:
            self._given.mkdir(mode=0o700, exist_ok=True)
            return self._given
        if self._own is None:
            self._own = Path(tempfile.mkdtemp(prefix="regard-doors-"))
        return self._own

    def _remove_old(self, folder: Path, key: str) -> int:
        """Removes files that are too old; returns the bytes of the others, but of that key."""
        size = 0
        for path in folder.iterdir():
            try:
                if not path.is_file():  # what doors keep in another way
                    continue
                if not self._is_young(path):
                    path.unlink()
                elif path.name != key:
                    size += path.stat().st_size
            except FileNotFoundError:  # another process was faster
                continue
        return size

    def _is_young(self, path: Path) -> bool:
        return self._clock() - path.stat().st_mtime < self._keep_s
