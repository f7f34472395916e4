"""Moses' tokenizer and subword-nmt's pieces, for models that were trained on these (Argos Translate's older packages).

The modules:

    tables          what a language's rules look up
    traced          a text under replacements, with the origin of each character
    normalization   punctuation, before the tokens
    words           a text to Moses' tokens
    merges          a token to pieces
    detokenizer     tokens to a text
    tokenizer       all of these, as a bundle's tokenizer
"""
