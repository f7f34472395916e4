"""How much of an output comes from its source."""

from regard.arrays import Float32Array
from regard_service.engine.runtime.trace import Trace
from regard_service.maps.contributions import follow


def source_share(trace: Trace) -> Float32Array:
    """Returns the share of each token that comes from the source, not from the tokens before it: float32 [target].

    Args:
        trace: with the contributions of every kind of attention.
    """
    return follow(trace).source_share
