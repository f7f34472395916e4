"""Converts a graph to float16: weights, memory and state take half the size; what search reads stays float32.

Graphs are built in float32 and converted here, so that no architecture has to know about float16. Logits become
float32 before they are ranked: half a thousandth of a logit of 30 would reorder candidates.
"""

from dataclasses import replace

import numpy as np
import onnx
from onnx import helper, numpy_helper

from regard_export.onnx_graph.contract import BuiltGraph
from regard_service.bundle import TensorSpec

FLOAT32, FLOAT16 = onnx.TensorProto.FLOAT, onnx.TensorProto.FLOAT16
# `MASKED_SCORE` exceeds the range of float16; the sum of this and a score does not.
MIN_FLOAT16_CONSTANT = -30_000.0
RANKING_OPERATORS = ("TopK", "LogSoftmax")  # read float32, as does everything after them
FLOAT32_CONSTANTS = ("banned_tokens",)  # are added to ranked logits
# Prefixes of outputs that stay float32.
RANKED_OUTPUTS = ("candidate_", "log_normalizer")
ATTENTION_OUTPUTS = ("cross_attention_", "encoder_attention", "decoder_attention")
PIXELS = "pixels"  # the input that stays float32: the server reads pictures alike for every precision


def to_float16(graph: BuiltGraph) -> BuiltGraph:
    """Converts a graph in place.

    Inputs and outputs of float32 become float16, except for pixels and for what search or a caller reads.
    """
    model = graph.model
    for tensor in model.graph.initializer:
        if tensor.data_type == FLOAT32 and not tensor.name.startswith(FLOAT32_CONSTANTS):
            tensor.CopyFrom(numpy_helper.from_array(_constant_to_float16(numpy_helper.to_array(tensor)), tensor.name))
    nodes = _rank_in_float32(list(model.graph.node))
    nodes = [*_cast_pixels(nodes, graph.inputs), *nodes, *_cast_attention(nodes, graph.outputs)]
    del model.graph.node[:]
    model.graph.node.extend(nodes)
    is_float32 = (*RANKED_OUTPUTS, *ATTENTION_OUTPUTS)
    inputs = tuple(spec if spec.name == PIXELS else _spec_to_float16(spec) for spec in graph.inputs)
    outputs = tuple(spec if spec.name.startswith(is_float32) else _spec_to_float16(spec) for spec in graph.outputs)
    for values, specs in ((model.graph.input, inputs), (model.graph.output, outputs)):
        for value, spec in zip(values, specs, strict=True):
            value.type.tensor_type.elem_type = helper.np_dtype_to_tensor_dtype(np.dtype(spec.dtype))
    return replace(graph, inputs=inputs, outputs=outputs)


def _constant_to_float16(array: np.ndarray) -> np.ndarray:
    is_finite = np.isfinite(array)
    return np.where(is_finite, np.clip(array, MIN_FLOAT16_CONSTANT, None), array).astype(np.float16)


def _spec_to_float16(spec: TensorSpec) -> TensorSpec:
    return spec.model_copy(update={"dtype": "float16"}) if spec.dtype == "float32" else spec


def _rank_in_float32(nodes: list[onnx.NodeProto]) -> list[onnx.NodeProto]:
    """Inserts casts of the logits before they are ranked; the graph's own casts to float32 become casts to float16."""
    result: list[onnx.NodeProto] = []
    casts: dict[str, str] = {}
    for node in nodes:
        if node.op_type == "Cast" and node.attribute[0].i == FLOAT32:
            node.attribute[0].i = FLOAT16
        if node.op_type in RANKING_OPERATORS:
            logits = node.input[0]
            if logits not in casts:
                casts[logits] = f"{logits}:float32"
                result.append(helper.make_node("Cast", [logits], [casts[logits]], to=FLOAT32))
            node.input[0] = casts[logits]
        elif any(name in casts for name in node.input):  # reads logits beside the ranking
            node.input[:] = [casts.get(name, name) for name in node.input]
        result.append(node)
    return result


def _cast_pixels(nodes: list[onnx.NodeProto], inputs: tuple[TensorSpec, ...]) -> list[onnx.NodeProto]:
    """The cast of the pixels, if the graph reads any; makes the nodes read the cast's output."""
    if PIXELS not in {spec.name for spec in inputs}:
        return []
    for node in nodes:
        node.input[:] = [f"{PIXELS}:float16" if name == PIXELS else name for name in node.input]
    return [helper.make_node("Cast", [PIXELS], [f"{PIXELS}:float16"], to=FLOAT16)]


def _cast_attention(nodes: list[onnx.NodeProto], outputs: tuple[TensorSpec, ...]) -> list[onnx.NodeProto]:
    """Casts of the attention that the graph outputs; renames the float16 values that the nodes compute."""
    cast = {spec.name for spec in outputs if spec.name.startswith(ATTENTION_OUTPUTS)}
    for node in nodes:
        for names in (node.input, node.output):
            names[:] = [f"{name}:float16" if name in cast else name for name in names]
    return [helper.make_node("Cast", [f"{name}:float16"], [name], to=FLOAT32) for name in sorted(cast)]
