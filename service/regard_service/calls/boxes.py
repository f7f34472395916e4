"""From the outputs of a model that finds boxes to the objects in a picture."""

from collections.abc import Iterator, Mapping

import numpy as np

from regard.arrays import Array, Float32Array
from regard_service.bundle import BOX_LOGITS, BOXES, BoxesOutput
from regard_service.calls.probabilities import probabilities
from regard_service.domain.calls import DetectCall
from regard_service.domain.outputs import Detection
from regard_service.domain.results import ImageGrid


def find_objects(
    outputs: Mapping[str, Array], output: BoxesOutput, grid: ImageGrid, call: DetectCall
) -> tuple[Detection, ...]:
    """Returns the objects of a call's labels that reach its threshold, highest score first, at most `top_k`.

    A query of a model whose labels exclude each other finds one object, its likeliest label's; of another model one of
    each label. A box that lies beside the picture, where the model reads borders around it, is none.

    Args:
        outputs: `box_logits` [queries, labels], `boxes` [queries, 4].
    """
    scores = probabilities(outputs[BOX_LOGITS].astype(np.float32), is_exclusive=output.is_exclusive)
    if output.is_exclusive:
        scores = _of_likeliest(scores[:, : len(output.labels)])
    corners = _corners(outputs[BOXES].astype(np.float32), grid)
    wanted = set(call.labels) or set(output.labels)
    is_wanted = np.array([label in wanted for label in output.labels])
    has_area = (corners[:, 2] > corners[:, 0]) & (corners[:, 3] > corners[:, 1])
    is_found = (scores >= max(call.threshold, 0)) & is_wanted & has_area[:, None]
    return tuple(_ranked(scores, corners, is_found, output, call.top_k))


def _of_likeliest(scores: Float32Array) -> Float32Array:
    """Scores below 0 for all labels of a query but its likeliest."""
    best = scores.argmax(axis=1)
    kept = np.full_like(scores, -1)
    rows = np.arange(len(scores))
    kept[rows, best] = scores[rows, best]
    return kept


def _corners(boxes: Float32Array, grid: ImageGrid) -> Float32Array:
    """Left, top, right and bottom in the picture's pixels, cut at its edges: float32 [queries, 4]."""
    left, top, right, bottom = grid.box
    begin, extent = np.array([left, top]), np.array([right - left, bottom - top])
    centre, half = begin + boxes[:, :2] * extent, boxes[:, 2:] * extent / 2
    size = np.array([grid.image_width, grid.image_height])
    return np.concatenate([centre - half, centre + half], axis=1).clip(0, np.tile(size, 2)).astype(np.float32)


def _ranked(
    scores: Float32Array, corners: Float32Array, is_found: Array, output: BoxesOutput, top_k: int
) -> Iterator[Detection]:
    queries, labels = np.nonzero(is_found)
    for index in np.argsort(-scores[queries, labels], kind="stable")[:top_k].tolist():
        query, label = int(queries[index]), int(labels[index])
        left, top, right, bottom = corners[query].tolist()
        yield Detection(output.labels[label], float(scores[query, label]), (left, top, right, bottom), query)
