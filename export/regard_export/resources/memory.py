"""What is done to keep little in memory: checkpoints are mapped, not read, and what is free goes back to the system."""

import ctypes
import mmap
import re
from collections.abc import Iterator
from pathlib import Path

import numpy as np

MAPPINGS, PAGES = Path("/proc/self/maps"), Path("/proc/self/pagemap")  # of Linux; elsewhere nothing is done
MAPPING = re.compile(
    r"^(?P<start>[0-9a-f]+)-(?P<end>[0-9a-f]+) (?P<mode>\S+) \S+ \S+ \S+ +(?P<path>/.*)$", re.MULTILINE
)
MIN_BYTES = 2**20
MADV_DONTNEED = 4  # of madvise(2): unmaps pages, which are read from the file when they are wanted again
M_MMAP_THRESHOLD, LARGE_BYTES = -3, 2**19  # of mallopt(3)
# Of a page's entry in pagemap, see proc(5).
ENTRY = np.dtype(np.uint64)
PRESENT, SWAPPED, OF_FILE = (np.uint64(1 << bit) for bit in (63, 62, 61))


def return_what_is_freed() -> None:
    """Lets large arrays go back to the system as soon as they are freed, where the C library is glibc.

    Left alone, it raises its bound for what is large to 32 MiB, and what is smaller stays behind in pieces.
    """
    if MAPPINGS.exists():
        libc = ctypes.CDLL(None)
        if hasattr(libc, "mallopt"):
            libc.mallopt(M_MMAP_THRESHOLD, LARGE_BYTES)


def give_memory_back() -> None:
    """Gives back what nobody needs now: freed memory that the allocator keeps, and pages of mapped files of weights.

    Whoever reads those again gets them from the disk, or from the system's cache of it.
    """
    if not MAPPINGS.exists():
        return
    libc = ctypes.CDLL(None)
    if hasattr(libc, "malloc_trim"):  # of glibc, which else keeps hundreds of megabytes in pieces
        libc.malloc_trim(0)
    for start, end in _large_mappings(MAPPINGS.read_text()):
        libc.madvise(ctypes.c_void_p(start), ctypes.c_size_t(end - start), MADV_DONTNEED)


def _large_mappings(mappings: str) -> Iterator[tuple[int, int]]:
    """Start and end of every large mapping of a file that is no library and that nobody wrote into."""
    found = list(MAPPING.finditer(mappings))
    libraries = {match["path"] for match in found if "x" in match["mode"]}
    for match in found:
        start, end = int(match["start"], 16), int(match["end"], 16)
        if match["path"] in libraries or end - start < MIN_BYTES:
            continue
        if "w" not in match["mode"] or not _is_written(start, end):
            yield start, end


def _is_written(start: int, end: int) -> bool:
    """Whether a page in this range of a private mapping is no longer the file's; so too where nobody can tell."""
    try:
        with PAGES.open("rb", buffering=0) as stream:
            stream.seek(start // mmap.PAGESIZE * ENTRY.itemsize)
            wanted = (end - start) // mmap.PAGESIZE * ENTRY.itemsize
            entries = np.frombuffer(stream.read(wanted), ENTRY)
    except OSError:
        return True
    if entries.nbytes < wanted:
        return True
    present = (entries & PRESENT) != 0
    return bool(((entries & SWAPPED) != 0).any() or (present & ((entries & OF_FILE) == 0)).any())
