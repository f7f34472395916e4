from collections.abc import Callable
from functools import partial

import numpy as np
import onnxruntime
import pytest

from regard_export.descriptions.layers import Linear
from regard_export.errors import ExportError
from regard_export.onnx_graph.builder import GraphBuilder
from regard_export.precision.float_layers import float_embed, float_head, float_linear
from regard_export.precision.layer_builders import LinearBuilder
from regard_export.precision.quantization import (
    MAX_8BIT_WEIGHT,
    ActivationRange,
    block_size,
    quantize_blocks_4bit,
    quantize_blocks_8bit,
    quantize_per_output,
)
from regard_export.precision.quantized_layers import (
    block_embed,
    block_linear_4bit,
    block_linear_8bit,
    dynamic_head,
    dynamic_linear,
    quantized_embed,
    static_head,
    static_linear,
)
from regard_service.bundle import TensorSpec

ranged_linear = partial(static_linear, activation_range=ActivationRange(-5.0, 4.5))


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(0)


def _run(build: Callable[[GraphBuilder, str], str], spec: TensorSpec, value: np.ndarray) -> np.ndarray:
    """Runs a graph of one input."""
    graph = GraphBuilder("one")
    result = build(graph, graph.input(spec))
    graph.node("Identity", result, output="y")
    graph.output(TensorSpec(name="y", dtype="float32", shape=("a", "b", "c")[: value.ndim]))
    model = graph.build()
    model.graph.output[0].type.tensor_type.ClearField("shape")
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(model.SerializeToString(), options)
    output: np.ndarray = session.run(None, {spec.name: value})[0]
    return output


def _product(add: LinearBuilder, layer: Linear, x: np.ndarray) -> np.ndarray:
    spec = TensorSpec(name="x", dtype="float32", shape=("a", "b", "c")[: x.ndim])
    return _run(lambda graph, name: add(graph, name, layer), spec, x)


def _layer(rng: np.random.Generator, out: int, width: int, *, bias: bool = True) -> Linear:
    weight = rng.standard_normal((out, width)).astype(np.float32)
    return Linear("layer", weight, rng.standard_normal(out).astype(np.float32) if bias else None)


@pytest.mark.parametrize("add", [float_linear, float_head])
@pytest.mark.parametrize("bias", [True, False])
def test_float_layers_are_exact(rng, add: LinearBuilder, bias: bool) -> None:
    layer, x = _layer(rng, 5, 8, bias=bias), rng.standard_normal((3, 8)).astype(np.float32)
    expected = x @ layer.weight.T + (layer.bias if bias else 0)
    assert np.allclose(_product(add, layer, x), expected, atol=1e-5)


def _stored(weight: np.ndarray) -> np.ndarray:
    """The weight after quantization with a scale per output; another test bounds its error."""
    quantized, scales = quantize_per_output(weight)
    return (quantized * scales).T


@pytest.mark.parametrize("add", [block_linear_8bit, dynamic_linear, ranged_linear])
@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("shape", [(7, 128), (7, 1, 128)])
def test_8_bit_layers_are_close(rng, add: LinearBuilder, bias: bool, shape: tuple[int, ...]) -> None:
    layer, x = _layer(rng, 48, 128, bias=bias), rng.standard_normal(shape).astype(np.float32)
    weight = layer.weight if add is block_linear_8bit else _stored(layer.weight)
    expected = x @ weight.T + (layer.bias if bias else 0)
    actual = _product(add, layer, x)
    assert actual.shape == expected.shape
    assert np.abs(actual - expected).max() < 0.05 * expected.std()


@pytest.mark.parametrize("add", [block_linear_8bit, dynamic_linear, ranged_linear, block_linear_4bit])
@pytest.mark.parametrize("width", [48, 128, 256])
def test_a_row_depends_on_no_other(rng, add: LinearBuilder, width: int) -> None:
    layer, x = _layer(rng, 96, width), rng.standard_normal((33, width)).astype(np.float32)
    alone = _product(add, layer, x[:1])
    x[1:11], x[11:22], x[22:] = np.nan, np.inf, 1e30
    assert np.array_equal(_product(add, layer, x)[:1], alone)


