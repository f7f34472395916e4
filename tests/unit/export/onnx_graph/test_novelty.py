"""The novelty that a graph computes, against NumPy."""

import numpy as np
import onnxruntime
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from onnx import ModelProto, TensorProto, helper

from regard_export.onnx_graph.novelty import NoveltyModel, add_novelty, pool
from regard_service.bundle import NOVELTY, Dtype, TensorSpec

WIDTHS = {("requests", 2, "source", 3): 6, ("requests", "source", 6): 6, ("requests", 6, "source"): 6}
TENSOR_TYPES = {"float32": TensorProto.FLOAT, "float16": TensorProto.FLOAT16}


def _model(spec: TensorSpec, *, reads_lengths: bool = False) -> ModelProto:
    """An encode graph whose memory is its input."""
    kind, shape = TENSOR_TYPES[spec.dtype], list(spec.shape)
    inputs = [helper.make_tensor_value_info("x", kind, shape)]
    if reads_lengths:
        inputs.append(helper.make_tensor_value_info("source_lengths", TensorProto.INT32, ["requests"]))
    node = helper.make_node("Identity", ["x"], [spec.name])
    outputs = [helper.make_tensor_value_info(spec.name, kind, shape)]
    graph = helper.make_graph([node], "encode", inputs, outputs)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 21)], ir_version=10)


def _learned(spec: TensorSpec, rng: np.random.Generator) -> NoveltyModel:
    width = WIDTHS[spec.shape]
    return NoveltyModel(
        spec, rng.normal(size=width).astype(np.float32), rng.normal(size=(width, width)).astype(np.float32)
    )


def _run(model: ModelProto, **inputs: np.ndarray) -> np.ndarray:
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    found: np.ndarray = session.run([NOVELTY], inputs)[0]
    return found


@settings(max_examples=25, deadline=None)
@given(
    shape=st.sampled_from(list(WIDTHS)),
    lengths=st.lists(st.integers(1, 7), min_size=1, max_size=5),
    reads_lengths=st.booleans(),
    seed=st.integers(0, 2**16),
)
def test_it_is_that_of_each_row_without_its_padding(
    shape: tuple[int | str, ...], lengths: list[int], reads_lengths: bool, seed: int
) -> None:
    rng, spec = np.random.default_rng(seed), TensorSpec(name="values", dtype="float32", shape=shape)
    sizes = {"requests": len(lengths), "source": max(lengths)}
    memory = rng.normal(size=[sizes[axis] if isinstance(axis, str) else axis for axis in shape]).astype(np.float32)
    axis, learned, model = shape.index("source"), _learned(spec, rng), _model(spec, reads_lengths=reads_lengths)
    add_novelty(model, learned, has_lengths=True)
    found = _run(model, x=memory, source_lengths=np.array(lengths, np.int32))
    np.testing.assert_allclose(found, learned.novelty(pool(memory, axis, np.array(lengths))), atol=1e-4)
    behind = np.moveaxis(memory.copy(), axis, 1)
    for row, length in enumerate(lengths):
        behind[row, length:] = 1e6
    other = _run(model, x=np.moveaxis(behind, 1, axis).copy(), source_lengths=np.array(lengths, np.int32))
    np.testing.assert_array_equal(found, other)


@pytest.mark.parametrize("dtype", ["float32", "float16"])
def test_pictures_are_all_equally_long(dtype: Dtype) -> None:
    rng, spec = np.random.default_rng(0), TensorSpec(name="values", dtype=dtype, shape=("requests", 2, "source", 3))
    memory = rng.normal(size=(3, 2, 4, 3)).astype(dtype)
    learned, model = _learned(spec, rng), _model(spec)
    add_novelty(model, learned, has_lengths=False)
    expected = learned.novelty(pool(memory.astype(np.float32), 2, np.array([4, 4, 4])))
    np.testing.assert_allclose(_run(model, x=memory), expected, atol=1e-4)


def test_the_mean_itself_is_finite() -> None:
    spec = TensorSpec(name="values", dtype="float32", shape=("requests", "source", 6))
    learned = NoveltyModel(spec, np.ones(6, np.float32), np.eye(6, dtype=np.float32))
    model = _model(spec)
    add_novelty(model, learned, has_lengths=False)
    assert np.isfinite(_run(model, x=np.ones((1, 2, 6), np.float32))).all()
