"""Which positions of a source a label, or an object, rests on, as attention tells."""

from collections.abc import Sequence

import numpy as np

from regard.arrays import Float32Array
from regard_service.engine.runtime.trace import Trace
from regard_service.maps.contributions import follow_encoder
from regard_service.maps.norms import weigh
from regard_service.maps.reduce import align
from regard_service.maps.rollout import encoder_rollout


def shares_of_positions(trace: Trace, evidence: str) -> Float32Array:
    """Returns the share of each source position in each state after the last layer: float32 [source, source].

    Args:
        evidence: "rollout", "value_norm" or "contribution".

    Raises:
        ValueError: the trace lacks contributions, or there is no such evidence.
    """
    if evidence == "rollout":
        return encoder_rollout(trace.encoder_self)
    if evidence == "value_norm":
        return encoder_rollout(weigh(trace.encoder_self, trace.encoder_norms))
    if evidence == "contribution" and trace.encoder_contributions is not None:
        return follow_encoder(trace.encoder_contributions)
    raise ValueError(f"the trace tells nothing of {evidence}")


def query_row(trace: Trace, query: int, evidence: str, pairs: Sequence[tuple[int, int]]) -> Float32Array:
    """Returns the share of each source position in what a query attends to: float32 [source].

    Args:
        evidence: "alignment", or "value_norm".
        pairs: the (layer, head) pairs whose mean is the alignment.

    Raises:
        ValueError: there is no such evidence of queries.
    """
    cross = trace.cross[:, :, [query]]
    if evidence == "value_norm":
        cross = weigh(cross, trace.cross_norms)
    elif evidence != "alignment":
        raise ValueError(f"queries tell nothing of {evidence}")
    row: Float32Array = align(cross, pairs)[0]
    return row


def label_row(shares: Float32Array, *, num_skipped: int | None) -> Float32Array:
    """Returns the row of the state by which a source is labelled: float32 [source].

    Args:
        shares: float32 [source, source].
        num_skipped: first positions that a mean of all states leaves out; None: the first state labels the source.
    """
    row: Float32Array = shares[0] if num_skipped is None else shares[num_skipped:].mean(axis=0, dtype=np.float32)
    return row
