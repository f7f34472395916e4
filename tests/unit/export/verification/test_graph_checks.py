"""That checks find what they look for: each meets a fault of its kind."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from regard_export.checkpoints.source_model import SourceModel
from regard_export.decoding.variant_engine import Ids, ServingGraphs
from regard_export.examples.sentences import EXAMPLES, TRICKY_TEXTS
from regard_export.families.regard_checkpoints import transformer
from regard_export.onnx_graph.builder import GraphBuilder
from regard_export.precision.quantize import FORMS, Form, Forms, Linear, float_embed, float_linear, quantize_outputs
from regard_export.references.reference import Forced, Generated
from regard_export.verification import graph_checks
from regard_export.verification.graph_checks import Check
from regard_service.generation import Generation
from regard_service.text.reading import SourceReader
from regard_service.text.writing import TargetWriter

from tests.unit.export.transformer_checkpoints import tiny_checkpoint, write_tiny_bundle

SOURCES: list[Ids] = [[4, 300, 301, 302, 2], [5, 310, 2], [4, 320, 321, 322, 323, 324, 325, 2]]
TARGETS: list[Ids] = [[1, 270, 280, 2], [1, 290, 2], [1, 300, 310, 320, 330, 2]]


@pytest.fixture(scope="module")
def model() -> SourceModel:
    return transformer.from_checkpoint(tiny_checkpoint())


@pytest.fixture(scope="module")
def graphs(tmp_path_factory: pytest.TempPathFactory, model: SourceModel) -> ServingGraphs:
    return ServingGraphs(write_tiny_bundle(tmp_path_factory.mktemp("checks") / "b", model, "float32"), "float32")


def _failed(found: Iterator[Check]) -> list[str]:
    return [check.name for check in found if not check.passed]


def _with_noise(forced: Forced, part: str) -> Forced:
    return replace(forced, **{part: getattr(forced, part) + np.float32(0.01)})


def test_a_check_without_a_limit_only_tells() -> None:
    assert Check("told", 1e9).passed
    assert Check("kept", 1.0, 1.0).passed
    assert not Check("broken", 1.1, 1.0).passed
    assert not Check("nonsense", float("nan"), 1.0).passed
    assert Check("nonsense", float("nan"), 1.0).to_json() == {"value": "nan", "limit": 1.0, "passed": False}


@pytest.mark.parametrize("part", ["logits", "log_normalizer", "cross_attention"])
def test_a_step_that_differs(model, graphs, part: str) -> None:
    expected = [model.reference.force(s, t) for s, t in zip(SOURCES, TARGETS, strict=True)]
    actual = graphs.force(SOURCES, TARGETS)
    assert _failed(graph_checks.steps_equal(expected, actual)) == []
    assert len(_failed(graph_checks.steps_equal(expected, [_with_noise(forced, part) for forced in actual]))) == 1


def test_memory_that_differs(model, graphs) -> None:
    assert _failed(graph_checks.memory_equals(graphs, [model.reference.memory(s) for s in SOURCES], SOURCES)) == []
    other = transformer.from_checkpoint(tiny_checkpoint(seed=1))
    assert _failed(graph_checks.memory_equals(graphs, [other.reference.memory(s) for s in SOURCES], SOURCES))


def test_outputs_that_differ(model, graphs) -> None:
    reference = model.reference
    expected = {k: [reference.generate(s, Generation(8, k)) for s in SOURCES] for k in (1, 4)}
    actual = {k: list(graphs.decode(SOURCES, num_beams=k, max_new_tokens=8)) for k in (1, 4)}
    assert _failed(graph_checks.greedy_equals(reference, 1, SOURCES, expected[1], actual[1])) == []
    assert _failed(graph_checks.beams_equal(reference, 1, SOURCES, expected[4], actual[4])) == []

    changed = [Generated([*g.tokens[:-1], g.tokens[-1] - 1], (g.score or 0) - 0.1) for g in expected[4]]
    assert _failed(graph_checks.beams_equal(reference, 1, SOURCES, changed, actual[4])) == [
        "beams: outputs that differ",
        "beams: largest difference of scores",
    ]
    assert _failed(graph_checks.greedy_equals(reference, 1, SOURCES, changed, actual[1])) == [
        "greedy: outputs that differ"
    ]
    shorter = [replace(g, tokens=g.tokens[:-1]) for g in expected[1]]
    assert _failed(graph_checks.greedy_equals(reference, 1, SOURCES, shorter, actual[1])) == [
        "greedy: outputs that differ"
    ]


def test_texts_that_differ(model, tmp_path) -> None:
    def failed(tokenizer: str) -> list[str]:
        changed = replace(model, tokenizers={"tokenizer.json": tokenizer})
        bundle = write_tiny_bundle(tmp_path / str(len(list(tmp_path.iterdir()))), changed, "float32")
        reader, writer = SourceReader(bundle), TargetWriter(bundle)
        return _failed(graph_checks.texts_equal(model.reference, reader, writer, TRICKY_TEXTS + EXAMPLES, ("de", "fr")))

    shipped = model.tokenizers["tokenizer.json"]
    assert failed(shipped) == []
    assert failed(shipped.replace('"type":"NFC"', '"type":"NFD"')) == ["inputs tokenized differently"]
    assert "outputs written differently" in failed(shipped.replace('"content":" "', '"content":"+"'))


def test_numbers_that_are_none(model, graphs) -> None:
    forced = graphs.force(SOURCES, TARGETS)
    assert _failed(graph_checks.sound(graphs, SOURCES, forced)) == []
    forced[1].logits[0, 0] = np.nan
    forced[2].cross_attention[..., 0] = 0
    assert len(_failed(graph_checks.sound(graphs, SOURCES, forced))) == 2


def _neighbourly(graph: GraphBuilder, x: str, layer: Linear) -> str:
    """A scale over all rows: what this project does not ship."""
    quantized, scales = quantize_outputs(layer.weight)
    inputs = [x, graph.constant(quantized), graph.constant(scales)]
    inputs += [] if layer.bias is None else ["", graph.constant(layer.bias)]
    return graph.node("com.microsoft.DynamicQuantizeMatMul", *inputs)


@pytest.mark.parametrize(("linear", "depends"), [(_neighbourly, True), (float_linear, False)])
def test_rows_that_depend_on_their_neighbours(
    tmp_path: Path, model, monkeypatch, linear: Callable[..., str], depends: bool
) -> None:
    form = Form(linear, linear, float_embed)
    monkeypatch.setitem(FORMS, "int8", Forms(form, form))
    graphs = ServingGraphs(write_tiny_bundle(tmp_path / "bundle", model, "int8"), "int8")
    assert bool(_failed(graph_checks.rows_independent(graphs, SOURCES, TARGETS))) == depends


def test_probability_that_is_lost(graphs) -> None:
    plain = graphs.force(SOURCES, TARGETS)
    assert _failed(graph_checks.agrees(plain, plain, TARGETS)) == []
    worse = [replace(forced, log_normalizer=forced.log_normalizer + np.float32(0.1)) for forced in plain]
    assert _failed(graph_checks.agrees(plain, worse, TARGETS)) == ["average loss of log-probability a token"]


def test_infinities_that_are_equal_do_not_differ() -> None:
    banned = np.array([-np.inf, 1.0])
    assert graph_checks.difference(banned, banned) == 0
    assert graph_checks.difference(banned, np.array([0.0, 1.0])) == np.inf
