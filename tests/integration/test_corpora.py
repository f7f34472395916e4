"""Corpora on the command line: folders of results, counts, exit statuses, wrong usage."""

import gzip
import json
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner, Result

from regard import read_results
from regard.cli import main
from regard.v1 import regard_pb2 as pb
from tests.integration.fake_regard import FakeServer, fake_server

pyarrow = pytest.importorskip("pyarrow", reason="missing: pyarrow (the extra 'data')")


@pytest.fixture(scope="module")
def shared_server() -> Iterator[FakeServer]:
    with fake_server() as server:
        yield server


@pytest.fixture
def server(shared_server: FakeServer, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> FakeServer:
    monkeypatch.setenv("REGARD_SERVER", shared_server.target)
    monkeypatch.chdir(tmp_path)
    shared_server.fake.requests.clear()
    return shared_server


def regard(*arguments: str) -> Result:
    return CliRunner().invoke(main, [*arguments, "--model", "everyday"])


def write(path: str, *objects: object) -> None:
    content = "".join(json.dumps(each) + "\n" for each in objects).encode()
    Path(path).write_bytes(gzip.compress(content) if path.endswith(".gz") else content)


def test_a_corpus_becomes_a_folder_of_results(server: FakeServer) -> None:
    write(
        "c.jsonl.gz", {"text": "a b", "custom_id": "x"}, {"text": "fail:INVALID_ARGUMENT"}, {"txt": 1}, {"text": "c d"}
    )
    result = regard("translate", "c.jsonl.gz", "--to", "de", "-o", "out/", "--json", "--shard-rows", "3")
    assert json.loads(result.stdout) == {
        "rows": 4,
        "written": 2,
        "failed": 2,
        "reasons": {"FAKE_INVALID_ARGUMENT": 1, "MISSING_COLUMN": 1},
    }
    assert result.exit_code == 1
    assert "regard: out/: 2 rows written" in result.stderr
    assert "2 rows set aside in failed-*.jsonl: 1 FAKE_INVALID_ARGUMENT, 1 MISSING_COLUMN" in result.stderr
    outcomes = list(read_results("out"))
    assert [(each.index, each.custom_id, each.result and each.result.text) for each in outcomes] == [
        (0, "x", "B A"), (1, None, None), (2, None, None), (3, None, "D C")
    ]  # fmt: skip
    calls = [each for each in server.fake.requests if isinstance(each, pb.TranslateRequest)]
    assert {each.priority for each in calls} == {pb.PRIORITY_BULK}
    server.fake.requests.clear()
    again = regard("translate", "c.jsonl.gz", "--to", "de", "-o", "out/", "--shard-rows", "3")
    assert (again.exit_code, server.fake.requests) == (1, [])
    other = regard("translate", "c.jsonl.gz", "--to", "fr", "-o", "out/", "--shard-rows", "3")
    assert other.exit_code == 1
    assert 'has the results of another run; name another folder: to was "de" and is "fr"' in other.stderr


def test_maps_are_stored_as_asked(server: FakeServer) -> None:
    import pyarrow.parquet

    write("c.jsonl", {"text": "a b c d"})
    options = ("--attention", "--encoding", "uint8", "--attention-top-k", "2")
    assert regard("translate", "c.jsonl", "--to", "de", "-o", "out", *options).exit_code == 0
    [row] = pyarrow.parquet.read_table("out/part-000000.parquet").to_pylist()
    [outcome] = read_results("out")
    sent = outcome.unwrap().alignment
    assert sent is not None
    weights = np.zeros(sent.shape, np.float32)
    numbers = np.array(row["alignment"], np.float32) * np.float32(row["alignment_scale"])
    np.put_along_axis(weights, np.array(row["alignment_indices"]), numbers, axis=-1)
    assert weights == pytest.approx(sent.values)
    assert {each.attention.top_k for each in server.fake.requests if isinstance(each, pb.TranslateRequest)} == {2}


def test_summaries_and_captions_have_corpora_too(server: FakeServer) -> None:
    write("c.jsonl", {"body": "a b"})
    assert (
        regard("summarize", "c.jsonl", "--style", "s", "--column", "body", "-o", "s", "--shards", "jsonl").exit_code
        == 0
    )
    assert [each.unwrap().text for each in read_results("s")] == ["s: B A"]
    Path("a.png").write_bytes(b"123")
    write("p.jsonl", {"image": "a.png", "custom_id": 1}, {"image": "none.png"})
    result = regard("caption", "p.jsonl", "-o", "p", "--shards", "jsonl")
    assert (result.exit_code, "1 FileNotFoundError" in result.stderr) == (1, True)
    assert [each.result and each.result.text for each in read_results("p")] == ["BYTES 3 OF PICTURE", None]


def test_a_text_file_is_a_corpus_of_lines_only_if_that_is_said(server: FakeServer) -> None:
    Path("t.txt").write_text("a b\n\nc d\n")
    assert regard("translate", "t.txt", "--to", "de", "--corpus", "lines", "-o", "out").exit_code == 0
    assert [each.unwrap().text for each in read_results("out")] == ["B A", "", "D C"]


def test_faults_of_the_server_cost_their_row_only(server: FakeServer) -> None:
    write("c.jsonl", *({"text": text} for text in ("a", "fail:INTERNAL", "b")))
    result = regard("translate", "c.jsonl", "--to", "de", "-o", "out")
    assert (result.exit_code, "1 FAKE_INTERNAL" in result.stderr) == (1, True)
    write("d.jsonl", *({"text": text} for text in ("a", "fail:UNAUTHENTICATED", "b")))
    result = regard("translate", "d.jsonl", "--to", "de", "-o", "out2")
    assert (result.exit_code, "UNAUTHENTICATED" in result.stderr) == (1, True)
    assert [path.name for path in Path("out2").iterdir() if path.suffix in (".parquet", ".jsonl")] == []


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("c.jsonl",), "A corpus needs -o"),
        (("c.jsonl", "-o", "x.parquet"), "go into a folder"),
        (("c.jsonl", "page.html", "-o", "out"), "'page.html' is no corpus by its name"),
        (("c.jsonl", "-o", "out", "--jsonl"), "--jsonl is not for corpora"),
        (("a text", "--shard-rows", "5"), "--shard-rows is for corpora"),
        (("-", "--corpus", "lines", "-o", "out"), "needs files"),
    ],
)
def test_wrong_usage_is_named(server: FakeServer, arguments: tuple[str, ...], said: str) -> None:
    write("c.jsonl", {"text": "a"})
    result = regard("translate", "--to", "de", *arguments)
    assert (result.exit_code, said in result.stderr) == (2, True), result.stderr
    assert not Path("out").exists()


@pytest.mark.skipif(find_spec("ray") is not None, reason="Ray is installed")
def test_a_cluster_needs_its_extra(server: FakeServer, monkeypatch: pytest.MonkeyPatch) -> None:
    write("c.jsonl", {"text": "a"})
    monkeypatch.delenv("REGARD_SERVER")
    result = regard("bulk", "c.jsonl", "--to", "de", "-o", "out")
    assert (result.exit_code, "running on Ray needs the extra 'ray'" in result.stderr) == (1, True)
    assert regard("bulk", "c.jsonl", "-o", "out", "--server", "localhost").exit_code == 2
    assert regard("bulk", "a text", "-o", "out").exit_code == 1


def test_damaged_files_are_refused_before_the_folder_is_made(server: FakeServer) -> None:
    Path("c.jsonl.gz").write_bytes(gzip.compress(b'{"text": "a"}\n' * 1000)[:40])
    result = regard("translate", "c.jsonl.gz", "--to", "de", "-o", "out")
    assert (result.exit_code, "regard: c.jsonl.gz is truncated" in result.stderr) == (1, True)
    assert not Path("out").exists()
