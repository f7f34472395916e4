"""trace.onnx of a student. SSRU layers attend to nothing: with them, there are no maps of the decoder's own."""

import numpy as np
import onnx
from onnx import helper

from regard.arrays import Float32Array
from regard_export.architectures.student_step import ssru_gates, with_checkpoint_int8, zero_first_rows
from regard_export.architectures.traced_layers import TracedLayers
from regard_export.architectures.transformer_encode import TextEncoder
from regard_export.descriptions.layers import Linear
from regard_export.descriptions.student import StudentDescription
from regard_export.onnx_graph.builder import GraphBuilder
from regard_export.onnx_graph.contract import BuiltGraph
from regard_export.precision.layer_builders import LayerBuilders, PrecisionBuilders
from regard_models.nets.transformer_config import Side
from regard_service.bundle import TensorSpec


def build_student_trace(description: StudentDescription, builders: PrecisionBuilders) -> BuiltGraph:
    """Builds encoder and decoder over whole sequences, one source and one target."""
    graph = GraphBuilder("trace")
    states = TextEncoder(description).add_traced_to(graph, builders.encode)
    target = graph.input(TensorSpec(name="target_ids", dtype="int64", shape=("target",)))
    memory = TracedLayers(graph, description, builders.encode, "decoder").memory(states)  # projected as in encode.onnx
    layers = _TracedDecoder(graph, description, builders.step)
    states = layers.decode(layers.embed("decoder", layers.table, target, layers.positions(target)), target, memory)
    layers.output_logprobs(states)
    return BuiltGraph(graph.build(), tuple(graph.inputs), tuple(graph.outputs))


class _TracedDecoder(TracedLayers):
    def __init__(self, graph: GraphBuilder, description: StudentDescription, builders: LayerBuilders) -> None:
        super().__init__(graph, description, builders, "decoder")
        self.student = description

    def embed(self, side: Side, table: Float32Array, ids: str, positions: str) -> str:
        is_first = self.graph.node("Equal", positions, self.graph.constant(np.int32(0)))
        rows = zero_first_rows(self.graph, is_first, self.builders.embed(self.graph, table, ids), rank=2)
        codes = self.graph.constant(self.student.positions(side), "positions")
        return self.graph.node("Add", rows, self.graph.node("Gather", codes, positions))

    @property
    def projection(self) -> Linear:
        """As a transformer's, with the checkpoint's 8-bit numbers."""
        return with_checkpoint_int8(super().projection, self.student, self.embedding_scale)

    def self_attention(self, name: str, x: str, *, bias: str) -> str:
        """Adds self-attention, or the SSRU in its place."""
        if self.student.cell == "self-attention":
            return super().self_attention(name, x, bias=bias)
        layer = int(name.split(".")[1])
        forget, candidate = ssru_gates(self.graph, self.linear(x, self.student.ssru(layer)))
        start = self.graph.constant(np.zeros(self.config.width, np.float32))
        _, cells = self.graph.nodes(
            "Scan", [start, forget, candidate], 2, body=_ssru_body(self.config.width), num_scan_inputs=2
        )
        return self.graph.node("Relu", cells)


def _ssru_body(width: int) -> onnx.GraphProto:
    """One position: c' = W x + f (c - W x)."""

    def vector(name: str) -> onnx.ValueInfoProto:
        return helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, [width])

    nodes = [
        helper.make_node("Sub", ["cell", "candidate"], ["difference"]),
        helper.make_node("Mul", ["forget", "difference"], ["change"]),
        helper.make_node("Add", ["candidate", "change"], ["next_cell"]),
        helper.make_node("Identity", ["next_cell"], ["output"]),
    ]
    inputs = [vector(name) for name in ("cell", "forget", "candidate")]
    return helper.make_graph(nodes, "ssru", inputs, [vector("next_cell"), vector("output")])
