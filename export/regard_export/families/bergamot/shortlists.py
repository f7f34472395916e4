"""Lexical shortlists (`lex.*.s2t.bin`): which target pieces each source piece may become.

Six 64-bit numbers (magic, checksum, pieces that are always allowed, pieces per source piece, number of offsets, number
of ids), the offsets, uint64, and the ids, uint32 (marian-dev `src/data/shortlist.h`).
"""

import struct
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from regard.arrays import Int64Array
from regard_export.errors import ExportError
from regard_export.families.bergamot.contents import read_content

MAGIC = 0xF11A48D5013417F5
MAX_FILE_BYTES = 2**28
_HEADER = struct.Struct("<6Q")
_UNHASHED_BYTES = 16  # magic and checksum
_GOLDEN, _MASK = 0x9E3779B9, 2**64 - 1


@dataclass(frozen=True)
class Shortlist:
    """What a decoder may write.

    Attributes:
        num_first: the first ids of the vocabulary, the most frequent pieces, are always allowed.
        offsets: uint64 [source vocabulary + 1]; piece s allows `ids[offsets[s] : offsets[s + 1]]`.
        ids: uint32, of the target vocabulary.
    """

    num_first: int
    offsets: NDArray[np.uint64]
    ids: NDArray[np.uint32]

    def allowed(self, source_ids: Int64Array) -> Int64Array:
        """What the decoder may write for a source: ids of the target vocabulary, ascending, each once."""
        lists = [self.ids[int(self.offsets[i]) : int(self.offsets[i + 1])] for i in np.unique(source_ids)]
        return np.unique(np.concatenate([np.arange(self.num_first), *lists])).astype(np.int64)


def read_shortlist(path: Path, num_source: int, num_target: int) -> Shortlist:
    """Reads a binary shortlist.

    Args:
        num_source, num_target: pieces of either vocabulary.

    Raises:
        ExportError: the file is damaged, or does not suit the vocabularies; the message names file and cause.
    """
    content = read_content(path, MAX_FILE_BYTES)
    if len(content) < _HEADER.size:
        raise _fault(path, "it ends within the header")
    magic, checksum, num_first, _, num_offsets, num_ids = _HEADER.unpack_from(content)
    if magic != MAGIC:
        raise _fault(path, f"it begins with {magic:#x}")
    needed = _HEADER.size + 8 * num_offsets + 4 * num_ids
    if needed != len(content):
        raise _fault(path, f"{needed} bytes are needed, {len(content)} are there")
    if _hash(content) != checksum:
        raise _fault(path, "its checksum differs")
    offsets = np.frombuffer(content, np.uint64, num_offsets, _HEADER.size)
    ids = np.frombuffer(content, np.uint32, num_ids, _HEADER.size + 8 * num_offsets)
    if num_offsets != num_source + 1 or offsets[0] != 0 or offsets[-1] != num_ids or (offsets[1:] < offsets[:-1]).any():
        raise _fault(path, f"its {num_offsets} offsets do not suit {num_source} source pieces and {num_ids} ids")
    if ids.max(initial=0) >= num_target or num_first > num_target:
        raise _fault(path, f"it names pieces beyond the {num_target} of the target")
    return Shortlist(num_first, offsets, ids)


def _hash(content: bytes) -> int:
    """Of all behind the checksum, by 64-bit numbers, as boost's hash_combine."""
    seed = 0
    for (number,) in struct.iter_unpack("<Q", content[_UNHASHED_BYTES : len(content) // 8 * 8]):
        seed ^= (number + _GOLDEN + (seed << 6) + (seed >> 2)) & _MASK
    return seed


def _fault(path: Path, cause: str) -> ExportError:
    return ExportError(f"{path} is damaged or no lexical shortlist: {cause}")
