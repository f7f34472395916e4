"""A hidden folder in which one process at a time makes a bundle, before the bundle gets its name."""

import fcntl
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO

from regard_export.errors import ExportError

LOCK_FILE = "lock"


@contextmanager
def staging_folder(output: Path, purpose: str) -> Iterator[Path]:
    """Makes an empty folder on the file system of `output`, two levels down, where no server looks for bundles.

    The folder is removed at the end. If a process was killed, the next one removes what it left; its lock ended with
    it.

    Args:
        purpose: part of the hidden folder's name, such as "export".

    Raises:
        ExportError: another process uses the folder.
    """
    resolved = output.resolve()
    hidden = resolved.parent / f".{resolved.name}.{purpose}"
    lock = None
    while lock is None:
        with suppress(FileExistsError):
            hidden.mkdir()
        lock = _lock(hidden, f"another {purpose} of {output} is at work: wait for its end, or end it")
    with lock:
        try:
            _clear(hidden)
            folder = hidden / "bundle"
            folder.mkdir()
            yield folder
        finally:
            with suppress(OSError):
                _clear(hidden)
                (hidden / LOCK_FILE).unlink()  # from here on another process may lock and use the folder
                hidden.rmdir()


def _clear(folder: Path) -> None:
    """Removes everything except the lock."""
    for path in folder.iterdir():
        if path.name != LOCK_FILE:
            shutil.rmtree(path, ignore_errors=True)


def _lock(folder: Path, refusal: str) -> IO[bytes] | None:
    """Locks the folder until the file is closed; None if another process has just removed the lock and the folder.

    Raises:
        ExportError: another process holds the lock.
    """
    try:
        lock = (folder / LOCK_FILE).open("ab")
    except FileNotFoundError:
        return None
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        lock.close()
        raise ExportError(refusal) from error
    with suppress(FileNotFoundError):
        if os.path.samestat(os.fstat(lock.fileno()), (folder / LOCK_FILE).stat()):
            return lock
    lock.close()
    return None
