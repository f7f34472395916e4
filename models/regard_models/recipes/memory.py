"""The memory of freed arrays: glibc returns it to the kernel, and the next array faults it in again, page by page.

Training on a CPU frees and makes arrays of many megabytes at each layer of each step, so it pays for this all the time.
"""

import ctypes
import sys

# Parameters of mallopt(3).
TRIM_THRESHOLD, TOP_PAD, MMAP_MAX = -1, -2, -4

STEP = 2**28  # bytes by which the heap grows


def keep_freed_memory() -> bool:
    """Makes this process keep the memory that it frees, for its next arrays.

    Measured with a batch of `everyday` on one core: 0.76 s of processor time instead of 1.2 s, with equal losses, and
    2.2 GB of resident memory instead of 1.6 GB at the peak, which stay with the process.

    Returns:
        whether the C library took the settings; only glibc does.
    """
    if sys.platform != "linux":
        return False
    set_option = getattr(ctypes.CDLL(None), "mallopt", None)
    if set_option is None:
        return False
    settings = ((MMAP_MAX, 0), (TRIM_THRESHOLD, -1), (TOP_PAD, STEP))
    taken = [set_option(option, value) for option, value in settings]  # each, even after one that is not taken
    return all(taken)
