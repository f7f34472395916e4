"""Names of rows that occurred before, for any number of rows in a bounded part of memory."""

import hashlib
from types import TracebackType
from typing import Self

_DIGEST_BYTES = 16


class SeenIds:
    """A set of names on the disk, in a file that the system deletes when the process ends, however it ends."""

    def __init__(self) -> None:
        import sqlite3  # no other command needs it, and a Python may be built without it

        # "" is a temporary file without a name. A generator that uses the set may be closed by another thread.
        self._database = sqlite3.connect("", isolation_level=None, check_same_thread=False)
        self._database.execute("PRAGMA journal_mode=OFF")
        self._database.execute("PRAGMA synchronous=OFF")
        self._database.execute("CREATE TABLE seen (digest BLOB PRIMARY KEY) WITHOUT ROWID")
        self._database.execute("BEGIN")

    def add(self, custom_id: str) -> bool:
        """Adds a name; returns whether it is a new one."""
        digest = hashlib.blake2b(custom_id.encode(), digest_size=_DIGEST_BYTES).digest()
        return self._database.execute("INSERT OR IGNORE INTO seen VALUES (?)", (digest,)).rowcount == 1

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._database.close()
