"""Comparison of models that copy: rounding decides the id of a word that is as likely generated as copied."""

import numpy as np

from regard.arrays import Float32Array
from regard_export.references.protocols import Source
from regard_service.bundle import Target


def with_equal_copy_ids(log_probs: Float32Array, source: Source, target: Target) -> Float32Array:
    """Sets both ids of a word that is in the vocabulary and in the source to the word's log-probability.

    Args:
        log_probs: float32 [target, vocab_size + source]; a word's log-probability is under one of its ids.
        source: int64 [2, source], ids and words.
    """
    ids, words = np.array(source)
    firsts = np.flatnonzero((words == np.arange(len(words))) & ~np.isin(ids, target.special_ids))
    copies = target.vocab_size + firsts
    result = log_probs.copy()
    result[:, ids[firsts]] = result[:, copies] = np.maximum(log_probs[:, ids[firsts]], log_probs[:, copies])
    return result
