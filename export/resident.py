"""What is done to keep little in memory: checkpoints are mapped, not read, and what is free goes back to the system."""

import ctypes
import re
from collections.abc import Iterator
from pathlib import Path

MAPS = Path("/proc/self/maps")  # of Linux; elsewhere nothing is done
MAPPING = re.compile(r"([0-9a-f]+)-([0-9a-f]+) (r..p) \S+ \S+ \S+ +(/.*)")
MIN_BYTES = 2**20
MADV_PAGEOUT = 21  # of madvise(2): drops clean pages of a file, and never loses what was written
M_MMAP_THRESHOLD, LARGE_BYTES = -3, 2**19  # of mallopt(3)


def return_what_is_freed() -> None:
    """Lets large arrays go back to the system as soon as they are freed, where the C library is glibc.

    Left alone, it raises its bound for what is large to 32 MiB, and what is smaller stays behind in pieces.
    """
    if MAPS.exists():
        libc = ctypes.CDLL(None)
        if hasattr(libc, "mallopt"):
            libc.mallopt(M_MMAP_THRESHOLD, LARGE_BYTES)


def give_memory_back() -> None:
    """Gives back what nobody needs now: freed memory that the allocator keeps, and pages of mapped files of weights.

    Whoever reads those again gets them from the disk, or from the system's cache of it.
    """
    if not MAPS.exists():
        return
    libc = ctypes.CDLL(None)
    if hasattr(libc, "malloc_trim"):  # of glibc, which else keeps hundreds of megabytes in pieces
        libc.malloc_trim(0)
    for start, end in _large_mappings(MAPS.read_text()):
        libc.madvise(ctypes.c_void_p(start), ctypes.c_size_t(end - start), MADV_PAGEOUT)  # only advice: it may fail


def _large_mappings(maps: str) -> Iterator[tuple[int, int]]:
    """Start and end of every large mapping of a file that is no library."""
    found = [match.groups() for match in map(MAPPING.match, maps.splitlines()) if match]
    libraries = {path for _, _, mode, path in found if "x" in mode}
    for start, end, _, path in found:
        if path not in libraries and int(end, 16) - int(start, 16) >= MIN_BYTES:
            yield int(start, 16), int(end, 16)
