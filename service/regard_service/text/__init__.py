"""Text to ids and back.

The modules:

    tokenizer   a bundle's tokenizer
    reading     a source text to the encoder's ids
    parts       the places at which a long text is cut
    writing     the decoder's ids to text
    given       a given target to the decoder's ids
    words       the words that tokens form
    moses       Moses' tokens and subword-nmt's pieces
    word_streams    writes these
"""
