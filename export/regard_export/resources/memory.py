"""Keeps this process small: returns free memory, and pages of mapped files, to the operating system."""

import ctypes
import mmap
import re
from collections.abc import Iterator
from pathlib import Path

import numpy as np

MAPS_FILE, PAGEMAP_FILE = Path("/proc/self/maps"), Path("/proc/self/pagemap")  # Linux only; elsewhere nothing is done
MAPPED_FILE = re.compile(
    r"^(?P<start>[0-9a-f]+)-(?P<end>[0-9a-f]+) (?P<mode>\S+) \S+ \S+ \S+ +(?P<path>/.*)$", re.MULTILINE
)
MIN_MAPPING_BYTES = 2**20
MADV_DONTNEED = 4  # madvise(2): drops pages, which are read from the file again on the next access
M_MMAP_THRESHOLD, MMAP_THRESHOLD_BYTES = -3, 2**19  # mallopt(3)
# An entry of pagemap and its flags, see proc(5).
PAGEMAP_ENTRY = np.dtype(np.uint64)
PRESENT_FLAG, SWAPPED_FLAG, FILE_PAGE_FLAG = (np.uint64(1 << bit) for bit in (63, 62, 61))


def return_large_allocations() -> None:
    """Makes glibc return large arrays to the system as soon as they are freed.

    By default glibc raises the threshold for "large" to 32 MiB, and smaller arrays leave a fragmented heap behind.
    """
    if MAPS_FILE.exists():
        libc = ctypes.CDLL(None)
        if hasattr(libc, "mallopt"):
            libc.mallopt(M_MMAP_THRESHOLD, MMAP_THRESHOLD_BYTES)


def release_memory() -> None:
    """Returns memory that the allocator holds free, and unmodified pages of mapped files of weights.

    A later access reads such a page from the disk, or from the system's page cache.
    """
    if not MAPS_FILE.exists():
        return
    libc = ctypes.CDLL(None)
    if hasattr(libc, "malloc_trim"):  # otherwise glibc keeps hundreds of fragmented megabytes
        libc.malloc_trim(0)
    for start, end in _releasable_mappings(MAPS_FILE.read_text()):
        libc.madvise(ctypes.c_void_p(start), ctypes.c_size_t(end - start), MADV_DONTNEED)


def _releasable_mappings(mappings: str) -> Iterator[tuple[int, int]]:
    """Start and end of every large, unmodified mapping of a file that is not a library."""
    found = list(MAPPED_FILE.finditer(mappings))
    libraries = {match["path"] for match in found if "x" in match["mode"]}
    for match in found:
        start, end = int(match["start"], 16), int(match["end"], 16)
        if match["path"] in libraries or end - start < MIN_MAPPING_BYTES:
            continue
        if "w" not in match["mode"] or not _is_modified(start, end):
            yield start, end


def _is_modified(start: int, end: int) -> bool:
    """Whether a page in this range of a private mapping differs from the file; True where the system does not say."""
    try:
        with PAGEMAP_FILE.open("rb", buffering=0) as stream:
            stream.seek(start // mmap.PAGESIZE * PAGEMAP_ENTRY.itemsize)
            num_bytes = (end - start) // mmap.PAGESIZE * PAGEMAP_ENTRY.itemsize
            entries = np.frombuffer(stream.read(num_bytes), PAGEMAP_ENTRY)
    except OSError:
        return True
    if entries.nbytes < num_bytes:
        return True
    is_anonymous = ((entries & PRESENT_FLAG) != 0) & ((entries & FILE_PAGE_FLAG) == 0)
    return bool(((entries & SWAPPED_FLAG) != 0).any() or is_anonymous.any())
