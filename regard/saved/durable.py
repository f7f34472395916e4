"""Files that get their names when they are whole, and keep them through a loss of power."""

import os
from pathlib import Path


def partial_of(path: Path) -> Path:
    """Where the file of that name is written: beside it, hidden."""
    return path.with_name(f".{path.name}.partial")


def publish(path: Path) -> None:
    """Gives the file that was written at `partial_of(path)` its name, once its bytes are on the disk."""
    partial = partial_of(path)
    _sync(partial)
    os.replace(partial, path)
    if os.name == "posix":  # elsewhere a folder cannot be opened
        _sync(path.absolute().parent)


def named(error: OSError, path: Path) -> OSError:
    """Returns an error of the system with the name of the file that it is about, which Arrow's errors lack."""
    if error.errno is None or error.filename is not None:
        return error
    return OSError(error.errno, os.strerror(error.errno), str(path))


def write_whole(path: Path, content: bytes) -> None:
    """Writes a file that has either its old content or all of the new one, whenever the process ends."""
    partial_of(path).write_bytes(content)
    publish(path)


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY if path.is_dir() else os.O_RDWR)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
