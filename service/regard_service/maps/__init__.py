"""Attention maps: from the attention that the engine keeps to the maps of a call.

The modules:

    builder     the maps of one call
    reduce      choosing heads, the alignment
    norms       weighting by the norms of the values
    contributions   weighting by what each position adds to the output
    rollout     attention rollout
    word_maps   maps between words
    links       measures of an alignment: hard links, entropy, coverage
    blocks      the maps of consecutive parts as one map
"""
