"""Readers of corpora: every row once and as it is, what is wrong with the others, and files that are refused."""

import gzip
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from regard.bulk import lines
from regard.bulk.corpus import CorpusFormat, format_of, open_corpus
from regard.bulk.rows import Columns, CorpusError, Row

pyarrow = pytest.importorskip("pyarrow", reason="missing: pyarrow (the extra 'data')")

LINES = st.text(st.characters(codec="utf-8", exclude_characters="\n\r\t\ufeff"), max_size=30)
IN_A_FOLDER = settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=20)


def write(path: Path, content: bytes) -> Path:
    path.write_bytes(gzip.compress(content) if path.suffix == ".gz" else content)
    return path


def rows_of(*paths: Path, columns: Columns | None = None, given: CorpusFormat | None = None) -> list[Row]:
    corpus = open_corpus([str(path) for path in paths], columns or Columns(), given)
    rows = list(corpus.rows())
    assert [row.index for row in rows] == list(range(corpus.num_rows))
    return rows


def reasons(rows: list[Row]) -> list[str | None]:
    return [row.error.reason if row.error else None for row in rows]


@IN_A_FOLDER
@given(
    st.lists(st.tuples(LINES.filter(bool), LINES), min_size=1, max_size=8, unique_by=lambda row: row[0]),
    st.booleans(),
    st.booleans(),
)
def test_every_format_yields_the_same_rows(
    tmp_path: Path, rows: list[tuple[str, str]], is_compressed: bool, has_last_end: bool
) -> None:
    import pyarrow.parquet

    end, zipped = "\n" if has_last_end else "", ".gz" if is_compressed else ""
    objects = [json.dumps({"text": text, "custom_id": name}, ensure_ascii=False) for name, text in rows]
    table = ["custom_id\ttext", *("\t".join(row) for row in rows)]
    files = [
        write(tmp_path / f"a.jsonl{zipped}", ("\n".join(objects) + end).encode()),
        write(tmp_path / f"a.tsv{zipped}", ("\r\n".join(table) + "\n").encode()),
        tmp_path / "a.parquet",
    ]
    pyarrow.parquet.write_table(
        pyarrow.table({"custom_id": [n for n, _ in rows], "text": [t for _, t in rows]}), files[2]
    )
    for file in files:
        assert [(row.custom_id, row.value, row.error) for row in rows_of(file)] == [(*row, None) for row in rows]
    plain = write(tmp_path / f"a.txt{zipped}", "".join(text + "\n" for _, text in rows).encode())
    assert [row.value for row in rows_of(plain, given="lines")] == [text for _, text in rows]


@IN_A_FOLDER
@given(
    st.lists(st.binary(max_size=40).map(lambda line: line.replace(b"\n", b"")), max_size=20),
    st.sampled_from(["jsonl", "lines", "tsv"]),
)
def test_whatever_the_bytes_no_line_is_lost(tmp_path: Path, content: list[bytes], form: CorpusFormat) -> None:
    path = write(tmp_path / "any", b"".join(line + b"\n" for line in content))
    columns = Columns(value="1" if form == "tsv" else "text")
    try:
        rows = rows_of(path, columns=columns, given=form)
    except CorpusError:
        assert b"".join(content)[:2] in (b"\xff\xfe", b"\xfe\xff", b"\0\0")  # marks of other encodings
    else:
        assert [row.number for row in rows] == list(range(1, len(content) + 1))
        assert all(row.error or isinstance(row.value, str) for row in rows)


