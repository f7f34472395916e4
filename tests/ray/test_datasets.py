"""Datasets of Ray by actors with an engine each: the same outputs, bad rows apart, and actors that are killed."""

import json
import os
import signal
import threading
from typing import Any

import numpy as np
import pytest

import regard
import regard.ray
from tests.ray.conftest import processes_named
from tests.waiting import PATIENCE_S, wait_until

ray_data = pytest.importorskip("ray.data", reason="missing: ray (make ray)")
pytestmark = pytest.mark.filterwarnings("ignore:::ray")  # warns of its own settings

TEXTS = ["Where is the library?", "It is raining.", "My sister plays the piano.", "We missed the last train home."]


def test_outputs_are_those_of_the_client_and_bad_rows_are_apart(cluster: str) -> None:
    rows: list[dict[str, Any]] = [
        {"id": number, "text": text} for number, text in enumerate([*TEXTS, None, "x" * 30_000])
    ]
    dataset = ray_data.from_items(rows)
    mapped = regard.ray.map_dataset(dataset, regard.ray.Translate, to="de", model="everyday", attention=True)
    found = sorted(mapped.take_all(), key=lambda row: row["id"])
    with regard.local("everyday", num_workers=1) as client:
        expected = client.translate(TEXTS, "de", attention=True)
    for row, result in zip(found[: len(TEXTS)], expected, strict=True):
        assert (row["output"], row["error"], row["pharaoh"]) == (result.text, None, result.best.pharaoh)
        assert row["model"] == f"everyday@{result.model_version}"
        assert result.alignment is not None
        np.testing.assert_allclose(np.array(row["alignment"]), result.alignment.values, atol=0.05)
    assert [row["output"] for row in found[len(TEXTS) :]] == [None, None]
    assert [json.loads(row["error"])["reason"] for row in found[len(TEXTS) :]] == ["INVALID_VALUE", "INVALID_INPUT"]


def test_an_actor_that_is_killed_loses_no_row(cluster: str) -> None:
    num_rows = 4000
    rows = [{"id": number, "text": TEXTS[number % len(TEXTS)]} for number in range(num_rows)]
    dataset = ray_data.from_items(rows, override_num_blocks=20)
    mapped = regard.ray.map_dataset(dataset, regard.ray.Translate, to="de", model="everyday", num_actors=2)
    found: list[dict[str, Any]] = []
    reader = threading.Thread(target=lambda: found.extend(mapped.iter_rows()), daemon=True)
    reader.start()
    running = "ray::MapWorker(MapBatches(Translate))."
    wait_until(lambda: found and (processes_named(running) or not reader.is_alive()))
    for victim in processes_named(running)[:1]:  # none if a machine that pauses here has let all rows run before
        os.kill(victim, signal.SIGKILL)
    reader.join(PATIENCE_S)
    assert sorted(row["id"] for row in found) == list(range(num_rows))
    assert {row["output"] for row in found if row["id"] % len(TEXTS) == 1} == {"Es regnet."}
