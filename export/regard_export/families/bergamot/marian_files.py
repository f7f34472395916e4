"""Marian's own model files, read without Marian: the binary format, version 1, and `.npz`.

A binary file is a header of 64-bit numbers, then one record an item (length of its name, type, number of axes, length
of its data), all names, all shapes, padding, and all data in the same order. `special:model.yml` is an item that holds
the model's options. An `intgemm8` item is a matrix of int8 with one float32 behind it, its multiplier, so that weight =
number / multiplier; it is stored transposed, but for the embedding table (marian-dev `src/common/binary.cpp`).
"""

import math
import struct
import zipfile
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from regard.arrays import Float32Array
from regard_export.checkpoints.damaged_zips import ZIP_ERRORS
from regard_export.errors import ExportError
from regard_export.families.bergamot.contents import MAX_SETTINGS_BYTES, parse_yaml, read_content, unpacked_name

VERSION = 1
CONFIG = "special:model.yml"
TABLES = ("Wemb", "encoder_Wemb", "decoder_Wemb")  # what `intgemm8` does not transpose
INPUT_MULTIPLIER = "_QuantMultA"

MAX_FILE_BYTES = 2**32
MAX_ITEMS = 2**14
MAX_NAME_BYTES = 2**10
MAX_AXES = 4
MIN_WEIGHT, MAX_WEIGHT = 1e-8, 1e4  # the largest of an item lies between them, unless its multiplier is damaged

# Types: a class of numbers and the bytes of one (marian-dev `src/common/types.h`).
FLOAT32, FLOAT16, INT8, INTGEMM8 = 0x404, 0x402, 0x101, 0x4101
PLAIN: Mapping[int, type[np.generic]] = {FLOAT32: np.float32, FLOAT16: np.float16, INT8: np.int8}
TYPE_NAMES = {
    0x102: "int16",
    0x408: "float64",
    0x4102: "intgemm16",
    0x802: "packed16",
    0x1801: "packed8avx2",
    0x2801: "packed8avx512",
    0x5101: "intgemm8avx2",
    0x6101: "intgemm8avx512",
}
_HEADER = struct.Struct("<QQ")
_RECORD = struct.Struct("<QQQQ")
_MULTIPLIER = struct.Struct("<f")


@dataclass(frozen=True)
class Item:
    """One array of a model file.

    Attributes:
        values: float32 or int8, in the item's own shape, [in, out] for matrices.
        multiplier: of int8 values: weight = value / multiplier; None for float32.
    """

    values: NDArray[Any]
    multiplier: float | None = None

    @property
    def weight(self) -> Float32Array:
        """float32, in the item's shape."""
        if self.multiplier is None:
            return self.values.astype(np.float32, copy=False)
        return self.values * np.float32(1 / self.multiplier)


@dataclass(frozen=True)
class MarianFile:
    """A model file's content.

    Attributes:
        items: by name, without the options.
        options: of `special:model.yml`.
    """

    path: Path
    items: Mapping[str, Item]
    options: Mapping[str, Any]


def read_model(path: Path) -> MarianFile:
    """Reads a `.bin` or `.npz` file, compressed or not.

    Raises:
        ExportError: the file is damaged, too large, or of another format; the message names file and cause.
    """
    content = read_content(path, MAX_FILE_BYTES)
    items = _read_npz(path, content) if unpacked_name(path).endswith(".npz") else _Binary(path, content).items()
    config = items.pop(CONFIG, None)
    if config is None:
        raise ExportError(f"{path} holds no options: there is no {CONFIG}")
    return MarianFile(path, items, _options(path, config))


