"""Comparing models that copy: where a word is as likely said as copied, rounding decides under which id it stands."""

import numpy as np
from regard_service.bundle import Target

from regard.arrays import Float32Array
from regard_export.references.reference import Source


def both_ids(log_probs: Float32Array, source: Source, target: Target) -> Float32Array:
    """Gives a word of the vocabulary that stands in the source its log-probability under both of its ids.

    Args:
        log_probs: float32 [target, vocab_size + source], a word under one of its ids.
        source: [2, source], ids and words.
    """
    ids, words = np.array(source)
    firsts = np.flatnonzero((words == np.arange(len(words))) & ~np.isin(ids, target.special_ids))
    copies = target.vocab_size + firsts
    folded = log_probs.copy()
    folded[:, ids[firsts]] = folded[:, copies] = np.maximum(log_probs[:, ids[firsts]], log_probs[:, copies])
    return folded
