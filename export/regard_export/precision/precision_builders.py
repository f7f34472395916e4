"""Which layers each precision's graphs consist of."""

from collections.abc import Mapping
from dataclasses import replace

from regard_export.descriptions.layers import Linear
from regard_export.onnx_graph.builder import GraphBuilder
from regard_export.precision.float_layers import float_embed, float_head, float_linear
from regard_export.precision.layer_builders import LayerBuilders, PrecisionBuilders
from regard_export.precision.listed_heads import FloatList, Int8List
from regard_export.precision.quantization import ActivationRange
from regard_export.precision.quantized_layers import (
    block_linear_4bit,
    block_linear_8bit,
    dynamic_head,
    dynamic_linear,
    quantized_embed,
    static_head,
    static_linear,
)
from regard_service.bundle import Precision

_FLOAT = LayerBuilders(float_linear, float_head, float_embed)
_FLOAT_STEP = replace(_FLOAT, listed=FloatList())
# Graphs of float16 are built in float32 and converted by `precision/float16.py`.
_FLOAT16 = replace(_FLOAT, is_ranking_grouped=False)
_MANY_ROWS = LayerBuilders(dynamic_linear, dynamic_head, quantized_embed)
_FEW_ROWS = LayerBuilders(block_linear_8bit, dynamic_head, quantized_embed, listed=Int8List(is_narrow=True))

PRECISION_BUILDERS: dict[Precision, PrecisionBuilders] = {
    "float32": PrecisionBuilders(_FLOAT, _FLOAT_STEP),
    "float16": PrecisionBuilders(_FLOAT, _FLOAT16),
    "int8": PrecisionBuilders(_MANY_ROWS, _FEW_ROWS),
    "int4": PrecisionBuilders(_MANY_ROWS, replace(_FEW_ROWS, linear=block_linear_4bit)),
}

CALIBRATED_PRECISIONS: tuple[Precision, ...] = ("int8",)
"""Precisions that are faster where the ranges of their layers' inputs are known."""


def builders_for(precision: Precision, ranges: Mapping[str, ActivationRange]) -> PrecisionBuilders:
    """A precision's builders; a calibrated precision quantizes the inputs of layers with known ranges statically.

    Args:
        ranges: of layers' inputs, by the layers' names.
    """
    builders = PRECISION_BUILDERS[precision]
    if precision not in CALIBRATED_PRECISIONS:
        return builders
    return PrecisionBuilders(_with_ranges(builders.encode, ranges), _with_ranges(builders.step, ranges))


def _with_ranges(builders: LayerBuilders, ranges: Mapping[str, ActivationRange]) -> LayerBuilders:
    def linear(graph: GraphBuilder, x: str, layer: Linear) -> str:
        found = ranges.get(layer.name)
        return builders.linear(graph, x, layer) if found is None else static_linear(graph, x, layer, found)

    def head(graph: GraphBuilder, x: str, layer: Linear) -> str:
        found = ranges.get(layer.name)
        return builders.head(graph, x, layer) if found is None else static_head(graph, x, layer, found)

    listed = None if builders.listed is None else Int8List(is_narrow=True, ranges=ranges)
    return LayerBuilders(linear, head, builders.embed, listed=listed)
