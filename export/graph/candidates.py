"""The end of every step graph: from logits to what search reads."""

import numpy as np

from export.graph.builder import GraphBuilder
from models.bundle import TensorSpec


def rank_candidates(graph: GraphBuilder, logits: str, num_candidates: str) -> None:
    """Declares the best logits with their ids, and what turns them into log-probabilities.

    Args:
        logits: float32 [slots, vocabulary].
        num_candidates: int64 [1].
    """
    graph.nodes("TopK", [logits, num_candidates], ["candidate_logits", "candidate_ids"], axis=-1)
    # log-sum-exp = logit - log-softmax, for any token: a tenth of what ReduceLogSumExp takes.
    first, log_softmax = graph.constant(np.array(0)), graph.node("LogSoftmax", logits, axis=-1)
    columns = [graph.node("Gather", values, first, axis=1) for values in (logits, log_softmax)]
    graph.node("Sub", *columns, output="log_normalizer")
    graph.output(TensorSpec(name="candidate_logits", dtype="float32", shape=("slots", "candidates")))
    graph.output(TensorSpec(name="candidate_ids", dtype="int64", shape=("slots", "candidates")))
    graph.output(TensorSpec(name="log_normalizer", dtype="float32", shape=("slots",)))
