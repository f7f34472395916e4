import numpy as np
import onnx
import onnxruntime
import pytest

from regard_export.onnx_graph.builder import GraphBuilder
from regard_export.onnx_graph.weights_file import MIN_BYTES, WeightsFile
from regard_service.bundle import TensorSpec


def _scaled_sum() -> GraphBuilder:
    graph = GraphBuilder("sum")
    x = graph.input(TensorSpec(name="x", dtype="float32", shape=("rows", 3)))
    graph.node("Add", graph.node("Mul", x, graph.constant(np.float32(2))), x, output="y")
    graph.output(TensorSpec(name="y", dtype="float32", shape=("rows", 3)))
    return graph


def test_a_built_model_runs() -> None:
    session = onnxruntime.InferenceSession(_scaled_sum().build().SerializeToString())
    assert np.array_equal(session.run(["y"], {"x": np.ones((2, 3), np.float32)})[0], np.full((2, 3), 3.0))


def test_a_built_model_is_valid_and_names_its_axes() -> None:
    model = _scaled_sum().build()
    onnx.checker.check_model(model)
    assert model.graph.input[0].type.tensor_type.shape.dim[0].dim_param == "rows"
    assert [(opset.domain, opset.version) for opset in model.opset_import] == [("", 21), ("com.microsoft", 1)]


def test_constants_of_equal_bytes_types_and_shapes_are_stored_once() -> None:
    graph = GraphBuilder("constants")
    assert graph.constant(np.arange(3)) == graph.constant(np.arange(3), "another name")
    names = {graph.constant(x) for x in (np.zeros(4, np.int32), np.zeros(4, np.float32), np.zeros((2, 2), np.int32))}
    assert len(names) == 3


def test_values_have_distinct_names() -> None:
    graph = GraphBuilder("names")
    outputs = [*graph.nodes("Split", ["x"], 3), graph.node("Relu", "x"), graph.name_value("Relu")]
    assert len(set(outputs)) == len(outputs)


@pytest.fixture
def table() -> np.ndarray:
    return np.random.default_rng(0).standard_normal((64, 8)).astype(np.float32)


def _table_graph(table: np.ndarray, *shape: int) -> onnx.ModelProto:
    graph = GraphBuilder("table")
    ids = graph.input(TensorSpec(name="ids", dtype="int64", shape=("tokens",)))
    graph.node("Gather", graph.constant(table.reshape(shape), "table"), ids, output="rows")
    graph.output(TensorSpec(name="rows", dtype="float32", shape=("tokens", *shape[1:])))
    return graph.build()


def test_graphs_share_equal_weights_whatever_their_shape(tmp_path, table) -> None:
    models = [_table_graph(table, 64, 8), _table_graph(table, 64, 1, 8)]
    with WeightsFile(tmp_path / "weights.bin") as weights:
        assert [weights.take_from(model) for model in models] == [1, 1]
    assert (tmp_path / "weights.bin").stat().st_size == table.nbytes
    for number, (model, shape) in enumerate(zip(models, [(2, 8), (2, 1, 8)], strict=True)):
        onnx.save_model(model, tmp_path / f"{number}.onnx")
        session = onnxruntime.InferenceSession(tmp_path / f"{number}.onnx")
        rows = session.run(None, {"ids": np.array([5, 63])})[0]
        assert np.array_equal(rows, table[[5, 63]].reshape(shape))


def test_small_constants_stay_in_the_graph(tmp_path) -> None:
    model = _table_graph(np.zeros(MIN_BYTES // 4 - 1, np.float32), -1)
    with WeightsFile(tmp_path / "weights.bin") as weights:
        assert weights.take_from(model) == 0
    assert (tmp_path / "weights.bin").stat().st_size == 0
