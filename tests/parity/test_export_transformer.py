"""The serving graphs against the project's transformer in PyTorch, for every option of its config."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from export import checks
from export.checks import Check
from export.families import regard
from export.families.source import SourceModel
from export.reference import half_of_the_threads
from export.sentences import TRICKY_TEXTS
from export.serving import Ids, ServingGraphs
from models.bundle import Precision
from service.engine.request import Generation
from service.pipelines.text import SourceReader, TargetWriter
from tests.unit.export.checkpoints import tiny_checkpoint, write_tiny_bundle

OPTIONS: list[dict[str, Any]] = [
    {},
    {"norm": "post", "final_norm": False},
    {"norm": "post", "final_norm": True, "activation": "silu", "output_bias": True},
    {"final_norm": False, "activation": "gelu"},
    {"norm": "post", "final_norm": False, "positions": "learned", "scale_embeddings": False},
    {"tie_embeddings": False, "output_bias": True},
    {"tie_embeddings": False, "bias": False, "final_norm": False, "scale_embeddings": False},
    {"bias": False, "positions": "learned", "activation": "gelu"},
    {"encoder_layers": 1, "decoder_layers": 1, "num_heads": 1, "norm": "post"},
    {"encoder_layers": 3, "decoder_layers": 1, "num_heads": 2, "activation": "silu"},
    {"norm": "post", "final_norm": False, "embedding_norm": True, "positions": "learned", "scale_embeddings": False},
    {"source_vocab_size": 400, "encoder_heads": 2, "encoder_feed_forward_width": 32, "norm_epsilon": 1e-3},
    {"head_transform": True, "norm": "post", "final_norm": False, "activation": "gelu", "norm_epsilon": 1e-12},
    T5 := {
        "positions": "relative",
        "relative_buckets": 8,
        "relative_max_distance": 12,
        "norm_kind": "rms",
        "norm_epsilon": 1e-6,
        "bias": False,
        "scale_embeddings": False,
        "scale_attention": False,
        "head_scale": 32**-0.5,
        "head_width": 16,
    },
    {**T5, "gated": True, "activation": "gelu_tanh", "tie_embeddings": False, "head_scale": 1.0, "num_heads": 2},
]
NUM_SOURCES = 9
MAX_SOURCE, MAX_TARGET = 21, 9


@pytest.fixture(autouse=True)
def _few_threads() -> Iterator[None]:
    with half_of_the_threads():
        yield


def _name(options: dict[str, Any]) -> str:
    return " ".join(f"{name}={value}" for name, value in options.items()) or "defaults"


@pytest.fixture(scope="module", params=OPTIONS, ids=_name)
def model(request: pytest.FixtureRequest) -> SourceModel:
    return regard.from_checkpoint(tiny_checkpoint(**request.param))


@pytest.fixture(scope="module")
def graphs(model: SourceModel, tmp_path_factory: pytest.TempPathFactory) -> dict[Precision, ServingGraphs]:
    bundle = write_tiny_bundle(tmp_path_factory.mktemp("parity") / "bundle", model, "float32", "int8")
    return {precision: ServingGraphs(bundle, precision) for precision in ("float32", "int8")}


@pytest.fixture(scope="module")
def inputs() -> tuple[list[Ids], list[Ids]]:
    """Sources and targets of many lengths, one token among them; targets begin with the start token."""
    rng = np.random.default_rng(0)
    sources = [rng.integers(6, 400, n).tolist() for n in (1, MAX_SOURCE, *rng.integers(2, MAX_SOURCE, NUM_SOURCES - 2))]
    targets = [[1, *rng.integers(6, 400, n)] for n in (MAX_TARGET, 1, *rng.integers(1, MAX_TARGET, NUM_SOURCES - 2))]
    return sources, targets


def _assert_all(found: Iterator[Check]) -> None:
    assert [f"{check.name}: {check.value}" for check in found if not check.passed] == []


def test_every_step_equals(model, graphs, inputs) -> None:
    sources, targets = inputs
    expected = [model.reference.force(s, t) for s, t in zip(sources, targets, strict=True)]
    _assert_all(checks.memory_equals(graphs["float32"], [model.reference.memory(s) for s in sources], sources))
    _assert_all(checks.steps_equal(expected, graphs["float32"].force(sources, targets)))


def test_greedy_and_beam_outputs_equal(model, graphs, inputs) -> None:
    sources, reference, start_id = inputs[0][:4], model.reference, model.target.start_id
    expected = {k: [reference.generate(s, Generation(8, k)) for s in sources] for k in (1, 4)}
    actual = {k: list(graphs["float32"].decode(sources, num_beams=k, max_new_tokens=8)) for k in expected}
    _assert_all(checks.greedy_equals(reference, start_id, sources, expected[1], actual[1]))
    _assert_all(checks.beams_equal(reference, start_id, sources, expected[4], actual[4]))


@pytest.mark.parametrize("precision", ["float32", "int8"])
def test_rows_are_sound_and_independent(graphs, inputs, precision: Precision) -> None:
    sources, targets = inputs
    _assert_all(checks.sound(graphs[precision], sources, graphs[precision].force(sources, targets)))
    _assert_all(checks.rows_independent(graphs[precision], sources, targets))


def test_int8_is_close(graphs, inputs) -> None:
    plain, small = (
        np.concatenate([forced.logits for forced in graphs[precision].force(*inputs)]) for precision in graphs
    )
    # Weights without training are as even as noise; those of at most 63 are off by twice what 8 bits allow (ADR 13).
    assert np.abs(plain - small).mean() < 0.08 * plain.std()


def test_text_is_what_the_tokenizer_of_the_training_says(model, tmp_path: Path) -> None:
    bundle = write_tiny_bundle(tmp_path / "bundle", model, "float32")
    reader, writer = SourceReader(bundle), TargetWriter(bundle)
    _assert_all(checks.texts_equal(model.reference, reader, writer, TRICKY_TEXTS, ("de", "fr")))
