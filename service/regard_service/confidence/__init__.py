"""How sure an output is: word by word, and whether to trust it at all.

The modules:

    features    numbers that tell doubtful outputs from others
    words       calibrated probabilities of words
    sources     how much of an output comes from its source
    assessing   the risk of a result, with its reasons
"""
