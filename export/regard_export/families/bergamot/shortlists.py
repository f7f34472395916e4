"""Reads and writes lexical shortlists, such as `lex.*.s2t.bin` in a student's folder."""

import struct
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from regard_export.errors import ExportError
from regard_export.families.bergamot.contents import read_content
from regard_service.bundle import MAX_SHORTLIST_BYTES, SHORTLIST_MAGIC, BadShortlist, parse_shortlist

_COUNTS = struct.Struct("<4Q")  # always allowed, most of one piece, offsets, ids
_CHECKSUM = struct.Struct("<8xQ")
_UNHASHED_BYTES = 16  # magic and checksum
_GOLDEN, _MASK = 0x9E3779B9, 2**64 - 1


def read_shortlist(path: Path, num_source: int | None, num_target: int) -> bytes:
    """Reads and checks a binary shortlist, compressed or not; returns its content, which the bundle stores.

    Args:
        num_source, num_target: pieces of either vocabulary; None if the source's are not compared.

    Raises:
        ExportError: the file is damaged, or does not suit the vocabularies; the message names file and cause.
    """
    content = read_content(path, MAX_SHORTLIST_BYTES)
    try:
        parse_shortlist(content, num_source, num_target)
    except BadShortlist as error:
        raise ExportError(f"{path} is damaged or no lexical shortlist: {error}") from error
    if _hash(content) != _CHECKSUM.unpack_from(content)[0]:
        raise ExportError(f"{path} is damaged or no lexical shortlist: its checksum differs")
    return content


def shortlist_content(num_first: int, offsets: NDArray[np.uint64], ids: NDArray[np.uint32]) -> bytes:
    """A binary shortlist, see `regard_service.bundle.Shortlist`."""
    most = int(np.diff(offsets).max(initial=0))
    counts = _COUNTS.pack(num_first, most, len(offsets), len(ids))
    content = b"".join([bytes(_UNHASHED_BYTES), counts, offsets.astype("<u8").tobytes(), ids.astype("<u4").tobytes()])
    return struct.pack("<2Q", SHORTLIST_MAGIC, _hash(content)) + content[_UNHASHED_BYTES:]


def _hash(content: bytes) -> int:
    """Of all behind the checksum, by 64-bit numbers, as boost's hash_combine."""
    seed = 0
    for (number,) in struct.iter_unpack("<Q", content[_UNHASHED_BYTES : len(content) // 8 * 8]):
        seed ^= (number + _GOLDEN + (seed << 6) + (seed >> 2)) & _MASK
    return seed
