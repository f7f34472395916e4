"""Every check fails on a fault of its kind, and passes without one."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from regard_export.checkpoints.source_model import SourceModel
from regard_export.decoding.variant_engine import Ids, VariantEngine
from regard_export.descriptions.layers import Linear
from regard_export.examples.sentences import EXAMPLE_SENTENCES, TRICKY_TEXTS
from regard_export.families.regard_checkpoints import transformer
from regard_export.onnx_graph.builder import GraphBuilder
from regard_export.precision.float_layers import float_embed, float_linear
from regard_export.precision.layer_builders import LayerBuilders, PrecisionBuilders
from regard_export.precision.precision_builders import PRECISION_BUILDERS
from regard_export.precision.quantization import quantize_per_output
from regard_export.references.protocols import Generated, TeacherForced
from regard_export.verification import graph_checks
from regard_export.verification.check_report import Check
from regard_export.verification.differences import max_difference
from regard_export.verification.input_checks import compare_texts
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
def engine(tmp_path_factory: pytest.TempPathFactory, model: SourceModel) -> VariantEngine:
    return VariantEngine(write_tiny_bundle(tmp_path_factory.mktemp("checks") / "b", model, "float32"), "float32")


def _failed(found: Iterator[Check]) -> list[str]:
    return [check.name for check in found if not check.has_passed]


def _with_noise(forced: TeacherForced, part: str) -> TeacherForced:
    return replace(forced, **{part: getattr(forced, part) + np.float32(0.01)})


def test_a_check_without_a_limit_always_passes() -> None:
    assert Check("measured", 1e9).has_passed
    assert Check("kept", 1.0, 1.0).has_passed
    assert not Check("broken", 1.1, 1.0).has_passed
    assert not Check("nonsense", float("nan"), 1.0).has_passed
    assert Check("nonsense", float("nan"), 1.0).to_json() == {"value": "nan", "limit": 1.0, "passed": False}


@pytest.mark.parametrize("part", ["logits", "log_normalizer", "cross_attention"])
def test_a_step_that_differs(model, engine, part: str) -> None:
    expected = [model.reference.teacher_force(s, t) for s, t in zip(SOURCES, TARGETS, strict=True)]
    actual = engine.teacher_force(SOURCES, TARGETS)
    assert _failed(graph_checks.compare_steps(expected, actual)) == []
    assert len(_failed(graph_checks.compare_steps(expected, [_with_noise(forced, part) for forced in actual]))) == 1


def test_memory_that_differs(model, engine) -> None:
    assert _failed(graph_checks.compare_memory(engine, [model.reference.memory(s) for s in SOURCES], SOURCES)) == []
    other = transformer.from_checkpoint(tiny_checkpoint(seed=1))
    assert _failed(graph_checks.compare_memory(engine, [other.reference.memory(s) for s in SOURCES], SOURCES))


def test_outputs_that_differ(model, engine) -> None:
    reference = model.reference
    expected = {k: [reference.generate(s, Generation(8, k)) for s in SOURCES] for k in (1, 4)}
    actual = {k: list(engine.search(SOURCES, Generation(8, k))) for k in (1, 4)}
    assert _failed(graph_checks.compare_greedy(reference, 1, SOURCES, expected[1], actual[1])) == []
    assert _failed(graph_checks.compare_beams(reference, 1, SOURCES, expected[4], actual[4])) == []

    changed = [Generated([*g.tokens[:-1], g.tokens[-1] - 1], (g.score or 0) - 0.1) for g in expected[4]]
    assert _failed(graph_checks.compare_beams(reference, 1, SOURCES, changed, actual[4])) == [
        "beams: outputs that differ",
        "beams: largest difference of scores",
    ]
    assert _failed(graph_checks.compare_greedy(reference, 1, SOURCES, changed, actual[1])) == [
        "greedy: outputs that differ"
    ]
    shorter = [replace(g, tokens=g.tokens[:-1]) for g in expected[1]]
    assert _failed(graph_checks.compare_greedy(reference, 1, SOURCES, shorter, actual[1])) == [
        "greedy: outputs that differ"
    ]


def test_texts_that_differ(model, tmp_path) -> None:
    def failed(tokenizer: str) -> list[str]:
        changed = replace(model, tokenizers={"tokenizer.json": tokenizer})
        bundle = write_tiny_bundle(tmp_path / str(len(list(tmp_path.iterdir()))), changed, "float32")
        reader, writer = SourceReader(bundle), TargetWriter(bundle)
        return _failed(compare_texts(model.reference, reader, writer, TRICKY_TEXTS + EXAMPLE_SENTENCES, ("de", "fr")))

    shipped = model.tokenizers["tokenizer.json"]
    assert failed(shipped) == []
    assert failed(shipped.replace('"type":"NFC"', '"type":"NFD"')) == ["inputs tokenized differently"]
    assert "outputs written differently" in failed(shipped.replace('"content":" "', '"content":"+"'))


def test_numbers_that_are_not_finite(model, engine) -> None:
    forced = engine.teacher_force(SOURCES, TARGETS)
    assert _failed(graph_checks.check_soundness(engine, SOURCES, forced)) == []
    forced[1].logits[0, 0] = np.nan
    forced[2].cross_attention[..., 0] = 0
    assert len(_failed(graph_checks.check_soundness(engine, SOURCES, forced))) == 2


def _linear_with_shared_scale(graph: GraphBuilder, x: str, layer: Linear) -> str:
    """Scales activations by the largest of all rows, as no builder of this project does."""
    quantized, scales = quantize_per_output(layer.weight)
    inputs = [x, graph.constant(quantized), graph.constant(scales)]
    inputs += [] if layer.bias is None else ["", graph.constant(layer.bias)]
    return graph.node("com.microsoft.DynamicQuantizeMatMul", *inputs)


@pytest.mark.parametrize(("linear", "is_dependent"), [(_linear_with_shared_scale, True), (float_linear, False)])
def test_rows_that_depend_on_their_neighbours(
    tmp_path: Path, model, monkeypatch, linear: Callable[..., str], is_dependent: bool
) -> None:
    builders = LayerBuilders(linear, linear, float_embed)
    monkeypatch.setitem(PRECISION_BUILDERS, "int8", PrecisionBuilders(builders, builders))
    engine = VariantEngine(write_tiny_bundle(tmp_path / "bundle", model, "int8"), "int8")
    assert bool(_failed(graph_checks.check_row_independence(engine, SOURCES, TARGETS))) == is_dependent


@pytest.mark.parametrize(("steps", "names"), [(2, []), (64, ["difference", "best tokens"])])
def test_float16_rows_that_a_kernel_rounds_otherwise(
    tmp_path: Path, model, monkeypatch, steps: int, names: list[str]
) -> None:
    """A kernel for several rows may sum in another order, so that a float16 lands on its neighbour."""
    engine = VariantEngine(write_tiny_bundle(tmp_path / "bundle", model, "float16"), "float16")
    teacher_force = engine.teacher_force

    def rounded_otherwise(sources, targets, num_poisoned_rows: int = 0):
        for forced in teacher_force(sources, targets, num_poisoned_rows=num_poisoned_rows):
            largest = forced.logits.max(-1, keepdims=True)
            lowered = largest - steps * np.spacing(np.abs(largest).max().astype(np.float16)).astype(np.float32)
            is_moved = (forced.logits == largest) & (num_poisoned_rows > 0)
            yield replace(forced, logits=np.where(is_moved, lowered, forced.logits))

    monkeypatch.setattr(engine, "teacher_force", lambda *args, **kwargs: list(rounded_otherwise(*args, **kwargs)))
    failed = _failed(graph_checks.check_row_independence(engine, SOURCES, TARGETS))
    assert [name for name in names if not any(name in each for each in failed)] == []
    assert bool(failed) == bool(names)


def test_a_loss_of_probability(engine) -> None:
    plain = engine.teacher_force(SOURCES, TARGETS)
    assert _failed(graph_checks.compare_precisions(plain, plain, TARGETS)) == []
    worse = [replace(forced, log_normalizer=forced.log_normalizer + np.float32(0.1)) for forced in plain]
    assert _failed(graph_checks.compare_precisions(plain, worse, TARGETS)) == [
        "average loss of log-probability per token"
    ]


def test_infinities_that_are_equal_do_not_differ() -> None:
    banned = np.array([-np.inf, 1.0])
    assert max_difference(banned, banned) == 0
    assert max_difference(banned, np.array([0.0, 1.0])) == np.inf
