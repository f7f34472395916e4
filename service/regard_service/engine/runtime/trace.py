"""What a trace graph computes: all attention of one pass over a source and a finished target."""

from dataclasses import dataclass

from regard.arrays import Float32Array


@dataclass(frozen=True)
class Trace:
    """All attention of one pass; the norms are those of the value vectors after the output projection.

    Maps that the graph does not output have 0 layers here: SSRU decoders have no self-attention.

    Attributes:
        encoder_self: float32 [layers, heads, source, source].
        decoder_self: float32 [layers, heads, target, target]; row t is the step that made token t, column 0 the
            decoder's start, column t token t - 1.
        cross: float32 [layers, heads, target, source].
        encoder_norms, cross_norms: float32 [layers, heads, source] (Kobayashi et al. 2020, section 3).
        decoder_norms: float32 [layers, heads, target].
    """

    encoder_self: Float32Array
    decoder_self: Float32Array
    cross: Float32Array
    encoder_norms: Float32Array
    decoder_norms: Float32Array
    cross_norms: Float32Array
