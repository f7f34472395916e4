"""The end of every step graph: from logits to the candidates that the search reads."""

from collections.abc import Sequence

import numpy as np

from regard_export.onnx_graph.builder import GraphBuilder
from regard_service.bundle import TensorSpec

# Numbers of neighbouring logits in a group; the first that divides the vocabulary is used. About the vocabulary's
# square root is fastest.
GROUP_SIZES = (*range(80, 257), *range(79, 15, -1))

BANNED_TOKENS = "banned_tokens"  # the constant that is added to logits, in float32


def rank_candidates(
    graph: GraphBuilder,
    logits: str,
    num_candidates: str,
    vocab_size: int,
    *,
    is_grouped: bool = True,
    banned_ids: Sequence[int] = (),
    is_renormalized: bool = True,
    rows: str = "slots",
) -> None:
    """Outputs the best logits with their ids, and the log-normalizer that turns them into log-probabilities.

    Args:
        logits: float32 [slots, vocabulary].
        num_candidates: int64 [1].
        is_grouped: see `LayerBuilders.is_ranking_grouped`; the result is the same.
        banned_ids: tokens that are never candidates.
        is_renormalized: whether their logits are minus infinity already; else the log-normalizer counts them.
        rows: the name of the logits' first axis.
    """
    _normalize(graph, logits, next(token for token in range(vocab_size) if token not in banned_ids))
    if banned_ids and not is_renormalized:
        mask = np.zeros(vocab_size, np.float32)
        mask[list(banned_ids)] = -np.inf
        logits = graph.node("Add", logits, graph.constant(mask, BANNED_TOKENS))
    group_size = next((size for size in GROUP_SIZES if vocab_size % size == 0), None)
    if group_size is None or not is_grouped:
        graph.nodes("TopK", [logits, num_candidates], ["candidate_logits", "candidate_ids"], axis=-1)
    else:
        _rank_groups(graph, logits, num_candidates, vocab_size // group_size, group_size)
    output_candidates(graph, rows)


def rank_listed(graph: GraphBuilder, logits: str, num_candidates: str, ids: str) -> None:
    """As `rank_candidates`, among the words of a list.

    Args:
        logits: float32 [slots, words]; those of the first word are finite.
        ids: int64 [words], the words' ids in the vocabulary.
    """
    _normalize(graph, logits)
    positions = graph.name_value("positions")
    graph.nodes("TopK", [logits, num_candidates], ["candidate_logits", positions], axis=-1)
    graph.node("Gather", ids, positions, axis=0, output="candidate_ids")
    output_candidates(graph)


def _normalize(graph: GraphBuilder, logits: str, finite: int = 0) -> None:
    """Outputs the log-sum-exp: logit - log-softmax of a word, ten times as fast as ReduceLogSumExp.

    Args:
        finite: the position of a word whose logits are finite.
    """
    first, log_softmax = graph.constant(np.array(finite)), graph.node("LogSoftmax", logits, axis=-1)
    columns = [graph.node("Gather", values, first, axis=1) for values in (logits, log_softmax)]
    graph.node("Sub", *columns, output="log_normalizer")


def _rank_groups(graph: GraphBuilder, logits: str, num_candidates: str, num_groups: int, group_size: int) -> None:
    """Ranks the members of the k groups with the largest logits, among which the k best logits are.

    TopK reads its input number by number; here it reads a hundredth of them.
    """
    size = graph.constant(np.array(group_size))
    groups = graph.node("Reshape", logits, graph.constant(np.array([0, num_groups, group_size])))
    largest = graph.node("ReduceMax", groups, graph.constant(np.array([-1])), keepdims=0)
    num_chosen = graph.node("Min", num_candidates, graph.constant(np.array([num_groups])))
    _, chosen = graph.nodes("TopK", [largest, num_chosen], 2, axis=-1)
    indexes = graph.node("Unsqueeze", chosen, graph.constant(np.array([-1])))
    members = graph.node("GatherND", groups, indexes, batch_dims=1)
    members = graph.node("Reshape", members, graph.constant(np.array([0, -1])))
    positions = graph.name_value("positions")
    graph.nodes("TopK", [members, num_candidates], ["candidate_logits", positions], axis=-1)
    group = graph.node("GatherElements", chosen, graph.node("Div", positions, size), axis=-1)
    graph.node("Add", graph.node("Mul", group, size), graph.node("Mod", positions, size), output="candidate_ids")


def output_candidates(graph: GraphBuilder, rows: str = "slots") -> None:
    """Declares the outputs that the search reads. Args: rows: the name of their first axis."""
    graph.output(TensorSpec(name="candidate_logits", dtype="float32", shape=(rows, "candidates")))
    graph.output(TensorSpec(name="candidate_ids", dtype="int64", shape=(rows, "candidates")))
    graph.output(TensorSpec(name="log_normalizer", dtype="float32", shape=(rows,)))
