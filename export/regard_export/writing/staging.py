"""Where a bundle is made before it takes its name: a hidden folder beside it that one process at a time may hold."""

import fcntl
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO

from regard_export.errors import ExportError

LOCK = "lock"


@contextmanager
def workplace(beside: Path, purpose: str) -> Iterator[Path]:
    """An empty folder on the file system of `beside`, two levels down, where no server looks for bundles.

    It is removed in the end. What a process left behind that was killed, the next one removes: the lock that it held is
    gone with it.

    Args:
        purpose: such as "export"; part of the hidden folder's name.

    Raises:
        ExportError: another process is at work there.
    """
    whole = beside.resolve()
    place = whole.parent / f".{whole.name}.{purpose}"
    lock = None
    while lock is None:
        with suppress(FileExistsError):
            place.mkdir()
        lock = _lock(place, f"another {purpose} of {beside} is at work: wait for its end, or end it")
    with lock:
        try:
            _clear(place)
            folder = place / "bundle"
            folder.mkdir()
            yield folder
        finally:
            with suppress(OSError):
                _clear(place)
                (place / LOCK).unlink()  # from here on another may hold a lock of this name, and use the folder
                place.rmdir()


def _clear(place: Path) -> None:
    """Removes all but the lock."""
    for path in place.iterdir():
        if path.name != LOCK:
            shutil.rmtree(path, ignore_errors=True)


def _lock(place: Path, refusal: str) -> IO[bytes] | None:
    """The folder's lock, held until it is closed; None where whoever held it has just removed it, with the folder."""
    try:
        lock = (place / LOCK).open("ab")
    except FileNotFoundError:
        return None
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        lock.close()
        raise ExportError(refusal) from error
    with suppress(FileNotFoundError):
        if os.path.samestat(os.fstat(lock.fileno()), (place / LOCK).stat()):
            return lock
    lock.close()
    return None