class _Binary:
    """A file of version 1; every length is checked against the file's size before anything is read by it."""

    def __init__(self, path: Path, content: bytes) -> None:
        self._path = path
        self._content = content
        self._position = 0

    def items(self) -> dict[str, Item]:
        records = self._records()
        names = [self._name(length) for length, *_ in records]
        repeated = [name for name, count in Counter(names).items() if count > 1]
        if repeated:
            raise self._fault(f"items of the same name: {', '.join(sorted(repeated))}")
        shapes = [self._shape(name, record[2]) for name, record in zip(names, records, strict=True)]
        (padding,) = struct.unpack("<Q", self._take(8, "the padding's length"))
        self._take(padding, "padding")
        items = {
            name: self._item(name, kind, shape, num_bytes)
            for name, shape, (_, kind, _, num_bytes) in zip(names, shapes, records, strict=True)
        }
        rest = len(self._content) - self._position
        if rest:
            raise self._fault(f"{rest} bytes behind the last item")
        return items

    def _records(self) -> list[tuple[int, int, int, int]]:
        version, num_items = _HEADER.unpack(self._take(_HEADER.size, "the header"))
        if version != VERSION:
            raise self._fault(f"no Marian model of version {VERSION}: it begins with the number {version}")
        if num_items > MAX_ITEMS:
            raise self._fault(f"{num_items} items, more than {MAX_ITEMS}")
        content = self._take(num_items * _RECORD.size, "the items' records")
        return list(_RECORD.iter_unpack(content))

    def _name(self, length: int) -> str:
        if not 1 <= length <= MAX_NAME_BYTES:
            raise self._fault(f"an item's name of {length} bytes")
        name = bytes(self._take(length, "an item's name")).rstrip(b"\0")
        if not (name.isascii() and name.decode("ascii").isprintable()):
            raise self._fault(f"an item's name that is no text: {name!r}")
        return name.decode("ascii")

    def _shape(self, name: str, num_axes: int) -> tuple[int, ...]:
        if not 1 <= num_axes <= MAX_AXES:
            raise self._fault(f"{name} has {num_axes} axes, not 1 to {MAX_AXES}")
        shape = struct.unpack(f"<{num_axes}i", self._take(4 * num_axes, f"the shape of {name}"))
        if min(shape) < 1:
            raise self._fault(f"{name} has shape {shape}")
        return shape

    def _item(self, name: str, kind: int, shape: tuple[int, ...], num_bytes: int) -> Item:
        data = self._take(num_bytes, name)
        size = math.prod(shape)
        if kind == INTGEMM8:
            return self._quantized(name, shape, data)
        if kind not in PLAIN:
            raise self._fault(
                f"{name} is of type {TYPE_NAMES.get(kind, hex(kind))}; float32, float16 and intgemm8 are read "
                "(`marian-conv -g intgemm8` writes what suits every CPU)"
            )
        dtype = np.dtype(PLAIN[kind])
        if len(data) < size * dtype.itemsize:
            raise self._fault(f"{name}, {shape}, has {len(data)} bytes, too few")
        values: NDArray[Any] = np.frombuffer(data, dtype, size).reshape(shape)
        return Item(values if kind == INT8 else _finite(self._path, name, values))

    def _quantized(self, name: str, shape: tuple[int, ...], data: memoryview) -> Item:
        size = math.prod(shape)
        if len(shape) != 2 or len(data) < size + _MULTIPLIER.size:
            raise self._fault(f"{name}, {shape}, has {len(data)} bytes, too few for int8 with a multiplier")
        (multiplier,) = _MULTIPLIER.unpack_from(data, size)
        if not 127 / MAX_WEIGHT < multiplier < 127 / MIN_WEIGHT:  # nor if it is no number
            raise self._fault(f"{name} has the multiplier {multiplier}")
        values = np.frombuffer(data, np.int8, size)
        return Item(values.reshape(shape) if name in TABLES else values.reshape(shape[::-1]).T, multiplier)

    def _take(self, num_bytes: int, title: str) -> memoryview:
        end = self._position + num_bytes
        if end > len(self._content):
            raise self._fault(f"it ends within {title}: {end} bytes are needed, {len(self._content)} are there")
        part = memoryview(self._content)[self._position : end]
        self._position = end
        return part

    def _fault(self, cause: str) -> ExportError:
        return ExportError(f"{self._path} is damaged or no model of Marian: {cause}")


def _read_npz(path: Path, content: bytes) -> dict[str, Item]:
    """A zip of float arrays; what an array would take is known, and limited, before it is read."""
    items = {}
    try:
        with zipfile.ZipFile(BytesIO(content)) as archive:
            entries = archive.infolist()
            if len(entries) > MAX_ITEMS or sum(entry.file_size for entry in entries) > MAX_FILE_BYTES:
                raise ExportError(f"{path} holds too much: {len(entries)} items")
            for entry in entries:
                with archive.open(entry) as stream:
                    name = entry.filename.removesuffix(".npy")
                    if name in items:
                        raise ExportError(f"{path} holds {name} twice")
                    items[name] = Item(_npy(path, name, stream, entry.file_size))
    except ZIP_ERRORS as error:
        raise ExportError(f"{path} is damaged or no model of Marian: {error}") from error
    return items


def _npy(path: Path, name: str, stream: IO[bytes], num_bytes: int) -> NDArray[Any]:
    version = np.lib.format.read_magic(stream)
    if version != (1, 0):
        raise ExportError(f"{path}: {name} is an array of another format")
    shape, is_transposed, dtype = np.lib.format.read_array_header_1_0(stream)
    size = math.prod(shape)
    is_known = dtype in (np.dtype(np.float32), np.dtype(np.float16), np.dtype(np.int8), np.dtype("S1"))
    if not is_known or is_transposed or size * dtype.itemsize > num_bytes:
        raise ExportError(f"{path}: {name} is an array of {size} numbers of type {dtype} in {num_bytes} bytes")
    values: NDArray[Any] = np.frombuffer(stream.read(size * dtype.itemsize), dtype, size).reshape(shape)
    return values.view(np.int8) if dtype.itemsize == 1 else _finite(path, name, values)


def _finite(path: Path, name: str, values: NDArray[Any]) -> Float32Array:
    weight = values.astype(np.float32, copy=False)
    if not np.isfinite(weight).all():
        raise ExportError(f"{path} is damaged: {name} is not finite")
    return weight


def _options(path: Path, item: Item) -> Mapping[str, Any]:
    """The options' YAML."""
    if item.values.dtype != np.int8 or item.values.size > MAX_SETTINGS_BYTES:
        raise ExportError(f"{path} is damaged: its options are {item.values.size} values of {item.values.dtype}")
    content = np.ascontiguousarray(item.values).tobytes().split(b"\0", 1)[0]
    return parse_yaml(f"{path} is damaged: {CONFIG}", content)
