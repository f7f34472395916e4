"""Reads the files of a checkpoint."""

import json
import pickle
from pathlib import Path
from typing import Any

from regard_export.errors import ExportError

DAMAGE = ("invalid load key", "truncated", "stack underflow")  # in errors of the pickle module
PYTORCH_STARTS = (b"PK", b"\x80")  # of zip archives, and of pickles of protocol 2 and later
LFS_POINTER = b"version https://git-lfs.github.com/spec/"


def require_files(folder: Path, *names: str) -> None:
    """Raises ExportError with every file that a checkpoint lacks."""
    missing = [name for name in names if not (folder / name).is_file()]
    if missing:
        raise ExportError(f"{folder} lacks {', '.join(missing)}")


def lfs_pointers(folder: Path) -> list[Path]:
    """The files in a folder, or the file itself, in whose place git-lfs left a pointer to the content."""
    files = sorted(folder.iterdir()) if folder.is_dir() else [folder]
    found = []
    for file in files:
        if file.is_file():
            with file.open("rb") as stream:
                found += [file] if stream.read(len(LFS_POINTER)) == LFS_POINTER else []
    return found


def read_json(file: Path) -> dict[str, Any]:
    """Reads a JSON object; returns {} if there is no such file.

    Raises:
        ExportError: the content is not a JSON object.
    """
    if not file.is_file():
        return {}
    try:
        settings = json.loads(file.read_text(encoding="utf-8"))
    except ValueError as error:
        raise ExportError(f"{file} is not JSON: {error}") from error
    if not isinstance(settings, dict):
        raise ExportError(f"{file} holds a {type(settings).__name__}, not an object")
    return settings


def read_pickle(file: Path, *, is_trusted: bool) -> dict[str, Any]:
    """Reads a file that PyTorch saved.

    Args:
        is_trusted: whether to read objects other than tensors too, which may run any code.

    Raises:
        ExportError: the file holds more than tensors and is not trusted, or cannot be read.
    """
    import torch  # other files are read without it

    try:
        content: dict[str, Any] = torch.load(file, map_location="cpu", weights_only=not is_trusted)
    except pickle.UnpicklingError as error:
        if not _begins_as_pytorch_writes(file):
            raise ExportError(f"{file} is no file that PyTorch saved, or damaged: it begins otherwise") from error
        if any(mark in str(error) for mark in DAMAGE):
            raise ExportError(
                f"{file} is no file that PyTorch saved, or damaged: {str(error).splitlines()[0]}"
            ) from error
        raise ExportError(
            f"{file} is a pickle of more than tensors, which may run any code when it is read; "
            "if you trust its author: --trust-pickle"
        ) from error
    except ModuleNotFoundError as error:
        raise ExportError(
            f"{file} holds objects of the Python package {error.name}, which is not installed; install it, or save the "
            "weights and options alone"
        ) from error
    except Exception as error:  # torch raises many kinds
        raise ExportError(f"{file} is no file that PyTorch saved, or damaged: {error!r}") from error
    return content


def _begins_as_pytorch_writes(file: Path) -> bool:
    with file.open("rb") as stream:
        return stream.read(2).startswith(PYTORCH_STARTS)
