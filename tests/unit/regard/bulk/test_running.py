"""Runs of corpora: every row once whatever interrupts them, in order, and only by the same run."""

import errno
import json
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import regard
from regard.bulk import patience
from regard.bulk.corpus import open_corpus
from regard.bulk.rows import Columns, CorpusError
from regard.bulk.running import Counts, Job, run
from regard.bulk.shards import ShardFolder, ShardFormat
from regard.calls.mapping import Batch, Outcome
from regard.calls.results import Result
from regard.errors import AccessDenied, InvalidArgument, ServerFault, Unavailable
from regard.saved import durable
from tests.unit.regard.sample_results import text_result

pytest.importorskip("pyarrow", reason="missing: pyarrow (the extra 'data')")


class Interrupted(Exception):
    """Stands for the end of the process."""


def result_of(text: str, version: str = "1") -> Result:
    result = text_result(["a"], [text or "-"])
    result.message.model, result.message.model_version = "toy", version
    return Result.from_message(result.message)


class Runner:
    """Answers texts with themselves; `fails` says with which error, by the text."""

    def __init__(self, fails: Callable[[str], Exception | None] = lambda _: None, version: str = "1") -> None:
        self.fails = fails
        self.version = version
        self.seen: list[str] = []
        self.lock = threading.Lock()
        self.is_stopped = False

    def outcomes(self, batch: Batch) -> list[Outcome]:
        found = []
        for index, text in batch:
            error = self.fails(text)
            if isinstance(error, Interrupted):
                raise error
            found.append(Outcome(index, text, None if error else result_of(text, self.version), error))
        with self.lock:
            self.seen += [text for _, text in batch]
        return found

    def precision_of(self, name: str, version: str) -> str:
        return f"precision of {name}@{version}"

    def stop(self) -> None:
        self.is_stopped = True


def job(folder: Path, runner: Any, num_rows: int, *, size: int = 4, ending: str = ".jsonl", **identity: Any) -> Job:
    path = folder / "corpus.jsonl"
    path.write_text("".join(json.dumps({"text": f"t{n}", "custom_id": f"c{n}"}) + "\n" for n in range(num_rows)))
    corpus = open_corpus([str(path)], Columns())
    return Job(corpus, folder / "out", runner, {"to": "de", **identity}, ShardFormat(ending, size), 3, 2)


def names_in(folder: Path) -> list[str]:
    return sorted(path.name for path in (folder / "out").iterdir() if path.name != ".lock")


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=30)
@given(
    num_rows=st.integers(0, 40),
    size=st.integers(1, 15),
    ends=st.lists(st.integers(0, 39), max_size=4),
    bad=st.sets(st.integers(0, 39)),
    ending=st.sampled_from([".jsonl", ".parquet"]),
)
def test_every_row_is_there_once_wherever_runs_end(
    tmp_path_factory: pytest.TempPathFactory, num_rows: int, size: int, ends: list[int], bad: set[int], ending: str
) -> None:
    folder = tmp_path_factory.mktemp("bulk")

    def refused(text: str) -> Exception | None:
        return InvalidArgument("INVALID_ARGUMENT", "too long", "TOO_LONG") if int(text[1:]) in bad else None

    for end in ends:

        def fails(text: str, end: int = end) -> Exception | None:
            return Interrupted() if text == f"t{end}" else refused(text)

        if end < num_rows:
            try:
                run(job(folder, Runner(fails), num_rows, size=size, ending=ending))
            except Interrupted:
                assert json.loads((folder / "out" / "manifest.json").read_text())["counts"] is None
    counts = run(job(folder, Runner(refused), num_rows, size=size, ending=ending))
    outcomes = list(regard.read_results(folder / "out"))
    assert [(each.index, each.custom_id, each.input) for each in outcomes] == [
        (number, f"c{number}", f"t{number}") for number in range(num_rows)
    ]
    assert {each.index for each in outcomes if each.error} == {number for number in bad if number < num_rows}
    assert counts.num_failed == len({number for number in bad if number < num_rows})
    again = Runner(refused)
    assert run(job(folder, again, num_rows, size=size, ending=ending)) == counts
    assert again.seen == []


def test_a_row_that_fails_is_set_aside_with_its_place_and_reason(tmp_path: Path) -> None:
    def fails(text: str) -> Exception | None:
        return {"t1": ServerFault("INTERNAL", "a fault"), "t2": FileNotFoundError(2, "not there", "t2")}.get(text)

    progress: list[tuple[int, int]] = []
    counts = run(job(tmp_path, Runner(fails), 6), lambda *numbers: progress.append(numbers))
    assert counts == Counts(6, {"INTERNAL": 1, "FileNotFoundError": 1})
    assert names_in(tmp_path) == ["failed-000000.jsonl", "manifest.json", "part-000000.jsonl", "part-000001.jsonl"]
    lines = [json.loads(line) for line in (tmp_path / "out" / "failed-000000.jsonl").read_text().splitlines()]
    assert [(line["index"], line["custom_id"], line["input"], line["row"]) for line in lines] == [
        (1, "c1", "t1", 2),
        (2, "c2", "t2", 3),
    ]
    assert progress[-1] == (6, 2)
    manifest = json.loads((tmp_path / "out" / "manifest.json").read_text())
    assert manifest["models"] == {"toy": {"version": "1", "precision": "precision of toy@1"}}
    assert manifest["counts"] == {
        "rows": 6, "written": 4, "failed": 2, "reasons": {"INTERNAL": 1, "FileNotFoundError": 1}
    }  # fmt: skip


