"""A picture with a question as one source of a request: a record, an array without axes whose fields are the parts.

One array a request: queues, batches and workers hand it on as they do with texts and pictures.
"""

import numpy as np

from regard.arrays import Array, Float32Array, Int64Array

PIXELS, IDS = "pixels", "ids"


def question_record(pixels: Float32Array, ids: Int64Array) -> Array:
    """Joins the parts.

    Args:
        pixels: float32 [3, height, width].
        ids: int64 [text].
    """
    record = np.empty((), [(PIXELS, np.float32, pixels.shape), (IDS, np.int64, ids.shape)])
    record[PIXELS], record[IDS] = pixels, ids
    return record


def pixels_of(record: Array) -> Float32Array:
    """The picture: float32 [3, height, width]."""
    pixels: Float32Array = record[PIXELS]
    return pixels


def ids_of(record: Array) -> Int64Array:
    """The question: int64 [text]."""
    ids: Int64Array = record[IDS]
    return ids
