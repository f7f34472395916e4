"""CTranslate2's files (OpenNMT/CTranslate2): `model.bin` of binary versions 3 to 6, and Argos Translate's packages.

A `model.bin` is little-endian: version, name and revision of the spec, named arrays, and aliases of their names. 8-bit
and 16-bit arrays come with scales, by which they are divided.
"""

import math
import stat
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
from numpy.typing import NDArray

from regard.arrays import Float32Array
from regard_export.checkpoints.damaged_zips import ZIP_ERRORS
from regard_export.errors import ExportError

MODEL_FILE = "model.bin"
SPECS = ("TransformerSpec",)
VERSIONS = range(3, 7)
DTYPES = ("float32", "int8", "int16", "int32", "float16", "bfloat16")  # by their numbers, from version 4 on
DTYPES_BY_SIZE = {1: "int8", 2: "int16", 4: "float32"}  # in version 3
MAX_RANK, MAX_NAMES = 4, 100_000
PACKAGE_SUFFIX = ".argosmodel"
MAX_PACKAGE_BYTES, MAX_PACKAGE_ENTRIES = 2**33, 1000  # unpacked; far above real packages of 0.1 to 0.3 GB
PACKAGE_SUFFIXES = (".bin", ".json", ".txt", ".model", ".spm")
COPIED_AT_A_TIME = 2**20


@dataclass(frozen=True)
class SpecFile:
    """The content of a `model.bin`.

    Attributes:
        arrays: as stored, by their names.
    """

    name: str
    version: int
    arrays: dict[str, NDArray[Any]] = field(repr=False)

    def weights(self) -> dict[str, Float32Array]:
        """All weights in float32, without their scales.

        Raises:
            ExportError: a scale does not suit its array.
        """
        found: dict[str, Float32Array] = {}
        for name, array in self.arrays.items():
            scale = self.arrays.get(f"{name}_scale")
            if name.removesuffix("_scale") not in self.arrays or not name.endswith("_scale"):
                found[name] = array.astype(np.float32) if scale is None else _divided(name, array, scale)
        return found


def is_spec(file: Path) -> bool:
    """Whether a file begins as a `model.bin` of a later version than 1 does."""
    if not file.is_file():
        return False
    with file.open("rb") as stream:
        head = stream.read(64)
    return (
        len(head) > 6
        and 2 <= int.from_bytes(head[:4], "little") < 2**16
        and head[6:].partition(b"\0")[0].endswith(b"Spec")
    )


def read_spec(file: Path) -> SpecFile:
    """Reads a `model.bin`.

    Raises:
        ExportError: names what the file is instead, or where it is damaged.
    """
    reader = _Reader(file)
    version = reader.number(4, "binary version")
    if version not in VERSIONS:
        raise ExportError(f"{file} has binary version {version}; versions {VERSIONS[0]} to {VERSIONS[-1]} are read")
    name = reader.string("spec")
    if name not in SPECS:
        raise ExportError(f"{file} holds a {name}; supported is {', '.join(SPECS)}")
    reader.number(4, "revision")
    arrays: dict[str, NDArray[Any]] = {}
    for _ in range(reader.count("variables")):
        variable = reader.string("variable's name")
        if variable in arrays:
            raise ExportError(f"{file} holds {variable} twice")
        arrays[variable] = reader.array(variable, version)
    for _ in range(reader.count("aliases")):
        alias, original = reader.string("alias"), reader.string("alias's variable")
        if original not in arrays or (alias in arrays and not alias.endswith("_scale")):
            raise ExportError(f"{file}: {alias} stands for {original}, which it does not hold")
        arrays[alias] = arrays[original]
        if f"{original}_scale" in arrays:
            arrays.setdefault(f"{alias}_scale", arrays[f"{original}_scale"])
    reader.end()
    return SpecFile(name, version, arrays)


