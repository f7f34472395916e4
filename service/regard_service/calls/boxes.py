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
    scores = scores_of_labels(outputs[BOX_LOGITS], output)
    if output.is_exclusive:
        scores = _of_likeliest(scores)
    corners = box_corners(outputs, grid)
    wanted = set(call.labels) or set(output.labels)
    is_wanted = np.array([label in wanted for label in output.labels])
    has_area = (corners[:, 2] > corners[:, 0]) & (corners[:, 3] > corners[:, 1])
    is_found = (scores >= max(call.threshold, 0)) & is_wanted & has_area[:, None]
    return tuple(_ranked(scores, corners, is_found, output, call.top_k))


def scores_of_labels(logits: Array, output: BoxesOutput) -> Float32Array:
    """float32 [queries, labels], in [0, 1]. Args: logits: `box_logits`, see `BoxesOutput`."""
    scores = probabilities(logits.astype(np.float32), is_exclusive=output.is_exclusive)
    return scores[:, : len(output.labels)]


def _of_likeliest(scores: Float32Array) -> Float32Array:
    """Scores below 0 for all labels of a query but its likeliest."""
    best = scores.argmax(axis=1)
    kept = np.full_like(scores, -1)
    rows = np.arange(len(scores))
    kept[rows, best] = scores[rows, best]
    return kept


def box_corners(outputs: Mapping[str, Array], grid: ImageGrid) -> Float32Array:
    """Left, top, right and bottom in the picture's pixels, cut at its edges: float32 [queries, 4]."""
    boxes = outputs[BOXES].astype(np.float32)
    left, top, right, bottom = grid.box
    begin, extent = np.array([left, top]), np.array([right - left, bottom - top])
    centre, half = begin + boxes[:, :2] * extent, boxes[:, 2:] * extent / 2
    size = np.array([grid.image_width, grid.image_height])
    return np.concatenate([centre - half, centre + half], axis=1).clip(0, np.tile(size, 2)).astype(np.float32)


def overlaps(corners: Float32Array, box: Float32Array) -> Float32Array:
    """The intersection of each box with one, in parts of their union: float [boxes], 0 for two without an area.

    Args:
        corners: float [boxes, 4], left, top, right and bottom.
        box: float [4].
    """
    shared = np.minimum(corners[:, 2:], box[2:]) - np.maximum(corners[:, :2], box[:2])
    intersection = shared.clip(min=0).prod(axis=1)
    areas = (corners[:, 2:] - corners[:, :2]).prod(axis=1)
    union = areas + (box[2:] - box[:2]).prod() - intersection
    shares: Float32Array = np.divide(intersection, union, out=np.zeros_like(union), where=union > 0)
    return shares


def _ranked(
    scores: Float32Array, corners: Float32Array, is_found: Array, output: BoxesOutput, top_k: int
) -> Iterator[Detection]:
    queries, labels = np.nonzero(is_found)
    for index in np.argsort(-scores[queries, labels], kind="stable")[:top_k].tolist():
        query, label = int(queries[index]), int(labels[index])
        left, top, right, bottom = corners[query].tolist()
        yield Detection(output.labels[label], float(scores[query, label]), (left, top, right, bottom), query)
