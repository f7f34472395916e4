"""Learns from dev examples how unlike them a source is, by the encoder's pooled memory.

A Gaussian over the mean of the memory, with the squared Mahalanobis distance as the measure (Lee et al. 2018, "A Simple
Unified Framework for Detecting Out-of-Distribution Samples and Adversarial Attacks", equation 2, with one class).
"""

from collections.abc import Iterator
from itertools import islice

import numpy as np
from numpy.typing import NDArray

from regard_export.decoding.variant_engine import VariantEngine
from regard_export.onnx_graph.novelty import NoveltyModel, pool
from regard_export.references.protocols import Source, as_array
from regard_service.bundle import Manifest, TensorSpec
from regard_service.engine.runtime.runner import source_length

MIN_EXAMPLES = 60
_BATCH = 16

Floats = NDArray[np.float64]


def learn_novelty(engine: VariantEngine, sources: Iterator[Source]) -> NoveltyModel | None:
    """Fits the Gaussian; None where there are too few sources, or no memory has a source axis.

    Args:
        sources: as the encoder reads them.
    """
    spec = pooled_memory(engine.manifest)
    if spec is None:
        return None
    axis, found = spec.shape.index("source"), []
    while batch := list(islice(sources, _BATCH)):
        lengths = np.array([source_length(engine.manifest, as_array(each)) for each in batch])
        found.append(pool(engine.encode(batch)[spec.name], axis, lengths))
    if sum(map(len, found)) < MIN_EXAMPLES:
        return None
    return gaussian(spec, np.concatenate(found))


def pooled_memory(manifest: Manifest) -> TensorSpec | None:
    """The last memory of numbers along the source: in a transformer the values of the last layer's cross-attention."""
    along = [spec for spec in manifest.memory if "source" in spec.shape and spec.dtype in ("float32", "float16")]
    return along[-1] if along else None


def gaussian(spec: TensorSpec, pooled: NDArray[np.float32]) -> NoveltyModel:
    """The Gaussian of pooled memory, float32 [examples, width]."""
    mean = pooled.mean(axis=0, dtype=np.float64)
    values, vectors = np.linalg.eigh(shrunk_covariance(pooled - mean))
    whitening = (vectors / np.sqrt(np.maximum(values, 1e-12))) @ vectors.T
    return NoveltyModel(spec, mean.astype(np.float32), whitening.astype(np.float32))


def shrunk_covariance(centred: Floats) -> Floats:
    """The covariance, shrunk to a multiple of the identity: few examples stretch it (Ledoit and Wolf 2004).

    Args:
        centred: float64 [examples, width], of mean 0.

    Returns:
        float64 [width, width].
    """
    num, width = centred.shape
    covariance = centred.T @ centred / num
    scale = np.trace(covariance) / width
    target = scale * np.eye(width)
    spread = float(((covariance - target) ** 2).sum())
    noise = float(((centred**2).sum(axis=1) ** 2).sum()) / num**2 - float((covariance**2).sum()) / num
    share = min(1.0, max(0.0, noise / spread)) if spread > 0 else 1.0
    shrunk: Floats = share * target + (1 - share) * covariance
    return shrunk
