"""Files that doors keep: fetched by key, bounded in bytes, gone after a while."""

from pathlib import Path

import pytest

from regard_service.errors import Overloaded
from regard_service.http.doors.kept_files import KeptFiles


def test_a_file_is_fetched_by_its_key_and_by_no_other(tmp_path: Path) -> None:
    files = KeptFiles(tmp_path, 100)
    key = files.put(b"one")
    other = KeptFiles(tmp_path, 100)  # of another process
    assert (files.get(key), other.get(key)) == (b"one", b"one")
    (tmp_path / "secret").write_bytes(b"secret")
    assert [other.get(name) for name in ("secret", "../x", "", key[:-1], "a" * 32)] == [None] * 5
    other.replace(key, b"two")
    assert files.get(key) == b"two"
    files.remove(key)
    assert other.get(key) is None


def test_there_is_room_for_so_many_bytes(tmp_path: Path) -> None:
    files = KeptFiles(tmp_path, 100)
    key = files.put(b"a" * 60)
    with pytest.raises(Overloaded, match="leave 40 bytes, of 100; this one has 41"):
        files.put(b"a" * 41)
    files.replace(key, b"a" * 100)  # in place of the first
    files.remove(key)
    files.put(b"a" * 100)


def test_a_file_is_gone_after_a_while(tmp_path: Path) -> None:
    key = KeptFiles(tmp_path, 100).put(b"a" * 100)
    later = (tmp_path / key).stat().st_mtime
    files = KeptFiles(tmp_path, 100, keep_s=10.0, clock=lambda: later + 10.5)
    assert files.get(key) is None
    files.put(b"a" * 100)
    assert not (tmp_path / key).exists()


def test_a_folder_of_its_own_goes_with_the_server() -> None:
    files = KeptFiles(None, 100)
    key = files.put(b"a")
    folder = files._own
    assert folder is not None
    assert (folder.stat().st_mode & 0o777, files.get(key)) == (0o700, b"a")
    files.close()
    assert not folder.exists()
