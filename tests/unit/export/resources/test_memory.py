"""`release_memory` drops pages that can be read from their file again, and no modified ones."""

import mmap
from pathlib import Path
from typing import Literal

import numpy as np
import pytest

from regard_export.resources.memory import (
    MAPS_FILE,
    MIN_MAPPING_BYTES,
    _is_modified,
    _releasable_mappings,
    release_memory,
)

pytestmark = pytest.mark.skipif(not MAPS_FILE.exists(), reason="only Linux has /proc/self/maps")

Mode = Literal["r", "c"]
NUM_BYTES = 4 * MIN_MAPPING_BYTES


@pytest.fixture
def file(tmp_path: Path) -> Path:
    (tmp_path / "weights").write_bytes(np.arange(NUM_BYTES, dtype=np.uint8).tobytes())
    return tmp_path / "weights"


def _mapped(file: Path, mode: Mode) -> tuple[np.memmap, int]:
    array = np.memmap(file, np.uint8, mode)  # "c" is private and writable, as PyTorch maps checkpoints
    return array, array.ctypes.data


def _resident(start: int) -> int:
    """Bytes of a mapping that are in memory."""
    text = Path("/proc/self/smaps").read_text()
    mapping = text[text.index(f"{start:x}-") :]
    return int(mapping[mapping.index("Rss:") + 4 :].split()[0]) * 1024


@pytest.mark.parametrize("mode", ["r", "c"])
def test_unmodified_pages_are_released(file, mode: Mode) -> None:
    array, start = _mapped(file, mode)
    total = int(array.sum())
    assert _resident(start) == NUM_BYTES
    release_memory()
    assert _resident(start) == 0
    assert int(array.sum()) == total


def test_modified_pages_stay(file) -> None:
    array, start = _mapped(file, "c")
    assert not _is_modified(start, start + NUM_BYTES)
    array[3 * mmap.PAGESIZE] = 77
    assert _is_modified(start, start + NUM_BYTES)
    release_memory()
    assert array[3 * mmap.PAGESIZE] == 77


def test_without_a_pagemap_every_mapping_counts_as_modified(file, tmp_path, monkeypatch) -> None:
    array, start = _mapped(file, "c")
    monkeypatch.setattr("regard_export.resources.memory.PAGEMAP_FILE", tmp_path / "none")
    assert _is_modified(start, start + NUM_BYTES)
    assert array[0] == 0


def test_libraries_and_small_mappings_stay() -> None:
    large = f"{MIN_MAPPING_BYTES:x}-{2 * MIN_MAPPING_BYTES:x}"
    mappings = (
        f"{large} r-xp 00000000 fe:00 1    /lib/library.so\n"
        f"{large} r--p 00000000 fe:00 1    /lib/library.so\n"
        f"{MIN_MAPPING_BYTES:x}-{MIN_MAPPING_BYTES + 4096:x} r--p 00000000 fe:00 2    /small file\n"
        f"{large} r--p 00000000 fe:00 3    /a file of weights\n"
        f"{large} rw-p 00000000 00:00 0 \n"
    )
    assert list(_releasable_mappings(mappings)) == [(MIN_MAPPING_BYTES, 2 * MIN_MAPPING_BYTES)]
