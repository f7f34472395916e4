"""The serving graphs against the recurrent translator in PyTorch, for every style, score and cell."""

from collections.abc import Iterator
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from export import checks
from export.checks import Check
from export.exporting import ExportOptions, export
from export.families import recurrent
from export.families.source import SourceModel
from export.reference import half_of_the_threads
from export.serving import Ids, ServingGraphs
from models.bundle import Precision
from service.engine.request import Generation
from tests.unit.export.checkpoints import write_tiny_bundle
from tests.unit.export.recurrent_checkpoints import tiny_recurrent_checkpoint

STYLES, SCORES, CELLS = ("bahdanau", "luong"), ("dot", "scaled_dot", "general", "additive"), ("lstm", "gru")
OPTIONS: list[dict[str, Any]] = [
    *({"style": style, "score": score, "cell": cell} for style, score, cell in product(STYLES, SCORES, CELLS)),
    {"style": "luong", "score": "general", "cell": "lstm", "encoder_layers": 2, "decoder_width": 48},
    {"style": "bahdanau", "score": "additive", "cell": "gru", "encoder_layers": 2, "decoder_width": 48},
    # As other toolkits have it.
    *(
        {
            "style": "luong",
            "score": "general",
            "cell": cell,
            "encoder_layers": 2,
            "decoder_layers": 2,
            "readout_width": 48,
            "tie_embeddings": False,
            "head_bias": cell == "gru",
            "scale_embeddings": False,
            "start": "layers",
            "start_cell": "encoder" if cell == "lstm" else "zero",
        }
        for cell in CELLS
    ),
    {
        "style": "luong",
        "score": "additive",
        "cell": "lstm",
        "score_bias": True,
        "bidirectional": False,
        "decoder_layers": 3,
        "readout_bias": True,
        "readout_tanh": False,
        "scale_embeddings": False,
        "start_cell": "hidden",
    },
    {"style": "luong", "score": "dot", "cell": "lstm", "start": "last", "decoder_layers": 2, "start_cell": "hidden"},
    {"style": "luong", "score": "general", "cell": "gru", "start": "zero", "source_vocab_size": 420},
]
NUM_SOURCES = 7
MAX_SOURCE, MAX_TARGET = 17, 8


@pytest.fixture(autouse=True)
def _few_threads() -> Iterator[None]:
    with half_of_the_threads():
        yield


@pytest.fixture(scope="module", params=OPTIONS, ids=lambda options: " ".join(map(str, options.values())))
def model(request: pytest.FixtureRequest) -> SourceModel:
    return recurrent.from_checkpoint(tiny_recurrent_checkpoint(**request.param))


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
    assert len(model.reference.memory(sources[0])) == len(model.architecture.memory)
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
    assert np.abs(plain - small).mean() < 0.05 * plain.std()


@pytest.mark.parametrize("style", STYLES)
def test_a_verified_bundle_is_written(tmp_path: Path, style: str) -> None:
    model = recurrent.from_checkpoint(tiny_recurrent_checkpoint(style=style))
    options = ExportOptions(name="tiny", version="1", precisions=["float32"], dev={})
    bundle = export(model, tmp_path / "bundle", options, lambda _: None)
    assert bundle.manifest.verification["passed"]
    assert bundle.manifest.family == recurrent.FAMILY