@pytest.mark.parametrize("add", [block_linear_8bit, dynamic_linear, ranged_linear, block_linear_4bit])
@pytest.mark.parametrize("width", [64, 512])
def test_no_row_of_a_batch_depends_on_its_size(rng, add: LinearBuilder, width: int) -> None:
    """Kernels compute two or four rows at a time; a remaining row gets the same result."""
    layer, x = _layer(rng, 96, width), rng.standard_normal((9, width)).astype(np.float32)
    alone = np.concatenate([_product(add, layer, row[None]) for row in x])
    for size in (2, 3, 4, 5, 9):
        assert np.array_equal(_product(add, layer, x[:size]), alone[:size])


@pytest.mark.parametrize("add", [block_linear_8bit, dynamic_linear, ranged_linear])
def test_a_row_of_zeros_gives_the_bias(rng, add: LinearBuilder) -> None:
    layer = _layer(rng, 16, 64)
    assert layer.bias is not None
    assert np.allclose(_product(add, layer, np.zeros((2, 64), np.float32)), layer.bias)


def test_inputs_outside_of_a_static_range_are_clipped(rng) -> None:
    layer, x = _layer(rng, 16, 64), rng.standard_normal((3, 64)).astype(np.float32) * 3
    cut = _product(partial(static_linear, activation_range=ActivationRange(-1.0, 2.0)), layer, x)
    expected = np.clip(x, -1, 2) @ layer.weight.T + layer.bias
    assert np.abs(cut - expected).max() < 0.05 * expected.std()


@pytest.mark.parametrize(
    "activation_range",
    [ActivationRange(0.0, 8.0), ActivationRange(2.0, 8.0), ActivationRange(-8.0, -2.0), ActivationRange(0.0, 0.0)],
)
def test_zero_is_exact_in_every_range(rng, activation_range: ActivationRange) -> None:
    layer = _layer(rng, 16, 64)
    step, zero = activation_range.quantization()
    assert step > 0
    assert 0 <= zero <= 255
    assert layer.bias is not None
    assert np.allclose(
        _product(partial(static_linear, activation_range=activation_range), layer, np.zeros((2, 64), np.float32)),
        layer.bias,
    )


def test_the_error_of_blocks_is_at_most_half_a_step(rng) -> None:
    weight = rng.standard_normal((5, 2, 96)).astype(np.float32)
    quantized, scales = quantize_blocks_8bit(weight)
    assert (quantized.shape, scales.shape) == ((5, 2, 3, 32), (5, 2, 3))
    restored = (scales[..., None] * (quantized.astype(np.float32) - 128)).reshape(weight.shape)
    assert (np.abs(restored - weight) <= np.repeat(scales, 32, axis=-1) * 0.501).all()


def test_the_error_per_output_is_at_most_half_a_step(rng) -> None:
    weight = rng.standard_normal((5, 30)).astype(np.float32)
    quantized, scales = quantize_per_output(weight)
    assert (quantized.shape, quantized.dtype, scales.shape) == ((30, 5), np.dtype(np.int8), (5,))
    assert (np.abs(quantized.T * scales[:, None] - weight) <= scales[:, None] * 0.501).all()


@pytest.mark.parametrize("add", [dynamic_linear, ranged_linear])
def test_products_of_the_largest_numbers_do_not_overflow(add: LinearBuilder) -> None:
    """On CPUs without VNNI two products are summed in 16 bits, for which sessions need no special option."""
    layer = Linear("largest", np.ones((16, 64), np.float32))
    x = np.full((3, 64), 4.5, np.float32)
    assert np.allclose(_product(add, layer, x), 64 * 4.5, rtol=5e-3)


def test_4_bit_layers_are_close(rng) -> None:
    layer, x = _layer(rng, 48, 128), rng.standard_normal((7, 128)).astype(np.float32)
    expected = x @ layer.weight.T + layer.bias
    assert np.abs(_product(block_linear_4bit, layer, x) - expected).mean() < 0.12 * expected.std()


