"""The end of every step graph: from logits to what search reads."""

import numpy as np
from regard_service.bundle import TensorSpec

from regard_export.onnx_graph.builder import GraphBuilder

# How many neighbouring logits form a group: the first that divides the vocabulary. About its square root costs least.
GROUP_SIZES = (*range(80, 257), *range(79, 15, -1))


def rank_candidates(
    graph: GraphBuilder, logits: str, num_candidates: str, vocab_size: int, *, in_groups: bool = True
) -> None:
    """Declares the best logits with their ids, and what turns them into log-probabilities.

    Args:
        logits: float32 [slots, vocabulary].
        num_candidates: int64 [1].
        in_groups: see `Form`; it has the same outcome.
    """
    # log-sum-exp = logit - log-softmax, for any token: a tenth of what ReduceLogSumExp takes.
    first, log_softmax = graph.constant(np.array(0)), graph.node("LogSoftmax", logits, axis=-1)
    columns = [graph.node("Gather", values, first, axis=1) for values in (logits, log_softmax)]
    graph.node("Sub", *columns, output="log_normalizer")
    group_size = next((size for size in GROUP_SIZES if vocab_size % size == 0), None)
    if group_size is None or not in_groups:
        graph.nodes("TopK", [logits, num_candidates], ["candidate_logits", "candidate_ids"], axis=-1)
    else:
        _rank_groups(graph, logits, num_candidates, vocab_size // group_size, group_size)
    graph.output(TensorSpec(name="candidate_logits", dtype="float32", shape=("slots", "candidates")))
    graph.output(TensorSpec(name="candidate_ids", dtype="int64", shape=("slots", "candidates")))
    graph.output(TensorSpec(name="log_normalizer", dtype="float32", shape=("slots",)))


def _rank_groups(graph: GraphBuilder, logits: str, num_candidates: str, num_groups: int, group_size: int) -> None:
    """The k best logits are among the k groups with the largest ones: TopK, which goes through its input one by one,
    then has a hundredth to go through.
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
