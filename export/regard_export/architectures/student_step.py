"""step.onnx of a student: SSRU layers (Kim et al. 2019) or self-attention, and zeros at the first position."""

from dataclasses import replace

import numpy as np

from regard.arrays import Float32Array
from regard_export.architectures.transformer_step import StepGraph
from regard_export.architectures.transformer_tensors import state_specs
from regard_export.descriptions.layers import Linear
from regard_export.descriptions.student import StudentDescription
from regard_export.onnx_graph.builder import GraphBuilder
from regard_export.precision.layer_builders import LayerBuilders
from regard_models.nets.transformer_config import Side
from regard_service.bundle import StateSpec, TensorSpec


class StudentStepGraph(StepGraph):
    """A transformer's step whose layers may have SSRUs: their state is one vector per layer, and starts as zeros."""

    def __init__(self, description: StudentDescription, builders: LayerBuilders, *, is_listed: bool = False) -> None:
        self.student = description
        super().__init__(description, builders, description.config.max_positions, is_listed=is_listed)

    @property
    def state(self) -> tuple[StateSpec, ...]:
        """Vectors of SSRU layers, or self KV caches."""
        return student_state(self.student)

    def embed(self, side: Side, table: Float32Array, ids: str, positions: str) -> str:
        """As a transformer's, with zeros in place of the first token's embedding."""
        is_first = self.graph.node("Equal", positions, self.graph.constant(np.int32(0)))
        rows = zero_first_rows(self.graph, is_first, self.builders.embed(self.graph, table, ids), rank=3)
        codes = self.graph.constant(self.student.positions(side)[:, None], "positions")
        return self.graph.node("Add", rows, self.graph.node("Gather", codes, positions))

    def first_sublayer(self, layer: int, x: str) -> str:
        """Adds an SSRU, c' = f c + (1 - f) W x = W x + f (c - W x), whose update is relu(c'); or self-attention."""
        if self.student.cell == "self-attention":
            return super().first_sublayer(layer, x)
        graph, state = self.graph, self.state[layer]
        forget, candidate = ssru_gates(graph, self.linear(x, self.student.ssru(layer)))
        change = graph.node("Mul", forget, graph.node("Sub", state.input.name, candidate))
        return graph.node("Relu", graph.node("Add", candidate, change, output=state.output))

    @property
    def projection(self) -> Linear:
        """As a transformer's, with the checkpoint's 8-bit numbers."""
        return with_checkpoint_int8(super().projection, self.student, self.embedding_scale)


def with_checkpoint_int8(projection: Linear, student: StudentDescription, embedding_scale: float) -> Linear:
    """Returns a projection to the vocabulary with the checkpoint's 8-bit numbers, if it has them.

    Args:
        embedding_scale: the factor that the embedding table contains.
    """
    int8 = student.head.int8
    if int8 is not None and student.config.tie_embeddings:
        int8 = int8.scaled(embedding_scale)
    return replace(projection, int8=int8)


def student_state(description: StudentDescription) -> tuple[StateSpec, ...]:
    """The tensors that a step passes to the next one: a vector per SSRU layer, or self KV caches."""
    if description.cell == "self-attention":
        return state_specs(description.config)
    shape = ("slots", 1, description.config.width)
    return tuple(
        StateSpec(
            input=TensorSpec(name=f"ssru_{layer}", dtype="float32", shape=shape),
            output=f"next_ssru_{layer}",
            in_place=False,
        )
        for layer in range(description.config.decoder_layers)
    )


def zero_first_rows(graph: GraphBuilder, is_first: str, rows: str, *, rank: int) -> str:
    """Replaces the rows of first positions by zeros; is_first: bool [n]; rows: [n, ..., width], of this rank."""
    condition = graph.node("Reshape", is_first, graph.constant(np.array([-1, *[1] * (rank - 1)])))
    return graph.node("Where", condition, graph.constant(np.float32(0)), rows)


def ssru_gates(graph: GraphBuilder, projected: str) -> list[str]:
    """The forget gate and the candidate W x from the output of `StudentDescription.ssru`."""
    forget, candidate = graph.nodes("Split", [projected], 2, axis=-1, num_outputs=2)
    return [graph.node("Sigmoid", forget), candidate]
