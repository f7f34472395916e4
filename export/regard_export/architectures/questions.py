"""The inputs of encoders that read a picture with a question."""

import numpy as np

from regard_export.architectures.traced_layers import TracedLayers
from regard_export.architectures.transformer_stack import TransformerStack
from regard_export.descriptions.encoders import BertDescription
from regard_export.onnx_graph.builder import GraphBuilder
from regard_export.onnx_graph.contract import SOURCE_LENGTHS
from regard_export.precision.layer_builders import LayerBuilders
from regard_service.bundle import TensorSpec


def embed_questions(graph: GraphBuilder, text: BertDescription, builders: LayerBuilders) -> tuple[str, str]:
    """Adds the embeddings of questions, with the inputs that they are packed in.

    Returns:
        the embeddings, padded, [requests, text, width]; and the lengths, int32 [requests].
    """
    ids = graph.input(TensorSpec(name="source_ids", dtype="int64", shape=("tokens",)))
    positions = graph.input(TensorSpec(name="source_positions", dtype="int64", shape=("tokens",)))
    to_packed = graph.input(TensorSpec(name="padded_to_packed", dtype="int64", shape=("requests", "source")))
    lengths = graph.input(SOURCE_LENGTHS)
    packed = TransformerStack(graph, text, builders).embed("encoder", text.source_embedding, ids, positions)
    return graph.node("Gather", packed, to_packed), lengths


def embed_question(graph: GraphBuilder, text: BertDescription, builders: LayerBuilders) -> str:
    """Adds the embeddings of one question, with its input: [text, width]."""
    ids = graph.input(TensorSpec(name="source_ids", dtype="int64", shape=("text",)))
    layers = TracedLayers(graph, text, builders, "encoder")
    return layers.embed("encoder", text.source_embedding, ids, layers.positions(ids))


def longer(graph: GraphBuilder, lengths: str, number: int) -> str:
    """Adds a number to lengths, int32 [requests]."""
    return graph.node("Add", lengths, graph.constant(np.array(number, np.int32)))
