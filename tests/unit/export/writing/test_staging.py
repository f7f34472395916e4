"""One process at a time uses a staging folder, which starts empty and is removed at the end."""

import multiprocessing
import subprocess
import sys
from pathlib import Path

import pytest

from regard_export.errors import ExportError
from regard_export.writing.staging import LOCK_FILE, staging_folder

HOLD = """
import sys
from pathlib import Path
from regard_export.writing.staging import staging_folder
with staging_folder(Path(sys.argv[1]), "export") as folder:
    (folder / "half").touch()
    print("held", flush=True)
    sys.stdin.read()
"""


def test_the_folder_is_empty_and_hidden_and_removed_at_the_end(tmp_path) -> None:
    with staging_folder(tmp_path / "out", "export") as folder:
        assert folder.parent == tmp_path / ".out.export"
        assert list(folder.iterdir()) == []
        (folder / "file").touch()
    assert list(tmp_path.iterdir()) == []


def test_the_folder_is_removed_after_an_error(tmp_path) -> None:
    with pytest.raises(FileNotFoundError), staging_folder(tmp_path / "out", "export") as folder:
        (folder / "none").read_text()
    assert list(tmp_path.iterdir()) == []


def test_a_second_process_is_refused_and_changes_nothing(tmp_path) -> None:
    holder = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(tmp_path / "out")], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    with holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "held\n"
        with (
            pytest.raises(ExportError, match=r"another export of .*out is at work"),
            staging_folder(tmp_path / "out", "export"),
        ):
            pass
        assert (tmp_path / ".out.export" / "bundle" / "half").exists()
        with staging_folder(tmp_path / "out", "verification"), staging_folder(tmp_path / "another", "export"):
            pass
        assert holder.stdin is not None
        holder.stdin.close()
    assert holder.returncode == 0
    assert list(tmp_path.iterdir()) == []


def test_the_files_of_a_killed_process_are_removed(tmp_path) -> None:
    place = tmp_path / ".out.export"
    (place / "bundle" / "int8").mkdir(parents=True)
    (place / "bundle" / "int8" / "weights.bin").write_bytes(b"half")
    (place / "tmpobserved").mkdir()
    (place / LOCK_FILE).touch()
    with staging_folder(tmp_path / "out", "export") as folder:
        assert list(folder.iterdir()) == []
        assert {path.name for path in place.iterdir()} == {"bundle", LOCK_FILE}
    assert list(tmp_path.iterdir()) == []


def _enter_repeatedly(folder: Path, number: int) -> None:
    """Enters 20 times, and is the only process in the folder each time."""
    entered = 0
    while entered < 20:
        try:
            with staging_folder(folder / "out", "export") as place:
                assert list(place.iterdir()) == []
                (place / str(number)).touch()
                assert [path.name for path in place.iterdir()] == [str(number)]
            entered += 1
        except ExportError:
            continue


def test_concurrent_processes_are_never_in_the_folder_together(tmp_path) -> None:
    context = multiprocessing.get_context("fork")
    processes = [context.Process(target=_enter_repeatedly, args=(tmp_path, number)) for number in range(3)]
    for process in processes:
        process.start()
    for process in processes:
        process.join()
    assert [process.exitcode for process in processes] == [0, 0, 0]
    assert list(tmp_path.iterdir()) == []