def test_an_error_that_is_not_a_rows_own_ends_the_run(tmp_path: Path) -> None:
    runner = Runner(lambda text: AccessDenied("UNAUTHENTICATED", "no token") if text == "t9" else None)
    with pytest.raises(AccessDenied):
        run(job(tmp_path, runner, 20))
    assert runner.is_stopped
    assert names_in(tmp_path) == ["manifest.json", "part-000000.jsonl", "part-000001.jsonl"]
    assert run(job(tmp_path, Runner(), 20)).num_failed == 0


def test_another_run_is_refused_by_its_differences(tmp_path: Path) -> None:
    run(job(tmp_path, Runner(), 6))
    with pytest.raises(CorpusError, match=r'another run; .*: to was "de" and is "fr"$'):
        run(job(tmp_path, Runner(), 6, to="fr"))
    with pytest.raises(CorpusError, match=r"inputs\[0\]\.num_rows was 6 and is 7; inputs\[0\]\.sha256 was"):
        run(job(tmp_path, Runner(), 7))
    with pytest.raises(CorpusError, match="beams was null and is 4"):
        run(job(tmp_path, Runner(), 6, beams=4))


def test_another_version_of_the_model_ends_the_run(tmp_path: Path) -> None:
    with pytest.raises(Interrupted):
        run(job(tmp_path, Runner(lambda text: Interrupted() if text == "t8" else None), 12))
    with pytest.raises(CorpusError, match=r"now has version 2 of toy, and .* version 1; --model toy@1 goes on"):
        run(job(tmp_path, Runner(version="2"), 12))


def test_a_folder_that_is_no_runs_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / ".precious.partial").write_text("x")
    (tmp_path / "out" / "precious.txt").write_text("x")
    with pytest.raises(CorpusError, match=r"has files, and no manifest\.json"):
        run(job(tmp_path, Runner(), 3))
    assert names_in(tmp_path) == [".precious.partial", "precious.txt"]
    (tmp_path / "out" / ".precious.partial").unlink()
    (tmp_path / "out" / "precious.txt").rename(tmp_path / "out" / "manifest.json")
    with pytest.raises(CorpusError, match="is no manifest of a run"):
        run(job(tmp_path, Runner(), 3))
    assert names_in(tmp_path) == ["manifest.json"]
    with pytest.raises(ValueError, match="no folder of results"):
        regard.read_results(tmp_path)


def test_a_process_that_was_killed_before_its_manifest_was_whole_is_nobodys_run(tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / ".lock").touch()
    (tmp_path / "out" / ".manifest.json.partial").write_text('{"form')
    assert run(job(tmp_path, Runner(), 3)).num_rows == 3
    assert names_in(tmp_path) == ["manifest.json", "part-000000.jsonl"]


def test_two_processes_do_not_write_one_folder(tmp_path: Path) -> None:
    with (
        ShardFolder(tmp_path / "out", ShardFormat()).locked(),
        pytest.raises(CorpusError, match="another process runs in"),
    ):
        run(job(tmp_path, Runner(), 3))


def test_a_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "out").write_text("a file")
    with pytest.raises(OSError, match="out"):
        run(job(tmp_path, Runner(), 3))


def test_a_shard_that_the_disk_does_not_take_ends_the_run_and_costs_no_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sync = durable._sync

    def full(path: Path) -> None:
        if path.name == ".part-000001.jsonl.partial":
            raise OSError(errno.ENOSPC, "No space left on device")
        sync(path)

    monkeypatch.setattr(durable, "_sync", full)
    with pytest.raises(OSError, match="No space left"):
        run(job(tmp_path, Runner(), 10))
    assert "part-000000.jsonl" in names_in(tmp_path)
    assert "part-000001.jsonl" not in names_in(tmp_path)
    monkeypatch.setattr(durable, "_sync", sync)
    assert run(job(tmp_path, Runner(), 10)).num_failed == 0
    assert [each.index for each in regard.read_results(tmp_path / "out")] == [*range(10)]


def test_what_a_killed_process_left_half_written_goes(tmp_path: Path) -> None:
    run(job(tmp_path, Runner(), 4))
    out = tmp_path / "out"
    (out / "part-000000.jsonl").unlink()  # its failed rows were published, its results were not
    (out / "failed-000000.jsonl").write_text('{"error": {"reason": "OLD", "code": "X"}}\n')
    (out / ".part-000000.jsonl.partial").write_text('{"ha')
    assert run(job(tmp_path, Runner(), 4)).num_failed == 0
    assert names_in(tmp_path) == ["manifest.json", "part-000000.jsonl"]


def test_a_server_that_is_away_is_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(patience, "FIRST_PAUSE_S", 0.0)
    num_calls = 0

    def call(texts: list[Any]) -> list[Result]:
        nonlocal num_calls
        num_calls += 1
        if num_calls < 4:
            raise Unavailable("UNAVAILABLE", "gone")
        return [result_of(text) for text in texts]

    runner = patience.ServerRunner(call, lambda name, version: "")
    assert [outcome.error for outcome in runner.outcomes([(0, "a")])] == [None]
    gone = patience.ServerRunner(lambda _: call_gone(), lambda name, version: "", max_away_s=0.0)
    assert isinstance(gone.outcomes([(0, "a")])[0].error, Unavailable)
    stopped = patience.ServerRunner(lambda _: call_gone(), lambda name, version: "")
    stopped.stop()
    assert isinstance(stopped.outcomes([(0, "a")])[0].error, Unavailable)


def call_gone() -> list[Result]:
    raise Unavailable("UNAVAILABLE", "gone")
