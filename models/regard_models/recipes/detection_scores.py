"""Average precision of detected boxes (Everingham et al. 2010, "The Pascal Visual Object Classes Challenge", section
4.2, with the area under the whole curve, as since 2010).
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]
Ints = NDArray[np.int64]


@dataclass(frozen=True)
class Found:
    """What a picture holds, or what a detector found in it.

    Attributes:
        boxes: float32 [objects, 4], left, top, right and bottom.
        labels: int64 [objects].
        scores: float32 [objects]; without a meaning for what a picture holds.
    """

    boxes: Floats
    labels: Ints
    scores: Floats


def mean_average_precision(
    truth: Sequence[Found], found: Sequence[Found], num_labels: int, overlap: float = 0.5
) -> float:
    """The mean of the labels' average precisions, in [0, 1]; of labels that no picture holds nothing counts.

    Args:
        overlap: the intersection over union from which on a box is an object's.
    """
    labels = [label for label in range(num_labels) if any((each.labels == label).any() for each in truth)]
    return float(np.mean([average_precision(truth, found, label, overlap) for label in labels]))


def average_precision(truth: Sequence[Found], found: Sequence[Found], label: int, overlap: float = 0.5) -> float:
    """The area under precision over recall of one label's boxes, surest first, in [0, 1]."""
    scores, hits, num_objects = [], [], 0
    for there, detected in zip(truth, found, strict=True):
        boxes = there.boxes[there.labels == label]
        num_objects += len(boxes)
        own = detected.labels == label
        order = np.argsort(-detected.scores[own], kind="stable")
        scores.append(detected.scores[own][order])
        hits.append(_hits(boxes, detected.boxes[own][order], overlap))
    is_hit = np.concatenate(hits)[np.argsort(-np.concatenate(scores), kind="stable")]
    recall = np.cumsum(is_hit) / num_objects
    precision = np.cumsum(is_hit) / np.arange(1, len(is_hit) + 1)
    # The precision at a recall is the best that is reached at this recall or a higher one.
    best = np.maximum.accumulate(precision[::-1])[::-1]
    return float(np.sum(np.diff(recall, prepend=0.0) * best))


def _hits(objects: Floats, boxes: Floats, overlap: float) -> NDArray[np.bool_]:
    """Which boxes, surest first, find an object that none before them found."""
    is_hit = np.zeros(len(boxes), np.bool_)
    is_free = np.ones(len(objects), np.bool_)
    shares = intersection_over_union(boxes, objects)
    for index in range(len(boxes) if len(objects) else 0):
        nearest = int(shares[index].argmax())
        if shares[index, nearest] >= overlap and is_free[nearest]:
            is_hit[index], is_free[nearest] = True, False
    return is_hit


def intersection_over_union(one: Floats, other: Floats) -> Floats:
    """Of each pair of boxes: float32 [boxes of one, boxes of the other]."""
    begin = np.maximum(one[:, None, :2], other[None, :, :2])
    end = np.minimum(one[:, None, 2:], other[None, :, 2:])
    shared = (end - begin).clip(min=0).prod(axis=-1)
    areas = [(boxes[:, 2:] - boxes[:, :2]).clip(min=0).prod(axis=-1) for boxes in (one, other)]
    union = areas[0][:, None] + areas[1][None] - shared
    result: Floats = (shared / np.maximum(union, 1e-9)).astype(np.float32)
    return result