class _Reader:
    """Reads numbers, names and arrays one after the other; every fault names the file and the place."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self._bytes = np.memmap(file, np.uint8, "r") if file.stat().st_size else np.zeros(0, np.uint8)
        self._place = 0

    def _take(self, num_bytes: int, what: str) -> NDArray[np.uint8]:
        taken = self._bytes[self._place : self._place + num_bytes]
        if len(taken) < num_bytes:
            raise ExportError(f"{self._file} ends at byte {len(self._bytes)}, within {what}")
        self._place += num_bytes
        return taken

    def number(self, num_bytes: int, what: str) -> int:
        return int.from_bytes(self._take(num_bytes, what).tobytes(), "little")

    def count(self, what: str) -> int:
        count = self.number(4, f"the number of {what}")
        if count > MAX_NAMES:
            raise ExportError(f"{self._file} states {count} {what}; it is damaged")
        return count

    def string(self, what: str) -> str:
        content = self._take(self.number(2, what), what).tobytes()
        try:
            if not content.endswith(b"\0"):
                raise ValueError
            return content[:-1].decode()
        except ValueError as error:
            raise ExportError(f"{self._file}: {what} at byte {self._place} is no name; it is damaged") from error

    def array(self, name: str, version: int) -> NDArray[Any]:
        rank = self.number(1, name)
        if rank > MAX_RANK:
            raise ExportError(f"{self._file}: {name} has {rank} axes; it is damaged")
        shape = tuple(self.number(4, name) for _ in range(rank))
        kind = self.number(1, name)
        dtype = dict(enumerate(DTYPES)).get(kind) if version > 3 else DTYPES_BY_SIZE.get(kind)
        if dtype is None:
            raise ExportError(f"{self._file}: {name} has the unknown type {kind}")
        size = 2 if dtype == "bfloat16" else np.dtype(dtype).itemsize
        num_bytes = self.number(4, name) * (size if version == 3 else 1)
        # The field has 32 bits: an array above 4 GiB has a wrong size in it, and is refused here.
        if num_bytes != math.prod(shape) * size:
            raise ExportError(f"{self._file}: {name} of shape {shape} and type {dtype} has {num_bytes} bytes")
        content = self._take(num_bytes, name).tobytes()
        if dtype == "bfloat16":
            return (np.frombuffer(content, "<u2").astype(np.uint32) << 16).view(np.float32).reshape(shape)
        return np.frombuffer(content, np.dtype(dtype).newbyteorder("<")).reshape(shape)

    def end(self) -> None:
        if self._place != len(self._bytes):
            raise ExportError(f"{self._file} has {len(self._bytes) - self._place} bytes behind its last alias")


def _divided(name: str, array: NDArray[Any], scale: NDArray[Any]) -> Float32Array:
    """A quantized array: a scale a row, or one for all."""
    if scale.shape not in ((), (1,), array.shape[:1]) or not (np.isfinite(scale).all() and (scale != 0).all()):
        raise ExportError(f"{name}_scale of shape {scale.shape} does not scale an array of shape {array.shape}")
    rows = (
        scale.astype(np.float32).reshape((-1,) + (1,) * (array.ndim - 1))
        if scale.size > 1
        else np.float32(scale.item())
    )
    with np.errstate(over="ignore"):  # such weights are refused
        divided: Float32Array = array.astype(np.float32) / rows
    return divided


@contextmanager
def unpacked(package: Path) -> Iterator[Path]:
    """Unpacks what an Argos package holds of a model; yields the folder that has `metadata.json`.

    Raises:
        ExportError: the file is no package, or is built to do harm: too large, with paths that leave the folder, links.
    """
    with TemporaryDirectory(prefix="regard-package-") as scratch:
        try:
            with zipfile.ZipFile(package) as archive:
                _unpack(package, archive, Path(scratch))
        except ZIP_ERRORS as error:  # among them OSError, of names too long, or in each other's way, and of a full disk
            cause = str(error).replace(scratch, str(package))
            raise ExportError(f"{package} is no readable package: {cause}") from error
        found = sorted(Path(scratch).rglob("metadata.json"), key=lambda file: len(file.parts))
        if not found:
            raise ExportError(f"{package} holds no metadata.json")
        yield found[0].parent


def _unpack(package: Path, archive: zipfile.ZipFile, target: Path) -> None:
    entries = archive.infolist()
    if len(entries) > MAX_PACKAGE_ENTRIES:
        raise ExportError(f"{package} has {len(entries)} entries; at most {MAX_PACKAGE_ENTRIES} are unpacked")
    total = 0
    for entry in entries:
        path = PurePosixPath(entry.filename.replace("\\", "/"))
        if path.is_absolute() or ".." in path.parts or ":" in entry.filename or stat.S_ISLNK(entry.external_attr >> 16):
            raise ExportError(f"{package} has an entry that leaves its folder: {entry.filename!r}")
        if entry.is_dir() or path.suffix not in PACKAGE_SUFFIXES:
            continue
        file = target / path
        file.parent.mkdir(parents=True, exist_ok=True)
        with archive.open(entry) as source, file.open("wb") as sink:
            while piece := source.read(COPIED_AT_A_TIME):
                total += len(piece)  # of what comes out, whatever the package states
                if total > MAX_PACKAGE_BYTES:
                    raise ExportError(f"{package} unpacks to more than {MAX_PACKAGE_BYTES >> 30} GiB")
                sink.write(piece)