def test_lines_that_hold_no_row_say_why(tmp_path: Path) -> None:
    content = [
        b'\xef\xbb\xbf{"text": "a", "custom_id": 7}',
        b'{"text": "a"',
        b"",
        b"[1]",
        b'{"txt": "a", "custom_id": "x"}',
        b'{"text": null}',
        b'{"text": 5}',
        b'{"text": "caf\xe9"}',
        b'{"text": "\\ud800"}',
        b'{"text": "a", "custom_id": "7"}',
        b'{"text": "a", "custom_id": []}',
        b'{"text": ""}',
        b"[" * 100_000,
        b'{"text": "a", "text": "b"}',
    ]
    rows = rows_of(write(tmp_path / "c.jsonl", b"\n".join(content)))
    assert reasons(rows) == [
        None,
        "INVALID_LINE",
        "INVALID_LINE",
        "INVALID_LINE",
        "MISSING_COLUMN",
        "INVALID_VALUE",
        "INVALID_VALUE",
        "NOT_UTF8",
        "INVALID_VALUE",
        "DUPLICATE_ID",
        "INVALID_VALUE",
        None,
        "INVALID_LINE",
        "INVALID_LINE",
    ]
    assert str(rows[13].error) == "the line is not JSON: the key 'text' is there twice"
    assert rows[0].custom_id == "7"
    assert rows[4].custom_id == "x"
    assert "byte 13 is 0xe9" in str(rows[7].error)
    assert rows[7].value == '{"text": "caf\\xe9"}'


def test_names_may_be_needed(tmp_path: Path) -> None:
    path = write(tmp_path / "c.jsonl", b'{"t": "a", "id": "1"}\n{"t": "b"}\n')
    rows = rows_of(path, columns=Columns("t", "id", needs_id=True))
    assert reasons(rows) == [None, "MISSING_COLUMN"]
    with pytest.raises(CorpusError, match=r"no column 'id'; it has 'text'"):
        rows_of(write(tmp_path / "c.tsv", b"text\na\n"), columns=Columns("text", "id", needs_id=True))


def test_a_line_beyond_all_bounds_takes_no_memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lines, "MAX_LINE_BYTES", 10)
    path = write(tmp_path / "c", b"x" * 10 + b"\n" + b"y" * 3_000_000 + b"\nz\n" + b"w" * 11)
    assert reasons(rows_of(path, given="lines")) == [None, "LINE_TOO_LONG", None, "LINE_TOO_LONG"]


def test_a_table_of_tabs(tmp_path: Path) -> None:
    path = write(tmp_path / "c.tsv", b'id\ttext\n1\t"a"\n2\n3\tb\tc\n')
    rows = rows_of(path, columns=Columns("text", "id"))
    assert [(row.custom_id, row.value) for row in rows if row.error is None] == [("1", '"a"')]
    assert reasons(rows) == [None, "INVALID_LINE", "INVALID_LINE"]
    assert [row.value for row in rows_of(path, columns=Columns("2")) if row.error is None] == ["text", '"a"']
    with pytest.raises(CorpusError, match=r"no column 'txt'; it has 'id', 'text'; --column names another"):
        rows_of(path, columns=Columns("txt"))
    with pytest.raises(CorpusError, match="several columns 'a'"):
        rows_of(write(tmp_path / "d.tsv", b"a\ta\n"))


def parquet(path: Path, columns: dict[str, Any]) -> Path:
    import pyarrow.parquet

    pyarrow.parquet.write_table(pyarrow.table(columns), path)
    return path


def test_tables_of_parquet(tmp_path: Path) -> None:
    import pyarrow

    broken = pyarrow.array([b"a", b"caf\xe9", None]).cast(pyarrow.large_binary()).view(pyarrow.large_string())
    rows = rows_of(parquet(tmp_path / "a.parquet", {"text": broken, "custom_id": [1, 2, 1]}))
    assert reasons(rows) == [None, "NOT_UTF8", "INVALID_VALUE"]
    few = pyarrow.array(["x", "y", "x"]).dictionary_encode()
    assert [row.value for row in rows_of(parquet(tmp_path / "b.parquet", {"text": few}))] == ["x", "y", "x"]
    with pytest.raises(CorpusError, match="'text' has no texts: it is of type int64"):
        rows_of(parquet(tmp_path / "c.parquet", {"text": [1]}))
    with pytest.raises(CorpusError, match="no column 'text'; it has 'b'"):
        rows_of(parquet(tmp_path / "d.parquet", {"b": [1]}))


def test_pictures_of_a_table_are_bytes_paths_or_both(tmp_path: Path) -> None:
    pictures = [{"bytes": b"png", "path": None}, {"bytes": None, "path": "a.png"}, None]
    columns = Columns("image", has_pictures=True)
    rows = rows_of(parquet(tmp_path / "a.parquet", {"image": pictures}), columns=columns)
    assert [row.value for row in rows] == [b"png", "a.png", ""]
    assert reasons(rows) == [None, None, "INVALID_VALUE"]
    assert rows_of(parquet(tmp_path / "b.parquet", {"image": [b"jpeg"]}), columns=columns)[0].value == b"jpeg"


