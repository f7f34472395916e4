"""Results in files: what is written is read as it was."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import regard
from regard.errors import FieldViolation, InvalidArgument
from regard.saved import ENDINGS
from regard.saved.durable import partial_of
from tests.unit.regard.sample_results import text_result

pytest.importorskip("pyarrow", reason="missing: pyarrow (the extra 'data')")

FORMATS = pytest.mark.parametrize("ending", list(ENDINGS))


def outcomes() -> list[regard.Outcome]:
    error = InvalidArgument.of([FieldViolation("texts[0]", "is too long")])
    return [
        regard.Outcome(1, "ein 'Text'\n", text_result(["a", "b"], ["c"])),
        regard.Outcome(0, "", error=error, custom_id="a name"),
        regard.Outcome(7, Path("picture.png"), text_result(["x"], ["y", "z"])),
    ]


@FORMATS
def test_what_is_written_is_read_as_it_was(ending: str, tmp_path: Path) -> None:
    path = tmp_path / f"results{ending}"
    assert regard.write_results(outcomes(), path) == 1
    read = list(regard.read_results(path))
    assert [each.index for each in read] == [1, 0, 7]
    assert [each.input for each in read] == ["ein 'Text'\n", "", "picture.png"]
    assert [each.custom_id for each in read] == [None, "a name", None]
    for ours, theirs in zip(outcomes(), read, strict=True):
        if ours.result is None:
            assert isinstance(theirs.error, InvalidArgument)
            assert theirs.error.violations == ours.error.violations  # type: ignore[union-attr]
            with pytest.raises(InvalidArgument, match="is too long"):
                theirs.unwrap()
        else:
            assert theirs.unwrap() == ours.result
            assert theirs.unwrap().message == ours.result.message
    assert [file.name for file in tmp_path.iterdir()] == [path.name]


@FORMATS
def test_a_file_without_results_is_read_as_empty(ending: str, tmp_path: Path) -> None:
    path = tmp_path / f"results{ending}"
    assert regard.write_results([], path) == 0
    assert list(regard.read_results(path)) == []


@FORMATS
def test_an_error_leaves_the_older_file(ending: str, tmp_path: Path) -> None:
    path = tmp_path / f"results{ending}"
    path.write_text("older")

    def failing() -> Any:
        yield outcomes()[0]
        raise KeyError("the caller's own")

    with pytest.raises(KeyError):
        regard.write_results(failing(), path)
    assert path.read_text() == "older"
    assert len(list(tmp_path.iterdir())) == 1


def test_other_programs_find_columns_and_arrays(tmp_path: Path) -> None:
    import pyarrow.parquet

    for ending in (".parquet", ".npz"):
        regard.write_results(outcomes(), tmp_path / f"results{ending}")
    alignment = outcomes()[0].unwrap().alignment
    assert alignment is not None
    table = pyarrow.parquet.read_table(tmp_path / "results.parquet").to_pylist()
    assert [row["text"] for row in table] == [each.result and each.result.text for each in outcomes()]
    assert np.array_equal(np.array(table[0]["alignment"], np.float32), alignment.values)
    assert table[1]["message"] == b""
    with np.load(tmp_path / "results.npz") as arrays:
        assert np.array_equal(arrays["alignment_1"], alignment.values)
        assert arrays["pharaoh"][0] == outcomes()[0].unwrap().best.pharaoh
        assert "alignment_0" not in arrays


def test_another_ending_is_refused_by_name(tmp_path: Path) -> None:
    for call in (lambda path: regard.ResultWriter(path), lambda path: list(regard.read_results(path))):
        with pytest.raises(ValueError, match=r"end in \.jsonl, \.parquet, \.npz; it is .*\.csv'"):
            call(tmp_path / "results.csv")


def test_a_missing_folder_is_named(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=f"there is no such folder: '{tmp_path / 'no'}'"):
        regard.ResultWriter(tmp_path / "no" / "results.jsonl")


@pytest.mark.parametrize(("encoding", "atol"), [("float32", 0), ("float16", 1e-3), ("uint8", 1 / 255)])
@pytest.mark.parametrize("top_k", [0, 2])
def test_a_table_stores_alignments_as_it_is_asked_to(tmp_path: Path, encoding: Any, atol: float, top_k: int) -> None:
    import pyarrow.parquet

    path = tmp_path / "results.parquet"
    with regard.ResultWriter(path, encoding=encoding, top_k=top_k) as writer:
        for outcome in outcomes():
            writer.write(outcome)
    table = pyarrow.parquet.read_table(path)
    assert table.schema.field("alignment").type.value_type.value_type == {
        "float32": "float",
        "float16": "halffloat",
    }.get(encoding, "uint8")
    [first, failed, _] = table.to_pylist()
    assert failed["alignment"] is None
    alignment = outcomes()[0].unwrap().alignment
    assert alignment is not None
    numbers = np.array(first["alignment"], np.float32) * first.get("alignment_scale", 1.0)
    expected = alignment.values
    if top_k:
        places = np.array(first["alignment_indices"])
        assert places.shape == (len(expected), top_k)
        expected = np.sort(expected, axis=-1)[:, : -top_k - 1 : -1]
        assert np.array_equal(np.take_along_axis(alignment.values, places, axis=-1), expected)
    assert numbers == pytest.approx(expected, abs=atol)
    assert next(iter(regard.read_results(path))).unwrap() == outcomes()[0].unwrap()


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="/dev/full is the disk without room")
@FORMATS
def test_a_full_disk_is_an_error_with_the_files_name_and_leaves_none(ending: str, tmp_path: Path) -> None:
    path = tmp_path / f"results{ending}"
    partial_of(path).symlink_to("/dev/full")
    with pytest.raises(OSError, match="No space left") as caught:
        regard.write_results([text_result(["a"], ["b"])] * 5, path)
    assert caught.value.filename == str(path)
    assert list(tmp_path.iterdir()) == []
