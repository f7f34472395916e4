"""`regard bulk --ray`: an actor and the driver are killed in the middle; every row is there once, in order."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

import regard
from tests.ray.conftest import processes_named
from tests.waiting import PATIENCE_S, wait_until

pytest.importorskip("ray", reason="missing: ray (make ray)")

TEXTS = ["Where is the library?", "It is raining.", "My sister plays the piano.", "We missed the last train home."]
NUM_ROWS, SHARD_ROWS = 6000, 500


@contextmanager
def driver(corpus: Path, address: str) -> Iterator["subprocess.Popen[str]"]:
    command = [sys.executable, "-m", "regard", "bulk", str(corpus), "-o", str(corpus.with_suffix("")), "--to", "de"]
    flags = ["--model", "everyday", f"--shard-rows={SHARD_ROWS}", "--ray", address, "--actors", "2"]
    with subprocess.Popen([*command, *flags], stderr=subprocess.PIPE, text=True) as process:
        try:
            yield process
        finally:
            process.kill()


def test_a_model_that_an_actor_cannot_load_is_named(cluster: str, tmp_path: Path) -> None:
    corpus = tmp_path / "corpus.jsonl"
    corpus.write_text('{"text": "a"}\n')
    command = [sys.executable, "-m", "regard", "bulk", str(corpus), "-o", str(tmp_path / "out"), "--to", "de"]
    flags = ["--model", "nothing", "--ray", cluster]
    done = subprocess.run([*command, *flags], capture_output=True, text=True, timeout=PATIENCE_S, check=False)
    assert done.returncode == 1
    assert "regard: an actor failed: " in done.stderr
    assert "nothing" in done.stderr
    assert "Traceback" not in done.stderr


def test_neither_the_end_of_an_actor_nor_of_the_driver_loses_or_doubles_a_row(cluster: str, tmp_path: Path) -> None:
    corpus = tmp_path / "corpus.jsonl"
    lines = [json.dumps({"text": TEXTS[number % 4], "custom_id": f"row {number}"}) for number in range(NUM_ROWS)]
    corpus.write_text("\n".join(["no JSON", *lines[1:]]) + "\n")
    folder = corpus.with_suffix("")
    with driver(corpus, cluster) as process:
        wait_until(lambda: list(folder.glob("part-*")) or process.poll() is not None)
        process.send_signal(signal.SIGKILL)
        process.wait(PATIENCE_S)
    wait_until(lambda: not processes_named("ray::_Actor"))  # Ray ends the actors of a driver that is gone
    num_parts = len(list(folder.glob("part-*")))
    assert 0 < num_parts < NUM_ROWS // SHARD_ROWS
    with driver(corpus, cluster) as process:
        [victim, *_] = wait_until(lambda: processes_named("ray::_Actor.run"))
        os.kill(victim, signal.SIGKILL)
        _, said = process.communicate(timeout=PATIENCE_S)
    assert process.returncode == 1, said
    assert f"{NUM_ROWS - 1:,} rows written" in said
    assert "1 row set aside in failed-*.jsonl: 1 INVALID_LINE" in said
    outcomes = list(regard.read_results(folder))
    assert [each.index for each in outcomes] == list(range(NUM_ROWS))
    assert [each.custom_id for each in outcomes[1:]] == [f"row {number}" for number in range(1, NUM_ROWS)]
    assert {each.unwrap().text for each in outcomes if each.input == "It is raining."} == {"Es regnet."}
    models = json.loads((folder / "manifest.json").read_text())["models"]
    assert models["everyday"]["precision"] == "int8"
