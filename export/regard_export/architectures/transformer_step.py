"""step.onnx of a transformer: one decoder position for all slots."""

from functools import partial

import numpy as np

from regard_export.architectures.candidate_ranking import rank_candidates, rank_listed
from regard_export.architectures.transformer_stack import TransformerStack
from regard_export.architectures.transformer_tensors import memory_specs, state_specs
from regard_export.descriptions.layers import Linear
from regard_export.descriptions.transformer_weights import TransformerWeights
from regard_export.onnx_graph.builder import GraphBuilder
from regard_export.onnx_graph.contract import (
    LENGTHS,
    MASKED_SCORE,
    NUM_CANDIDATES,
    SOURCE_LENGTHS,
    TOKENS,
    TOTAL_LENGTH,
    BuiltGraph,
)
from regard_export.precision.layer_builders import LayerBuilders
from regard_export.precision.listed_heads import LIST_BIAS, LIST_IDS
from regard_service.bundle import StateSpec, TensorSpec


def build_step(
    description: TransformerWeights,
    builders: LayerBuilders,
    *,
    max_source_positions: int | None = None,
    is_listed: bool = False,
) -> BuiltGraph:
    """Builds one position of the decoder, from the last tokens to the candidates for the next ones.

    Args:
        max_source_positions: positions of the longest source; None if sources are no longer than targets.
        is_listed: whether the candidates are words of a list, which is an input of the graph.
    """
    num_positions = max_source_positions or description.config.max_positions
    return StepGraph(description, builders, num_positions, is_listed=is_listed).build()


