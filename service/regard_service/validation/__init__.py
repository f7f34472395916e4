"""The checks of what callers send, each with one wording, and the defaults of what they leave out.

The modules:

    texts         texts and names
    generation    generation options, with the model's defaults
    attention     attention options, against what the model offers
    confidence    whether the model can say how sure it is
    violations    collects the violations of a call, so that one error lists them all
    limits        a server's limits of a call
"""
