"""The projection to a list of words instead of the whole vocabulary.

The list changes as requests join a batch, so its weights are inputs of the step graph. Another graph selects them.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
import onnx

from regard_export.descriptions.layers import Linear
from regard_export.onnx_graph.builder import GraphBuilder
from regard_export.precision.quantization import ActivationRange
from regard_export.precision.quantized_layers import ROW_ZERO, per_output, quantized_rows
from regard_service.bundle import Dtype, TensorSpec

LIST_IDS = TensorSpec(name="list_ids", dtype="int64", shape=("words",))
LIST_BIAS = TensorSpec(name="list_bias", dtype="float32", shape=("slots", "words"))
LIST_WORD_BIAS = "list_word_bias"  # of the select graph: float32 [words]
_WEIGHT, _SCALES = "list_weight", "list_scales"
_ZERO = np.uint8(128)


class FloatList:
    """The projection in float32, a `ListedHead`."""

    def select(self, graph: GraphBuilder, layer: Linear, ids: str) -> None:
        """Adds the words' rows, transposed."""
        rows = graph.node("Gather", graph.constant(layer.weight, layer.name), ids, axis=0)
        graph.node("Transpose", rows, perm=[1, 0], output=_WEIGHT)
        graph.output(_weight(layer.weight.shape[1], "float32"))
        _select_bias(graph, layer, ids)

    def project(self, graph: GraphBuilder, x: str, layer: Linear) -> str:
        """Adds the product."""
        return graph.node("MatMul", x, graph.input(_weight(layer.weight.shape[1], "float32")))


@dataclass(frozen=True)
class Int8List:
    """The projection in 8 bits, a `ListedHead`, as `dynamic_head` computes it, or `static_head`.

    Attributes:
        is_narrow: no weight exceeds 63: sums of two products of uint8 and int8 fit in 16 bits on every CPU. Otherwise
            weights are uint8 with the zero point 128: products of two uint8 are exact on every CPU, while others
            overflow where VNNI instructions are missing.
        ranges: of layers' inputs, by the layers' names; the inputs of others have a scale per row.
    """

    is_narrow: bool = False
    ranges: Mapping[str, ActivationRange] = field(default_factory=dict)

    def select(self, graph: GraphBuilder, layer: Linear, ids: str) -> None:
        """Adds the words' rows, transposed, and their scales."""
        quantized, scales = per_output(layer)  # int8 [in, out]
        rows = graph.node("Gather", graph.constant(quantized.T, f"{layer.name}.outputs"), ids, axis=0)
        if not self.is_narrow:
            numbers = graph.node("Cast", rows, to=onnx.TensorProto.INT32)
            moved = graph.node("Add", numbers, graph.constant(np.int32(_ZERO)))
            rows = graph.node("Cast", moved, to=onnx.TensorProto.UINT8)
        graph.node("Transpose", rows, perm=[1, 0], output=_WEIGHT)
        graph.output(self._weight(layer))
        graph.node("Gather", graph.constant(scales, f"{layer.name}.outputs.scales"), ids, output=_SCALES)
        graph.output(_scales())
        _select_bias(graph, layer, ids)

    def project(self, graph: GraphBuilder, x: str, layer: Linear) -> str:
        """Adds the product."""
        weight, scales = graph.input(self._weight(layer)), graph.input(_scales())
        weight_zero = graph.constant(np.int8(0) if self.is_narrow else _ZERO)
        found = self.ranges.get(layer.name)
        if found is not None:
            unit, zero = (graph.constant(value) for value in found.quantization())
            rows = graph.node("QuantizeLinear", x, unit, zero)
            return graph.node("com.microsoft.MatMulIntegerToFloat", rows, weight, unit, scales, zero, weight_zero)
        rows, unit, largest = quantized_rows(graph, x)
        zeros = graph.constant(ROW_ZERO), weight_zero
        y = graph.node("com.microsoft.MatMulIntegerToFloat", rows, weight, unit, scales, *zeros)
        return graph.node("Mul", y, largest)

    def _weight(self, layer: Linear) -> TensorSpec:
        return _weight(layer.weight.shape[1], "int8" if self.is_narrow else "uint8")


def _select_bias(graph: GraphBuilder, layer: Linear, ids: str) -> None:
    bias = np.zeros(len(layer.weight), np.float32) if layer.bias is None else layer.bias
    graph.node("Gather", graph.constant(bias, f"{layer.name}.bias"), ids, output=LIST_WORD_BIAS)
    graph.output(TensorSpec(name=LIST_WORD_BIAS, dtype="float32", shape=("words",)))


def _weight(width: int, dtype: Dtype) -> TensorSpec:
    return TensorSpec(name=_WEIGHT, dtype=dtype, shape=(width, "words"))


def _scales() -> TensorSpec:
    return TensorSpec(name=_SCALES, dtype="float32", shape=("words",))
