"""Finds the range of every linear layer's inputs, by decoding real inputs with float32 graphs in the engine's core.

A quantized layer with a fixed range for its inputs takes two operators, and computes each row from that row alone. A
layer whose rows differ too much in size gets no range, and scales each row when it runs
(`precision/quantized_layers.py`).
"""

import time
from collections import deque

import numpy as np

from regard_export.architectures.architecture import Architecture, EncodingArchitecture
from regard_export.examples.dev_sets import DevSet
from regard_export.examples.encoder_sources import sample_encoder_sources
from regard_export.examples.samples import num_affordable_sources, sample_sources
from regard_export.precision.quantization import ActivationRange
from regard_export.references.protocols import as_array
from regard_export.tuning.observed_runner import InputStatistics, ObservedRunner, ObservedSession
from regard_service.bundle import Bundle
from regard_service.engine.core.batch import RunningBatch
from regard_service.engine.core.request import EngineRequest, RequestState
from regard_service.engine.runtime.slots import SlotsShape
from regard_service.generation import Generation

RANGE_MARGIN = 1.15  # a range's size relative to the observed one, for inputs that were not observed

MIN_SOURCES, MAX_SOURCES = 4, 48
MAX_REQUESTS = 24  # in the running batch
MAX_WORK = 1_500_000_000  # sources times parameters, beyond which there are fewer sources
MAX_NEW_TOKENS = 64

# The median row's root mean square must span at least this many of the 255 steps of a fixed range. Rows of very
# different sizes, and rows with few large numbers, span less.
MIN_RMS_STEPS = 10.0


def calibrate(architecture: Architecture, bundle: Bundle, dev: DevSet) -> dict[str, ActivationRange]:
    """Encodes sources, then decodes them greedily, with observed graphs.

    Sources are encoded one by one, since padding is no input. Every row of a step is a live hypothesis, since a
    finished request leaves the batch at once.

    Args:
        bundle: the same model in float32.
        dev: provides the sources; if it is empty, example inputs do.

    Returns:
        ranges by the layers' names; a layer that no range suits has none.
    """
    requests = [RequestState(request, time.monotonic()) for request in _requests(bundle, dev)]
    runner, folder = ObservedRunner(bundle.manifest), bundle.folder.parent
    shape = SlotsShape(
        max_requests=min(MAX_REQUESTS, len(requests)),
        num_beams=1,
        source=max(runner.source_length(state.request.source) for state in requests),
        capacity=requests[0].request.generation.max_new_tokens,
    )
    batch = RunningBatch(runner, shape)
    with runner.observing(architecture.encode, folder) as session:
        waiting = deque([batch.encode([state]) for state in requests])
        ranges = _ranges(session)
    del session  # frees its model before the next graph is opened
    with runner.observing(architecture.step, folder) as session:
        while waiting or batch.num_live:
            while waiting and batch.num_live < shape.max_requests:
                batch.join(waiting.popleft())
            batch.step()
        return ranges | _ranges(session)


def calibrate_encoder(architecture: EncodingArchitecture, bundle: Bundle) -> dict[str, ActivationRange]:
    """As `calibrate`, for a model without a decoder: encodes example sources with an observed graph."""
    manifest = bundle.manifest
    number = num_affordable_sources(manifest, min_sources=MIN_SOURCES, max_sources=MAX_SOURCES, max_work=MAX_WORK)
    runner = ObservedRunner(manifest)
    with runner.observing(architecture.encode, bundle.folder.parent) as session:
        for source in sample_encoder_sources(bundle, number):
            runner.encode([as_array(source)])
        return _ranges(session)


def _requests(bundle: Bundle, dev: DevSet) -> list[EngineRequest]:
    """Greedy requests for sample sources."""
    manifest = bundle.manifest
    num_sources = num_affordable_sources(manifest, min_sources=MIN_SOURCES, max_sources=MAX_SOURCES, max_work=MAX_WORK)
    max_new_tokens = min(MAX_NEW_TOKENS, manifest.max_target_tokens)
    return [
        EngineRequest(
            as_array(source), Generation(max_new_tokens, forced_first_id=manifest.target.forced_first_id(key))
        )
        for key, source in sample_sources(bundle, dev, num_sources)
    ]


def _ranges(session: ObservedSession) -> dict[str, ActivationRange]:
    ranges = {layer: activation_range(inputs) for layer, inputs in session.statistics().items()}
    return {layer: found for layer, found in ranges.items() if found is not None}


def activation_range(inputs: InputStatistics) -> ActivationRange | None:
    """The range that suits all rows of a layer's inputs, or None."""
    observed = ActivationRange(float(inputs.least.min()) * RANGE_MARGIN, float(inputs.most.max()) * RANGE_MARGIN)
    step, _ = observed.quantization()
    return observed if np.median(inputs.rms) >= MIN_RMS_STEPS * step else None
