"""An engine of an actor, without Ray: inputs of like length run together, and outcomes keep the order of the inputs."""

from collections.abc import Iterator
from importlib.util import find_spec
from typing import Any

import pytest

import regard
from regard.calls.client import Client
from regard.calls.results import Result
from regard.ray import Translate
from regard.ray.engines import Engine

TEXTS = ["Where is the library?", "It is raining.", "x" * 30_000, "My sister plays the piano, and my brother sings."]


class Recorder:
    """Translates, and notes the texts of each call."""

    def __init__(self) -> None:
        self.calls: list[list[str]] = []

    def __call__(self, client: Client, texts: list[Any]) -> list[Result]:
        self.calls.append(texts)
        return client.translate(texts, "de")


@pytest.fixture(scope="module")
def recorder() -> Recorder:
    return Recorder()


@pytest.fixture(scope="module")
def engine(recorder: Recorder) -> Iterator[Engine]:
    engine = Engine(recorder, 2, "everyday", num_workers=1)
    yield engine
    engine.close()


def test_outcomes_are_in_order_and_an_input_that_fails_costs_the_others_nothing(
    engine: Engine, recorder: Recorder
) -> None:
    outcomes = engine.outcomes([(index + 7, text) for index, text in enumerate(TEXTS)])
    assert [outcome.index for outcome in outcomes] == [7, 8, 9, 10]
    assert [outcome.result and outcome.result.text for outcome in outcomes[:3]] == [
        "Wo ist die Bibliothek?",
        "Es regnet.",
        None,
    ]
    assert isinstance(outcomes[2].error, regard.InvalidArgument)
    assert sorted(map(len, TEXTS)) == sorted({len(text) for call in recorder.calls for text in call})
    assert [TEXTS[0], TEXTS[1]] in recorder.calls  # the two shortest


def test_the_precision_is_that_of_the_bundle(engine: Engine) -> None:
    version = engine.outcomes([(0, "a")])[0].unwrap().model_version
    assert engine.precision_of("everyday", version) == "int8"


@pytest.mark.skipif(find_spec("ray") is not None, reason="Ray is installed")
def test_what_is_missing_is_named() -> None:
    with pytest.raises(regard.MissingExtra, match=r"running on Ray needs the extra 'ray'"):
        Translate(to="de")
