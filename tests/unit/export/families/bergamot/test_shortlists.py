from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from regard_export.errors import ExportError
from regard_export.families.bergamot.shortlists import read_shortlist
from regard_service.bundle import parse_shortlist
from tests.unit.export.student_checkpoints import shortlist_bytes

OFFSETS, IDS = (0, 2, 2, 5), (4, 5, 1, 2, 9)


def _content(offsets: tuple[int, ...] = OFFSETS, ids: tuple[int, ...] = IDS, num_first: int = 2) -> bytes:
    return shortlist_bytes(offsets, ids, num_first)


def _read(tmp_path: Path, content: bytes) -> str:
    path = tmp_path / "lex.s2t.bin"
    path.write_bytes(content)
    try:
        shortlist = parse_shortlist(read_shortlist(path, num_source=3, num_target=10), 3, 10)
    except ExportError as error:
        return str(error)
    assert shortlist.offsets[-1] == len(shortlist.ids)
    return path.name


def test_reads_what_each_piece_allows(tmp_path: Path) -> None:
    path = tmp_path / "lex.s2t.bin"
    path.write_bytes(_content())
    shortlist = parse_shortlist(read_shortlist(path, num_source=3, num_target=10), 3, 10)
    assert shortlist.num_first == 2
    assert shortlist.offsets.tolist() == list(OFFSETS)
    assert shortlist.ids.tolist() == list(IDS)
    assert shortlist.allowed(np.array([0, 2, 2])).tolist() == [0, 1, 2, 4, 5, 9]
    assert shortlist.allowed(np.array([1])).tolist() == [0, 1]


@pytest.mark.parametrize(
    ("content", "cause"),
    [
        (_content()[:20], "it ends within the header"),
        (_content()[:-4], "bytes are needed"),
        (b"x" + _content()[1:], "it begins with"),
        (_content()[:-8] + b"\0" * 8, "its checksum differs"),
        (_content(offsets=(0, 2, 5)), "do not suit 3 source pieces"),
        (_content(offsets=(0, 4, 2, 5)), "do not suit"),
        (_content(offsets=(0, 2, 2, 9)), "do not suit"),
        (_content(ids=(4, 5, 1, 2, 10)), "beyond the 10 of the target"),
        (_content(num_first=11), "beyond the 10 of the target"),
    ],
)
def test_malformed_files_are_refused_by_name_and_cause(tmp_path: Path, content: bytes, cause: str) -> None:
    refusal = _read(tmp_path, content)
    assert cause in refusal
    assert "lex.s2t.bin is damaged or no lexical shortlist" in refusal


@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(flips=st.lists(st.integers(0, 2**12), max_size=3), cut=st.integers(0, 200))
def test_a_damaged_file_is_read_or_refused(tmp_path: Path, flips: list[int], cut: int) -> None:
    content = bytearray(_content())
    for flip in flips:
        content[flip // 8 % len(content)] ^= 1 << flip % 8
    assert "lex.s2t.bin" in _read(tmp_path, bytes(content[:cut]))
