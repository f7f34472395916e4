"""A run over a corpus, killed with SIGKILL in its middle, against a real server: every row is there once, in order."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

import regard
from tests.system.served import Served, served
from tests.waiting import PATIENCE_S, wait_until

pytest.importorskip("pyarrow", reason="missing: pyarrow (the extra 'data')")

SHARD_ROWS = 20
SENTENCES = ("Where is the library?", "It is raining.", "My sister plays the piano.", "We missed the last train home.")


def command(corpus: Path, server: Served) -> list[str]:
    flags = ["--to", "de", "--model", "everyday", f"--shard-rows={SHARD_ROWS}", f"--server={server.target}"]
    return [sys.executable, "-m", "regard", "translate", str(corpus), "-o", str(corpus.with_suffix("")), *flags]


def parts(folder: Path) -> int:
    return len(list(folder.glob("part-*.parquet")))


def kill_after(num_parts: int, corpus: Path, server: Served) -> None:
    """Runs until so many shards are done, and kills the process."""
    with subprocess.Popen(command(corpus, server), stderr=subprocess.PIPE, start_new_session=True) as process:
        wait_until(lambda: parts(corpus.with_suffix("")) >= num_parts or process.poll() is not None)
        os.killpg(process.pid, signal.SIGKILL)
        process.wait(PATIENCE_S)


def was_killed_in_the_middle(num_rows: int, folder: Path, server: Served) -> bool:
    """Makes a corpus and kills two runs; a machine that pauses here may let a run end before."""
    corpus = folder / f"corpus{num_rows}.jsonl"
    texts = (SENTENCES[number % len(SENTENCES)] for number in range(num_rows))
    rows = [json.dumps({"text": text, "custom_id": f"row {number}"}) for number, text in enumerate(texts)]
    corpus.write_text("\n".join(["no JSON", *rows[1:]]) + "\n")
    kill_after(1, corpus, server)
    kill_after(3, corpus, server)
    return parts(corpus.with_suffix("")) < num_rows // SHARD_ROWS


def test_a_killed_run_goes_on_without_a_lost_or_doubled_row(tmp_path: Path) -> None:
    with served("--models=everyday") as server:
        num_rows = next(n for n in (400, 1600, 6400) if was_killed_in_the_middle(n, tmp_path, server))
        corpus = tmp_path / f"corpus{num_rows}.jsonl"
        done = subprocess.run(command(corpus, server), capture_output=True, text=True, timeout=PATIENCE_S, check=False)
    assert done.returncode == 1, done.stderr
    assert f"{num_rows - 1:,} rows written" in done.stderr
    assert "1 row set aside in failed-*.jsonl: 1 INVALID_LINE" in done.stderr
    folder = corpus.with_suffix("")
    outcomes = list(regard.read_results(folder))
    assert [each.index for each in outcomes] == list(range(num_rows))
    assert [each.custom_id for each in outcomes[1:]] == [f"row {number}" for number in range(1, num_rows)]
    translated = {each.input: each.unwrap().text for each in outcomes[1:]}
    assert translated.keys() == set(SENTENCES)
    assert translated["It is raining."] == "Es regnet."
    assert list(folder.glob(".*.partial")) == []
    assert json.loads((folder / "manifest.json").read_text())["counts"]["failed"] == 1
