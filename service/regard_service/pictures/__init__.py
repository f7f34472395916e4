"""Pictures to pixels.

The modules:

    reader            a file to the encoder's pixels
    price             what decoding a file costs, before it is decoded
    decoder_process   the process in which expensive pictures are decoded, as the server sees it
    decoder           the program of that process
    abandoned         tells code in a thread that nobody waits for it
"""
