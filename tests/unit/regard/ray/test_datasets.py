"""Batches of a dataset, without Ray and with engines that answer at once: columns, order, rows that cannot be run."""

import json
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from regard.calls.mapping import Batch, Outcome
from regard.errors import InvalidArgument
from regard.ray import Caption, Summarize, Translate, datasets, map_dataset
from tests.unit.regard.sample_results import text_result


class FakeEngine:
    """Answers each input, but "bad"."""

    def __init__(self, call: Any, batch_size: int, bundle: str | None) -> None:
        self.call = call
        self.batch_size = batch_size
        self.bundle = bundle

    def outcomes(self, batch: Batch) -> list[Outcome]:
        error = InvalidArgument("INVALID_ARGUMENT", "too long", "INVALID_INPUT")
        return [
            Outcome(index, value, error=error) if value == "bad" else Outcome(index, value, text_result(["a"], [value]))
            for index, value in batch
        ]


class Client:
    """Returns the arguments of a call."""

    def __getattr__(self, name: str) -> Any:
        return lambda *arguments, **options: (name, *arguments, options)


@pytest.fixture(autouse=True)
def fake_engine(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(datasets, "Engine", FakeEngine)


def objects(*values: Any) -> Any:
    array = np.empty(len(values), object)
    array[:] = values
    return array


def test_rows_keep_their_order_and_columns_and_bad_ones_have_an_error() -> None:
    batch = {"id": np.arange(4), "text": objects("x", None, "bad", "y")}
    found = Translate(to="de", attention=True)(batch)
    assert found["id"].tolist() == [0, 1, 2, 3]
    assert found["output"].tolist() == ["x", None, None, "y"]
    errors = [error and json.loads(error)["reason"] for error in found["error"].tolist()]
    assert errors == [None, "INVALID_VALUE", "INVALID_INPUT", None]
    alignment = text_result(["a"], ["x"]).alignment
    assert alignment is not None
    assert found["alignment"][0] == alignment.values.tolist()
    assert found["alignment"][1] is None
    assert "alignment" not in Translate(to="de")(batch)


def test_an_empty_batch_has_the_same_columns() -> None:
    found = Translate(to="de")({"text": objects()})
    assert {name: len(values) for name, values in found.items()} == dict.fromkeys(
        ("text", "output", "score", "model", "error"), 0
    )


def test_a_column_that_is_not_there_is_named() -> None:
    with pytest.raises(ValueError, match=r"no column 'text'; it has 'body'"):
        Translate(to="de")({"body": objects("x")})


@pytest.mark.parametrize("kind", ["translate", "summarize", "caption"])
def test_options_are_those_of_the_client(kind: str) -> None:
    tasks: dict[str, tuple[Any, tuple[Any, ...]]] = {
        "translate": (Translate(to="de", num_beams=2), ("translate", ["x"], "de", {"num_beams": 2})),
        "summarize": (Summarize(style="subject", num_beams=2), ("summarize", ["x"], "subject", {"num_beams": 2})),
        "caption": (Caption(column="picture", num_beams=2), ("caption", ["x"], {"num_beams": 2})),
    }
    task, (name, *arguments, options) = tasks[kind]
    assert task._engine.call(Client(), ["x"]) == (name, *arguments, {"attention": None, "priority": "bulk"} | options)


def test_a_dataset_is_mapped_by_actors(monkeypatch: pytest.MonkeyPatch) -> None:
    class Dataset:
        def map_batches(self, task: Any, **options: Any) -> Any:
            return task, options

    ray = SimpleNamespace(data=SimpleNamespace(ActorPoolStrategy=dict))
    monkeypatch.setattr(datasets, "import_ray", lambda: ray)
    task, options = map_dataset(Dataset(), Translate, to="de", num_actors=3, cpus_per_actor=2)
    assert task is Translate
    assert (options["fn_constructor_kwargs"], options["compute"], options["num_cpus"]) == ({"to": "de"}, {"size": 3}, 2)
