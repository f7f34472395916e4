"""Lexical shortlists: which target pieces each source piece may become, in Marian's binary format.

Six 64-bit numbers (magic, checksum, pieces that are always allowed, pieces per source piece, number of offsets, number
of ids), the offsets, uint64, and the ids, uint32 (marian-dev `src/data/shortlist.h`).
"""

import struct
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from regard.arrays import Int64Array

SHORTLIST_MAGIC = 0xF11A48D5013417F5
MAX_SHORTLIST_BYTES = 2**28
HEADER = struct.Struct("<6Q")


class BadShortlist(ValueError):
    """A shortlist is damaged, or does not suit the vocabularies; the message says why."""


@dataclass(frozen=True)
class Shortlist:
    """What a decoder may write.

    Attributes:
        num_first: the first ids of the vocabulary, the most frequent pieces, are always allowed.
        offsets: uint64 [source vocabulary + 1]; piece s allows `ids[offsets[s] : offsets[s + 1]]`.
        ids: uint32, of the target vocabulary.
        num_target: pieces of the target vocabulary.
    """

    num_first: int
    offsets: NDArray[np.uint64]
    ids: NDArray[np.uint32]
    num_target: int

    def allowed(self, source_ids: Int64Array) -> Int64Array:
        """What the decoder may write for a source: ids of the target vocabulary, ascending, each once."""
        # A mark for each piece is a tenth of sorting the lists.
        is_allowed = np.zeros(self.num_target, np.bool_)
        is_allowed[: self.num_first] = True
        for i in np.unique(source_ids).tolist():
            is_allowed[self.ids[int(self.offsets[i]) : int(self.offsets[i + 1])]] = True
        return np.flatnonzero(is_allowed)


def parse_shortlist(content: bytes, num_source: int | None, num_target: int) -> Shortlist:
    """Reads a shortlist; its checksum is not compared.

    Args:
        num_source, num_target: pieces of either vocabulary; None if the source's is not known.

    Raises:
        BadShortlist: the content is damaged, or does not suit the vocabularies.
    """
    if len(content) < HEADER.size:
        raise BadShortlist("it ends within the header")
    magic, _, num_first, _, num_offsets, num_ids = HEADER.unpack_from(content)
    if magic != SHORTLIST_MAGIC:
        raise BadShortlist(f"it begins with {magic:#x}")
    needed = HEADER.size + 8 * num_offsets + 4 * num_ids
    if needed != len(content) or not num_offsets:
        raise BadShortlist(f"{needed} bytes are needed, {len(content)} are there")
    offsets = np.frombuffer(content, np.uint64, num_offsets, HEADER.size)
    ids = np.frombuffer(content, np.uint32, num_ids, HEADER.size + 8 * num_offsets)
    suits = num_source is None or num_offsets == num_source + 1
    if not suits or offsets[0] != 0 or offsets[-1] != num_ids or (offsets[1:] < offsets[:-1]).any():
        raise BadShortlist(f"its {num_offsets} offsets do not suit {num_source} source pieces and {num_ids} ids")
    if ids.max(initial=0) >= num_target or num_first > num_target:
        raise BadShortlist(f"it names pieces beyond the {num_target} of the target")
    return Shortlist(num_first, offsets, ids, num_target)
