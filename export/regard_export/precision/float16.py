"""A graph in float16: weights, memory and state half as large; what search reads stays float32.

Drawn in float32 like every graph and converted here, so that nobody who draws one has to think of it. Logits become
float32 before they are ranked: half a thousandth of a logit of 30 would reorder candidates.
"""

from dataclasses import replace

import numpy as np
import onnx
from onnx import helper, numpy_helper
from regard_service.bundle import TensorSpec

from regard_export.onnx_graph.contract import Graph

FLOAT, HALF = onnx.TensorProto.FLOAT, onnx.TensorProto.FLOAT16
# Scores that hide a column are larger than any number of float16; the sum of this and a score is not.
MOST_NEGATIVE = -30_000.0
RANKING = ("TopK", "LogSoftmax")  # from here on float32
KEPT = ("cross_attention_", "encoder_attention", "decoder_attention", "candidate_", "log_normalizer")  # outputs
PIXELS = "pixels"  # the input that stays float32, as the server reads pictures for every precision


def to_float16(graph: Graph) -> Graph:
    """Converts a graph in place.

    Inputs and outputs of float32 become float16, but for pixels and what search or a caller reads.
    """
    model = graph.model
    for tensor in model.graph.initializer:
        if tensor.data_type == FLOAT:
            tensor.CopyFrom(numpy_helper.from_array(_halved(numpy_helper.to_array(tensor)), tensor.name))
    nodes = _ranked_in_float32(list(model.graph.node))
    nodes = [*_kept_inputs(nodes, graph.inputs), *nodes, *_kept_outputs(nodes, graph.outputs)]
    del model.graph.node[:]
    model.graph.node.extend(nodes)
    inputs = tuple(spec if spec.name == PIXELS else _half(spec) for spec in graph.inputs)
    outputs = tuple(spec if spec.name.startswith(KEPT) else _half(spec) for spec in graph.outputs)
    for values, specs in ((model.graph.input, inputs), (model.graph.output, outputs)):
        for value, spec in zip(values, specs, strict=True):
            value.type.tensor_type.elem_type = helper.np_dtype_to_tensor_dtype(np.dtype(spec.dtype))
    return replace(graph, inputs=inputs, outputs=outputs)


def _halved(array: np.ndarray) -> np.ndarray:
    finite = np.isfinite(array)
    return np.where(finite, np.clip(array, MOST_NEGATIVE, None), array).astype(np.float16)


def _half(spec: TensorSpec) -> TensorSpec:
    return spec.model_copy(update={"dtype": "float16"}) if spec.dtype == "float32" else spec


def _ranked_in_float32(nodes: list[onnx.NodeProto]) -> list[onnx.NodeProto]:
    """The nodes, with logits cast where they are ranked, and casts to float32 made casts to float16."""
    result: list[onnx.NodeProto] = []
    casts: dict[str, str] = {}
    for node in nodes:
        if node.op_type == "Cast" and node.attribute[0].i == FLOAT:
            node.attribute[0].i = HALF
        if node.op_type in RANKING:
            logits = node.input[0]
            if logits not in casts:
                casts[logits] = f"{logits}:float32"
                result.append(helper.make_node("Cast", [logits], [casts[logits]], to=FLOAT))
            node.input[0] = casts[logits]
        elif any(name in casts for name in node.input):  # reads logits beside the ranking
            node.input[:] = [casts.get(name, name) for name in node.input]
        result.append(node)
    return result


def _kept_inputs(nodes: list[onnx.NodeProto], inputs: tuple[TensorSpec, ...]) -> list[onnx.NodeProto]:
    """Casts for inputs that stay float32, whose readers take the cast's output."""
    if PIXELS not in {spec.name for spec in inputs}:
        return []
    for node in nodes:
        node.input[:] = [f"{PIXELS}:float16" if name == PIXELS else name for name in node.input]
    return [helper.make_node("Cast", [PIXELS], [f"{PIXELS}:float16"], to=HALF)]


def _kept_outputs(nodes: list[onnx.NodeProto], outputs: tuple[TensorSpec, ...]) -> list[onnx.NodeProto]:
    """Casts for outputs that stay float32 but are computed in float16, whose own values get another name."""
    computed = {s.name for s in outputs if s.name.startswith(KEPT) and not s.name.startswith(("candidate_", "log_"))}
    for node in nodes:
        for names in (node.input, node.output):
            names[:] = [f"{name}:float16" if name in computed else name for name in names]
    return [helper.make_node("Cast", [f"{name}:float16"], [name], to=FLOAT) for name in sorted(computed)]
