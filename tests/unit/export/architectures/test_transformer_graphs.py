import numpy as np
import onnx
import onnxruntime
import pytest

from regard_export.architectures.transformer_encode import build_encode
from regard_export.architectures.transformer_step import build_step
from regard_export.architectures.transformer_tensors import memory_specs, state_specs
from regard_export.families.regard_checkpoints import transformer
from regard_export.onnx_graph.builder import IR_VERSION
from regard_export.onnx_graph.contract import BuiltGraph
from regard_export.precision.precision_builders import PRECISION_BUILDERS
from regard_service.bundle import Precision
from tests.unit.export.transformer_checkpoints import description_of, tiny_checkpoint, tiny_config, write_tiny_bundle

PRECISIONS: list[Precision] = ["float32", "int8"]


@pytest.fixture(scope="module", params=PRECISIONS)
def graphs(request) -> tuple[BuiltGraph, BuiltGraph]:
    description, builders = (
        description_of(transformer.from_checkpoint(tiny_checkpoint())),
        PRECISION_BUILDERS[request.param],
    )
    return build_encode(description, builders.encode), build_step(description, builders.step)


def test_graphs_have_the_tensors_that_they_state(graphs) -> None:
    for graph in graphs:
        session = onnxruntime.InferenceSession(graph.model.SerializeToString())
        for actual, stated in ((session.get_inputs(), graph.inputs), (session.get_outputs(), graph.outputs)):
            assert [(x.name, tuple(x.shape)) for x in actual] == [(spec.name, spec.shape) for spec in stated]
            types = {"float32": "tensor(float)", "int64": "tensor(int64)", "int32": "tensor(int32)"}
            assert [x.type for x in actual] == [types[spec.dtype] for spec in stated]


def test_outputs_of_encode_are_the_memory_inputs_of_step(graphs) -> None:
    encode, step = graphs
    config = tiny_config()
    assert encode.outputs == memory_specs(config)
    assert set(encode.outputs) <= set(step.inputs)
    outputs = {spec.name: spec.shape for spec in step.outputs}
    for state in state_specs(config):
        assert state.in_place
        assert state.input in step.inputs
        assert outputs[state.output] == state.input.shape


def test_graphs_have_no_control_flow_and_no_repetition(graphs) -> None:
    for graph in graphs:
        operators = {node.op_type for node in graph.model.graph.node}
        assert not operators & {"If", "Loop", "Scan", "Tile", "Expand"}
        assert graph.model.ir_version == IR_VERSION


def test_a_layer_of_the_step_takes_few_nodes() -> None:
    def count(decoder_layers: int) -> int:
        description = description_of(transformer.from_checkpoint(tiny_checkpoint(decoder_layers=decoder_layers)))
        return len(build_step(description, PRECISION_BUILDERS["int8"].step).model.graph.node)

    assert count(3) - count(2) <= 22


def test_an_activation_scale_over_all_rows_is_never_used(graphs) -> None:
    for graph in graphs:
        assert not {node.op_type for node in graph.model.graph.node} & {
            "DynamicQuantizeMatMul",
            "DynamicQuantizeLinear",
        }


def test_a_tied_float_table_is_in_the_file_once(tmp_path) -> None:
    def size(**options: bool) -> int:
        model = transformer.from_checkpoint(tiny_checkpoint(**options))
        bundle = write_tiny_bundle(tmp_path / str(options), model, "float32")
        return (bundle.folder / "float32" / "weights.bin").stat().st_size

    table = description_of(transformer.from_checkpoint(tiny_checkpoint())).embedding
    assert abs(size(tie_embeddings=False) - size(tie_embeddings=True) - table.nbytes) < 256


def test_int8_graphs_are_much_smaller(tmp_path) -> None:
    model = transformer.from_checkpoint(tiny_checkpoint(width=256, feed_forward_width=1024))
    bundle = write_tiny_bundle(tmp_path / "bundle", model, "float32", "int8")
    plain, small = ((bundle.folder / p / "weights.bin").stat().st_size for p in ("float32", "int8"))
    assert small < 0.36 * plain


def test_source_lengths_mask_columns_exactly() -> None:
    description = description_of(transformer.from_checkpoint(tiny_checkpoint()))
    graph = build_step(description, PRECISION_BUILDERS["float32"].step)
    session = onnxruntime.InferenceSession(graph.model.SerializeToString())
    sizes = {"requests": 3, "slots": 3, "source": 9, "capacity": 4}
    rng = np.random.default_rng(0)
    inputs = {
        spec.name: rng.standard_normal([axis if isinstance(axis, int) else sizes[axis] for axis in spec.shape]).astype(
            spec.dtype
        )
        * 1000
        for spec in graph.inputs
    }
    inputs |= {
        "tokens": np.array([5, 6, 7]),
        "lengths": np.array([0, 1, 2], np.int32),
        "total_length": np.array(3, np.int32),
        "source_lengths": np.array([9, 4, 0], np.int32),
        "num_candidates": np.array([2]),
    }
    outputs = dict(zip([spec.name for spec in graph.outputs], session.run(None, inputs), strict=True))
    weights = outputs["cross_attention_1"][:, :, 0]  # [requests, heads, source]
    assert (weights[1, :, 4:] == 0).all()
    assert np.allclose(weights.sum(-1), 1)
    assert all(np.isfinite(outputs[name]).all() for name in ("candidate_logits", "log_normalizer"))


def test_models_load_from_their_files(tmp_path) -> None:
    bundle = write_tiny_bundle(tmp_path / "bundle", transformer.from_checkpoint(tiny_checkpoint()), "int8")
    for graph in (bundle.manifest.variants[0].encode, bundle.manifest.variants[0].step):
        assert graph is not None
        assert graph.external_data == ("int8/weights.bin",)
        assert onnxruntime.InferenceSession(bundle.path(graph.file)).get_inputs()
        inline = [
            x for x in onnx.load(bundle.path(graph.file), load_external_data=False).graph.initializer if x.raw_data
        ]
        assert all(len(tensor.raw_data) < 1024 for tensor in inline)
