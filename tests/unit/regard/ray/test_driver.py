"""Engines of a cluster, with a Ray that runs everything in this process: results, errors with their fields, ends."""

from types import SimpleNamespace
from typing import Any

import pytest

from regard.calls.mapping import Batch, Outcome
from regard.errors import FieldViolation, InvalidArgument, RegardError
from regard.ray import driver
from regard.ray.driver import CALLS_PER_ACTOR, Cluster, RayRunner
from tests.unit.regard.sample_results import text_result

ERROR = InvalidArgument.of([FieldViolation("texts[0]", "is too long")])


class FakeEngine:
    def __init__(self, call: Any, batch_size: int, bundle: str | None) -> None:
        self.bundle = bundle

    def outcomes(self, batch: Batch) -> list[Outcome]:
        if any(value == "kill" for _, value in batch):
            raise Died("The actor died.\n\n  It was killed by SIGKILL.\n")
        return [
            Outcome(index, value, error=ERROR) if value == "bad" else Outcome(index, value, text_result(["a"], [value]))
            for index, value in batch
        ]

    def precision_of(self, name: str, version: str) -> str:
        return f"{name}@{version} of {self.bundle}"


class Died(Exception):
    """What Ray raises."""


class Handle:
    """An actor; its methods are called by `remote`."""

    def __init__(self, actor: Any) -> None:
        self.actor = actor

    def __getattr__(self, name: str) -> Any:
        return SimpleNamespace(remote=lambda *arguments: lambda: getattr(self.actor, name)(*arguments))


class FakeRay:
    exceptions = SimpleNamespace(RayError=Died)

    def __init__(self) -> None:
        self.killed: list[Handle] = []
        self.given: dict[str, Any] = {}

    def init(self, **options: Any) -> None:
        self.given |= options

    def remote(self, actor: Any) -> Any:
        def options(**given: Any) -> Any:
            self.given |= given
            return SimpleNamespace(remote=lambda *arguments: Handle(actor(*arguments)))

        return SimpleNamespace(options=options)

    def get(self, reference: Any) -> Any:
        return [each() for each in reference] if isinstance(reference, list) else reference()

    def kill(self, actor: Handle) -> None:
        self.killed.append(actor)


@pytest.fixture
def ray(monkeypatch: pytest.MonkeyPatch) -> FakeRay:
    ray = FakeRay()
    monkeypatch.setattr(driver, "import_ray", lambda: ray)
    monkeypatch.setattr(driver, "Engine", FakeEngine)
    return ray


def runner_of(num_actors: int) -> RayRunner:
    task = SimpleNamespace(call=lambda client, inputs: [])
    return RayRunner(Cluster("here:1", num_actors, 3), task, "translation", "everyday")


def test_results_and_errors_arrive_with_all_that_they_have(ray: FakeRay) -> None:
    runner = runner_of(2)
    assert (ray.given["address"], ray.given["num_cpus"]) == ("here:1", 3)
    good, bad = runner.outcomes([(4, "x"), (5, "bad")])
    assert (good.index, good.input, good.result) == (4, "x", text_result(["a"], ["x"]))
    assert isinstance(bad.error, InvalidArgument)
    assert bad.error.violations == ERROR.violations
    assert runner.precision_of("everyday", "1") == "everyday@1 of everyday"
    runner.stop()
    assert len(ray.killed) == 2


def test_rows_whose_actor_dies_are_named_and_the_actor_is_free_again(ray: FakeRay) -> None:
    runner = runner_of(1)
    for _ in range(CALLS_PER_ACTOR + 1):  # else the last one would wait for ever
        with pytest.raises(RegardError, match=r"^rows 7 to 8: an actor failed: It was killed by SIGKILL\.$"):
            runner.outcomes([(7, "x"), (8, "kill")])