@pytest.mark.parametrize("damage", ["truncated", "flipped", "no gzip", "trailing"])
def test_a_damaged_file_of_gzip_is_refused_before_anything_runs(tmp_path: Path, damage: str) -> None:
    import random

    noise = random.Random(0)
    whole = gzip.compress(b"".join(b'{"text": "%d"}\n' % noise.randrange(10**9) for _ in range(2000)))
    middle = len(whole) // 2
    content = {
        "truncated": whole[:middle],
        "flipped": whole[:middle] + bytes([whole[middle] ^ 0xFF]) + whole[middle + 1 :],
        "no gzip": b'{"text": "a"}\n',
        "trailing": whole + b"garbage",
    }[damage]
    path = tmp_path / "c.jsonl.gz"
    path.write_bytes(content)
    with pytest.raises(CorpusError, match=r"c\.jsonl\.gz is (truncated|no whole file of gzip)"):
        rows_of(path)


def test_a_damaged_parquet_is_refused_before_anything_runs(tmp_path: Path) -> None:
    import random

    noise = random.Random(0)
    whole = parquet(tmp_path / "whole.parquet", {"text": [f"{noise.random()}" for _ in range(5000)]}).read_bytes()
    for number, content in enumerate(
        [whole[:-20], whole[: len(whole) // 2], b"PAR1", b"", whole[:400] + b"\xff" * 400 + whole[800:]]
    ):
        path = write(tmp_path / f"{number}.parquet", content)
        with pytest.raises(CorpusError, match=rf"{number}\.parquet is no whole file of Parquet"):
            rows_of(path)


def test_other_encodings_are_named(tmp_path: Path) -> None:
    for encoding, name in (("utf-16", "UTF-16"), ("utf-16-be", "UTF-16")):
        path = write(tmp_path / "c.jsonl", ("\ufeff" * (encoding != "utf-16") + '{"text": "a"}\n').encode(encoding))
        with pytest.raises(CorpusError, match=f"is {name}, and must be UTF-8: iconv -f {name}"):
            rows_of(path)


def test_files_of_patterns_are_in_order_and_each_once(tmp_path: Path) -> None:
    for name in ("b", "a", "c"):
        write(tmp_path / f"{name}.jsonl", b'{"text": "%s", "custom_id": "same"}\n' % name.encode())
    rows = rows_of(tmp_path / "*.jsonl")
    assert [row.value for row in rows] == ["a", "b", "c"]
    assert reasons(rows) == [None, "DUPLICATE_ID", "DUPLICATE_ID"]
    with pytest.raises(CorpusError, match=r"a\.jsonl is given twice"):
        rows_of(tmp_path / "*.jsonl", tmp_path / "a.jsonl")
    with pytest.raises(CorpusError, match="no file fits the pattern"):
        rows_of(tmp_path / "*.tsv")
    with pytest.raises(FileNotFoundError):
        rows_of(tmp_path / "none.jsonl")
    with pytest.raises(CorpusError, match=r"no corpus by its name, which ends in \.jsonl"):
        rows_of(write(tmp_path / "a.csv", b"a"))
    with pytest.raises(CorpusError, match="no regular file"):
        rows_of(Path("/dev/null"), given="lines")


def test_a_file_that_changes_while_it_is_read_ends_the_run(tmp_path: Path) -> None:
    path = write(tmp_path / "c.jsonl", b'{"text": "a"}\n' * 3)
    corpus = open_corpus([str(path)], Columns())
    write(path, b'{"text": "a"}\n' * 4)
    with pytest.raises(CorpusError, match="has changed"):
        list(corpus.rows())


def test_the_name_says_the_format() -> None:
    names = ["a.jsonl", "A.JSONL.GZ", "b.tsv.gz", "c.parquet", "d.txt.gz", "e.txt", "f.json", "g.gz"]
    assert [format_of(name) for name in names] == ["jsonl", "jsonl", "tsv", "parquet", "lines", None, None, None]
