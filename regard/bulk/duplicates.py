"""Names of rows that occurred before, for any number of rows in a bounded part of memory."""

import hashlib
from collections.abc import Sequence
from types import TracebackType
from typing import Self

MAX_ADDED = 256  # at a time; SQLite takes 999 parameters of a statement in any version

_DIGEST_BYTES = 16
_FIND, _ADD = "SELECT digest FROM seen WHERE digest IN (?)", "INSERT INTO seen VALUES (?)"


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

    def add(self, custom_ids: Sequence[str]) -> list[bool]:
        """Adds names, at most `MAX_ADDED`; returns of each whether it is a new one.

        Two statements for all: each gives other threads the interpreter, and waits for it to return.
        """
        if not custom_ids:
            return []
        digests = [hashlib.blake2b(each.encode(), digest_size=_DIGEST_BYTES).digest() for each in custom_ids]
        found = self._database.execute(_FIND.replace("?", ",".join("?" * len(digests))), digests)
        known = {digest for (digest,) in found}
        are_new = []
        for digest in digests:
            are_new.append(digest not in known)
            known.add(digest)
        added = [digest for digest, is_new in zip(digests, are_new, strict=True) if is_new]
        if added:
            self._database.execute(_ADD.replace("(?)", ",".join(["(?)"] * len(added))), added)
        return are_new

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._database.close()
