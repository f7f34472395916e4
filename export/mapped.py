"""Checkpoints are mapped, not read: what is done to keep their pages out of memory while nobody needs them."""

import ctypes
import re
from collections.abc import Iterator
from pathlib import Path

MAPS = Path("/proc/self/maps")  # of Linux; elsewhere nothing is done
MAPPING = re.compile(r"([0-9a-f]+)-([0-9a-f]+) (r..p) \S+ \S+ \S+ +(/.*)")
MIN_BYTES = 2**20
MADV_PAGEOUT = 21  # of madvise(2): drops clean pages of a file, and never loses what was written


def let_mapped_files_go() -> None:
    """Gives back the memory that mapped files of weights take; whoever reads them again gets them from the disk."""
    if not MAPS.exists():
        return
    advise = ctypes.CDLL(None).madvise
    for start, end in _large_mappings(MAPS.read_text()):
        advise(ctypes.c_void_p(start), ctypes.c_size_t(end - start), MADV_PAGEOUT)  # only advice: it may fail


def _large_mappings(maps: str) -> Iterator[tuple[int, int]]:
    """Start and end of every large mapping of a file that is no library."""
    found = [match.groups() for match in map(MAPPING.match, maps.splitlines()) if match]
    libraries = {path for _, _, mode, path in found if "x" in mode}
    for start, end, _, path in found:
        if path not in libraries and int(end, 16) - int(start, 16) >= MIN_BYTES:
            yield int(start, 16), int(end, 16)
