"""The project's recurrent checkpoints, and properties of their graphs beside parity."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import pytest

from regard.arrays import Float32Array
from regard_export.checkpoints.source_model import SourceModel
from regard_export.errors import ExportError
from regard_export.families.loading import load_source_model
from regard_export.families.regard_checkpoints import recurrent
from regard_export.onnx_graph.contract import BuiltGraph
from regard_export.precision.precision_builders import PRECISION_BUILDERS
from regard_service.bundle import Precision
from tests.unit.export.recurrent_checkpoints import tiny_recurrent_checkpoint
from tests.unit.export.transformer_checkpoints import write_tiny_bundle

PRECISIONS: list[Precision] = ["float32", "int8"]
STYLES: list[dict[str, Any]] = [
    {"style": "bahdanau", "score": "additive", "cell": "gru"},
    {"style": "luong", "score": "general", "cell": "lstm"},
    {"style": "luong", "score": "dot", "cell": "gru"},
]


@pytest.fixture(params=STYLES, ids=lambda options: " ".join(options.values()))
def model(request: pytest.FixtureRequest) -> SourceModel:
    return recurrent.from_checkpoint(tiny_recurrent_checkpoint(**request.param))


def graphs_of(model: SourceModel, precision: Precision) -> tuple[BuiltGraph, BuiltGraph]:
    builders = PRECISION_BUILDERS[precision]
    return model.architecture.encode(builders.encode), model.architecture.step(builders.step)


@pytest.mark.parametrize("precision", PRECISIONS)
def test_graphs_have_the_tensors_that_they_state(model: SourceModel, precision: Precision) -> None:
    for graph in graphs_of(model, precision):
        session = onnxruntime.InferenceSession(graph.model.SerializeToString())
        for actual, stated in ((session.get_inputs(), graph.inputs), (session.get_outputs(), graph.outputs)):
            assert [(x.name, tuple(x.shape)) for x in actual] == [(spec.name, spec.shape) for spec in stated]


def test_outputs_of_encode_are_the_memory_inputs_of_step(model: SourceModel) -> None:
    encode, step = graphs_of(model, "float32")
    assert encode.outputs == model.architecture.memory
    assert set(encode.outputs) <= set(step.inputs)
    outputs = {spec.name: spec.shape for spec in step.outputs}
    for state in model.architecture.state:
        assert not state.in_place
        assert state.input in step.inputs
        assert outputs[state.output] == state.input.shape


def test_graphs_have_no_control_flow_and_no_repetition(model: SourceModel) -> None:
    for precision in PRECISIONS:
        for graph in graphs_of(model, precision):
            operators = {node.op_type for node in graph.model.graph.node}
            assert not operators & {"If", "Loop", "Scan", "Tile", "Expand"}
            assert not operators & {"DynamicQuantizeLSTM", "DynamicQuantizeMatMul", "DynamicQuantizeLinear"}


def run_step(model: SourceModel, **changes: Any) -> dict[str, Float32Array]:
    """Runs a step of two requests with two beams each, the first request at its first position, with changed inputs."""
    step = graphs_of(model, "float32")[1]
    sizes = {"requests": 2, "slots": 4, "source": 5}
    rng = np.random.default_rng(0)
    inputs = {
        spec.name: rng.standard_normal([axis if isinstance(axis, int) else sizes[axis] for axis in spec.shape]).astype(
            spec.dtype
        )
        for spec in step.inputs
        if spec.dtype == "float32"
    }
    inputs |= {
        "tokens": np.array([1, 1, 7, 8]),
        "lengths": np.array([0, 0, 3, 3], np.int32),
        "source_lengths": np.array([3, 5], np.int32),
        "num_candidates": np.array([4]),
    }
    for name, change in changes.items():
        change(inputs[name])
    session = onnxruntime.InferenceSession(step.model.SerializeToString())
    return dict(zip([spec.name for spec in step.outputs], session.run(None, inputs), strict=True))


def test_only_the_first_step_reads_encodes_initial_state(model: SourceModel) -> None:
    def nan_first(hidden: Float32Array) -> None:
        hidden[:2] = np.nan

    def nan_second(initial: Float32Array) -> None:
        initial[1] = np.nan

    plain, hostile = run_step(model), run_step(model, hidden=nan_first, initial_state=nan_second)
    for name, expected in plain.items():
        np.testing.assert_array_equal(hostile[name], expected)
    first = run_step(model, initial_state=lambda initial: initial[0].fill(0.5))
    assert not np.allclose(first["next_hidden"][:2], plain["next_hidden"][:2])
    np.testing.assert_allclose(first["next_hidden"][2:], plain["next_hidden"][2:], atol=1e-6)


def test_values_behind_a_source_have_no_effect(model: SourceModel) -> None:
    def garbage(memory: Float32Array) -> None:
        memory[0, 3:] = 1000

    names = {spec.name for spec in model.architecture.memory if "source" in spec.shape}
    plain, garbled = run_step(model), run_step(model, **dict.fromkeys(names, garbage))
    for name, expected in plain.items():
        np.testing.assert_allclose(garbled[name], expected, atol=1e-6)
    assert (plain["cross_attention_0"][0, :, :, 3:] == 0).all()
    np.testing.assert_allclose(plain["cross_attention_0"].sum(-1), 1, atol=1e-6)


def test_int8_weights_of_the_step_are_much_smaller(tmp_path: Path) -> None:
    sizes = {"width": 128, "encoder_width": 16, "decoder_width": 256, "score_width": 64}
    model = recurrent.from_checkpoint(tiny_recurrent_checkpoint(**sizes))
    bundle = write_tiny_bundle(tmp_path / "bundle", model, "float32", "int8")
    plain, small = ((bundle.folder / precision / "weights.bin").stat().st_size for precision in PRECISIONS)
    assert small < 0.45 * plain


def test_a_checkpoint_is_found_by_its_family(tmp_path: Path) -> None:
    tiny_recurrent_checkpoint().save(tmp_path)
    model = load_source_model(tmp_path)
    assert model.family == recurrent.FAMILY
    assert model.target_languages == ("de", "fr")


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        ({"num_heads": 4}, "num_heads"),
        ({"score": "dot", "decoder_width": 48}, "decoder_width = 2 encoder_width"),
        ({"cell": "lstm"}, "size mismatch"),
    ],
)
def test_a_checkpoint_that_does_not_fit_is_refused(options: dict[str, Any], reason: str) -> None:
    checkpoint = tiny_recurrent_checkpoint()
    with pytest.raises(ExportError, match=reason):
        recurrent.from_checkpoint(replace(checkpoint, config={**checkpoint.config, **options}))


def test_missing_weights_are_named() -> None:
    checkpoint = tiny_recurrent_checkpoint()
    weights = {name: x for name, x in checkpoint.weights.items() if "bridge" not in name}
    with pytest.raises(ExportError, match=r"encoder\.bridge\.weight.*encoder\.bridge\.bias"):
        recurrent.from_checkpoint(replace(checkpoint, weights=weights))
