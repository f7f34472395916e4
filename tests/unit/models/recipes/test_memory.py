"""Freed memory stays with a process that trains."""

import subprocess
import sys

import pytest

ARRAYS = 10

FAULTS = """
import resource
import numpy as np
from regard_models.recipes.memory import keep_freed_memory

def faults(count):
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    for _ in range(count):
        np.ones(2**23)
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before

kept = KEEPS and keep_freed_memory()
print(kept, faults(1), faults(ARRAYS))
"""


def faults(*, keeps: bool) -> tuple[bool, int]:
    """Whether the allocator took the settings; page faults of large arrays after a first one."""
    command = [sys.executable, "-c", FAULTS.replace("KEEPS", str(keeps)).replace("ARRAYS", str(ARRAYS))]
    kept, _, others = subprocess.run(command, check=True, capture_output=True, text=True).stdout.split()
    return kept == "True", int(others)


def test_the_next_array_takes_the_memory_of_a_freed_one() -> None:
    _, of_returned = faults(keeps=False)
    kept, of_kept = faults(keeps=True)
    if not kept or of_returned < ARRAYS:
        pytest.skip("this C library keeps freed memory by itself, or the kernel counts no faults")
    assert of_kept < of_returned / 10