def test_the_error_of_4_bit_blocks_is_half_a_step_except_at_plus_8(rng) -> None:
    weight = rng.standard_normal((5, 96)).astype(np.float32)
    weight[0, :32] = 0
    quantized, scales = quantize_blocks_4bit(weight, 32)
    assert (quantized.shape, scales.shape) == ((5, 3, 16), (5, 3))
    numbers = np.stack([quantized & 15, quantized >> 4], axis=-1).reshape(5, 3, 32).astype(np.float32) - 8
    error = np.abs(numbers * scales[..., None] - weight.reshape(5, 3, 32))
    assert (error <= np.abs(scales[..., None]) * 1.001).all()  # a whole step for numbers that +8 would represent
    assert (error > np.abs(scales[..., None]) * 0.501).mean() < 0.05
    assert (numbers[0, 0] == 0).all()


def test_a_large_tied_table_is_stored_once(rng, monkeypatch) -> None:
    monkeypatch.setattr("regard_export.precision.quantized_layers.MIN_SHARED_TABLE_SIZE", 64)
    table = rng.standard_normal((50, 64)).astype(np.float32)
    x = rng.standard_normal((3, 64)).astype(np.float32)
    expected = x @ _stored(table).T
    for add in (dynamic_head, partial(static_head, activation_range=ActivationRange(-5.0, 5.0))):
        assert np.abs(_product(add, Linear("head", table), x) - expected).max() < 0.05 * expected.std()
    ids, chosen = TensorSpec(name="ids", dtype="int64", shape=("tokens",)), table[[3, 0, 49]]

    def embedded(shape: tuple[int, ...]) -> np.ndarray:
        return _run(lambda graph, name: quantized_embed(graph, table.reshape(shape), name), ids, np.array([3, 0, 49]))

    for shape in ((50, 64), (50, 1, 64)):
        rows = embedded(shape)
        assert rows.shape == (3, *shape[1:])
        assert (
            np.abs(rows.reshape(3, 64) - chosen) <= np.abs(chosen).max(-1, keepdims=True) / MAX_8BIT_WEIGHT * 0.501
        ).all()
    graph = GraphBuilder("both")
    dynamic_head(graph, graph.input(TensorSpec(name="x", dtype="float32", shape=("a", 64))), Linear("head", table))
    quantized_embed(graph, table, graph.input(ids))
    assert sum(len(tensor.raw_data) == table.size for tensor in graph.build().graph.initializer) == 1


def test_weights_of_zero_stay_zero() -> None:
    quantized, scales = quantize_blocks_8bit(np.zeros((2, 32), np.float32))
    assert (quantized == 128).all()
    assert np.isfinite(scales).all()


def test_the_embedding_reads_the_bytes_of_the_blocks(rng) -> None:
    table = rng.standard_normal((50, 1, 64)).astype(np.float32)
    quantized, scales = quantize_blocks_8bit(table)
    ids = TensorSpec(name="ids", dtype="int64", shape=("tokens",))
    rows = _run(lambda graph, name: block_embed(graph, table, name), ids, np.array([3, 0, 49]))
    restored = (scales[..., None] * (quantized.astype(np.float32) - 128)).reshape(table.shape)
    assert np.allclose(rows, restored[[3, 0, 49]], atol=1e-6)
    exact = _run(lambda graph, name: float_embed(graph, table, name), ids, np.array([3, 0, 49]))
    assert np.array_equal(exact, table[[3, 0, 49]])


@pytest.mark.parametrize(("width", "size"), [(256, 64), (512, 64), (96, 32), (48, 16)])
def test_the_block_size_is_the_largest_that_divides_the_width(width: int, size: int) -> None:
    assert block_size(width) == size


def test_widths_without_a_block_are_refused() -> None:
    with pytest.raises(ExportError, match="multiples of 16, not 40"):
        block_size(40)


def test_joined_layers_keep_their_order_and_scaled_ones_their_bias(rng) -> None:
    layers = [_layer(rng, 2, 4), _layer(rng, 3, 4)]
    joined = Linear.joined("both", layers)
    assert np.array_equal(joined.weight, np.concatenate([layer.weight for layer in layers]))
    assert joined.bias is not None
    assert np.array_equal(joined.bias, np.concatenate([layer.bias for layer in layers]))
    scaled = joined.scaled(0.5)
    assert scaled.bias is not None
    assert np.allclose(scaled.bias, joined.bias / 2)
    assert Linear.joined("none", [_layer(rng, 2, 4, bias=False)]).bias is None