class StepGraph(TransformerStack):
    """The residual stream is [slots, 1, width], as GroupQueryAttention requires.

    Args:
        is_listed: whether the candidates are words of a list; the builders need a projection to a list.
    """

    def __init__(
        self,
        description: TransformerWeights,
        builders: LayerBuilders,
        max_source_positions: int,
        *,
        is_listed: bool = False,
    ) -> None:
        super().__init__(GraphBuilder("step"), description, builders)
        self.is_listed = is_listed
        self.max_source_positions = max_source_positions
        declare = self.graph.input
        self.tokens = declare(TOKENS)
        self.lengths = declare(LENGTHS)
        self.total_length = declare(TOTAL_LENGTH)
        self.source_lengths = declare(SOURCE_LENGTHS)
        self.num_candidates = declare(NUM_CANDIDATES)
        for spec in memory_specs(self.config):
            declare(spec)
        for state in self.state:
            declare(state.input)
        self.source_bias = self._source_bias()
        self.score_bias = self._score_bias() if self.config.positions == "relative" else ""
        self.request_shape = self._request_shape()

    @property
    def state(self) -> tuple[StateSpec, ...]:
        """The tensors that a step passes to the next one."""
        return state_specs(self.config)

    def build(self) -> BuiltGraph:
        """Adds the decoder with its inputs and outputs."""
        graph = self.graph
        sublayers, norms = [], []
        for layer in range(self.config.decoder_layers):
            name = f"decoder.{layer}"
            sublayers += [
                partial(self.first_sublayer, layer),
                partial(self._cross_attention, layer),
                partial(self.feed_forward, f"{name}.feed_forward"),
            ]
            norms += [self.norm(f"{name}.{kind}") for kind in ("self_attention", "cross_attention", "feed_forward")]
        head, norms = self.head(norms + self.final_norms("decoder"))
        # A table of [n, 1, width] yields [slots, 1, width] without a Reshape.
        embedded = self.embed("decoder", self.table[:, None], self.tokens, self.lengths)
        self._candidates(self.run(embedded, sublayers, norms), head)
        self._declare_outputs()
        return BuiltGraph(graph.build(), tuple(graph.inputs), tuple(graph.outputs))

    def _declare_outputs(self) -> None:
        declare, config = self.graph.output, self.config
        attention_shape = ("requests", config.num_heads, "beams", "source")
        for layer in range(config.decoder_layers):
            declare(TensorSpec(name=f"cross_attention_{layer}", dtype="float32", shape=attention_shape))
        for state in self.state:
            declare(TensorSpec(name=state.output, dtype="float32", shape=state.input.shape))

    def _source_bias(self) -> str:
        """float32 [requests, 1, 1, source]: masks the columns behind a request's source."""
        # The server's source buckets may be longer than any source.
        graph, max_columns = self.graph, 2 * self.max_source_positions
        table = np.arange(max_columns, dtype=np.int32).reshape(1, 1, 1, max_columns)
        positions = graph.constant(table, "source_positions")
        # Not a Gather over a Range, which ONNX Runtime rewrites into a Slice that fails.
        end, axis, start = graph.node("Shape", "cross_key_0", start=3, end=4), np.array([3]), np.array([0])
        columns = graph.node("Slice", positions, graph.constant(start), end, graph.constant(axis))
        lengths = graph.node("Reshape", self.source_lengths, graph.constant(np.array([-1, 1, 1, 1])))
        is_source = graph.node("Less", columns, lengths)
        return graph.node("Where", is_source, graph.constant(np.float32(0)), graph.constant(MASKED_SCORE))

    def _request_shape(self) -> str:
        """int64 [4]: requests, beams (-1: it follows from the number of slots), heads, head width."""
        requests = self.graph.node("Shape", self.source_lengths)
        rest = np.array([-1, self.config.num_heads, self.config.width_of_head])
        return self.graph.node("Concat", requests, self.graph.constant(rest), axis=0)

    def _score_bias(self) -> str:
        """float32 [slots, heads, 1, total length]: the bias of relative positions, the same in every layer."""
        graph, max_positions = self.graph, self.config.max_positions
        keys = graph.node(
            "Slice",
            graph.constant(np.arange(max_positions, dtype=np.int32)),
            graph.constant(np.array([0], np.int32)),
            graph.node("Reshape", self.total_length, graph.constant(np.array([1]))),
        )
        queries = graph.node("Unsqueeze", self.lengths, graph.constant(np.array([1])))
        distances = graph.node("Sub", queries, keys)
        bias = self.distance_bias("decoder", distances, (0, self.config.relative_max_distance))
        rows = graph.node("Transpose", bias, perm=[1, 0, 2])
        return graph.node("Unsqueeze", rows, graph.constant(np.array([2])))

    def first_sublayer(self, layer: int, x: str) -> str:
        """Adds a layer's first sublayer, self-attention.

        Writes this position's key and value into the caches, and attends to all positions up to this one.
        """
        name = f"decoder.{layer}.self_attention"
        projected = self.linear(x, self.projections(name, "query", "key", "value"))
        caches = [state for state in self.state if state.input.name.endswith(f"_{layer}")]
        context, *_ = self.graph.nodes(
            "com.microsoft.GroupQueryAttention",
            [
                *(projected, "", "", *(cache.input.name for cache in caches), self.lengths, self.total_length),
                *(["", "", "", self.score_bias] if self.score_bias else []),
            ],
            [self.graph.name_value("context"), *(cache.output for cache in caches)],
            num_heads=self.config.num_heads,
            kv_num_heads=self.config.num_heads,
            scale=self.score_scale(self.config.width_of_head),
        )
        return self.output(context, name)

    def _cross_attention(self, layer: int, x: str) -> str:
        """softmax(q K^T + bias) V, without a fused operator, since the softmax's output is the attention map.

        A request's hypotheses are the query axis over its memory, which is therefore not repeated per hypothesis.
        """
        graph, name = self.graph, f"decoder.{layer}.cross_attention"
        scale = self.score_scale(self.config.width_of_head)
        query = self.linear(x, self.projections(name, "query").scaled(scale))
        query = graph.node("Transpose", graph.node("Reshape", query, self.request_shape), perm=[0, 2, 1, 3])
        scores = graph.node("MatMul", query, f"cross_key_{layer}")  # [requests, heads, beams, source]
        masked = graph.node("Add", scores, self.source_bias)
        weights = graph.node("Softmax", masked, output=f"cross_attention_{layer}", axis=-1)
        context = graph.node("MatMul", weights, f"cross_value_{layer}")
        merged = graph.node("Transpose", context, perm=[0, 2, 1, 3])
        shape = graph.constant(np.array([-1, 1, self.config.attention_width]))
        return self.output(graph.node("Reshape", merged, shape), name)

    def _candidates(self, states: str, head: Linear) -> None:
        """Computes and ranks the logits; states: [slots, 1, width]."""
        shape = self.graph.constant(np.array([-1, self.config.width]))
        self.rank(self.before_head(self.graph.node("Reshape", states, shape)), head)

    def rank(self, x: str, head: Linear) -> None:
        """Computes and ranks the logits of all words, or of the list's; x: [slots, width]."""
        if self.is_listed:
            self._rank_listed(x, head)
            return
        graph = self.graph
        logits, is_grouped = self.builders.head(graph, x, head), self.builders.is_ranking_grouped
        rank_candidates(
            graph,
            logits,
            self.num_candidates,
            len(head.weight),
            is_grouped=is_grouped,
            banned_ids=self.description.banned_ids,
            is_renormalized=self.description.is_renormalized,
        )

    def _rank_listed(self, x: str, head: Linear) -> None:
        """Computes and ranks the logits of the list's words; a bias of minus infinity masks those of other slots."""
        graph, product = self.graph, self.builders.list_head.project(self.graph, x, head)
        logits = graph.node("Add", product, graph.input(LIST_BIAS))
        rank_listed(graph, logits, self.num_candidates, graph.input(LIST_IDS))
