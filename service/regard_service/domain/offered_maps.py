"""The attention maps that a model offers."""

from regard_service.bundle import AttentionLayout, BoxesOutput, Manifest
from regard_service.domain.calls import AlignmentMethod, AttentionKind

STEP_KINDS: tuple[AttentionKind, ...] = ("cross", "alignment")
"""Kinds that the step graph's outputs suffice for."""

TRACE_KINDS: tuple[AttentionKind, ...] = ("encoder_self", "decoder_self", "rollout")
"""Kinds that need the trace graph."""

ENCODER_KINDS: tuple[AttentionKind, ...] = ("encoder_self", "rollout")
"""Kinds of models without a decoder."""

GATE_KINDS: tuple[AttentionKind, ...] = ("channel", "spatial")
"""Kinds of models whose feature maps are gated; their maps have no heads."""

QUERY_KINDS: tuple[AttentionKind, ...] = ("alignment", "cross")
"""Kinds of models whose queries attend to a picture."""


def offered_kinds(manifest: Manifest) -> tuple[AttentionKind, ...]:
    """Returns the kinds of map that a model offers."""
    if not manifest.has_decoder:
        return _offered_without_decoder(manifest) if manifest.is_traced else ()
    if not manifest.is_traced:
        return STEP_KINDS
    # SSRU decoders have no self-attention.
    return STEP_KINDS + (TRACE_KINDS if manifest.is_decoder_traced else ("encoder_self",))


def _offered_without_decoder(manifest: Manifest) -> tuple[AttentionKind, ...]:
    gates = tuple(kind for kind in GATE_KINDS if num_layers_and_heads(manifest, kind)[0])
    has_self = manifest.attention.encoder_layers > 0
    if not isinstance(manifest.output, BoxesOutput):
        return (*(ENCODER_KINDS if has_self else ()), *gates)
    own: tuple[AttentionKind, ...] = ("encoder_self",) if has_self else ()
    return (*(QUERY_KINDS if manifest.attention.layers else ()), *own, *gates)


def has_value_norms(manifest: Manifest) -> bool:
    """Returns whether maps can be weighted by the norms of values, which gates do not have."""
    layout = manifest.attention
    return manifest.is_traced and layout.layers + layout.encoder_layers > 0


def contribution_kinds(manifest: Manifest) -> tuple[AttentionKind, ...]:
    """Returns the kinds of map that can be weighted by contributions."""
    has_encoder, has_decoder, has_cross = (manifest.has_contributions(side) for side in ("encoder", "decoder", "cross"))
    if not manifest.has_decoder:
        return ("encoder_self",) if has_encoder else ()
    kinds = STEP_KINDS if has_cross else ()
    kinds += ("encoder_self",) if has_encoder else ()
    kinds += ("decoder_self",) if has_decoder else ()
    return kinds + (("rollout",) if has_encoder and has_decoder and has_cross else ())


def default_method(layout: AttentionLayout) -> AlignmentMethod:
    """Returns the alignment method of calls that set none."""
    return "shifted" if layout.alignment_shifted else "plain"


def num_layers_and_heads(manifest: Manifest, kind: AttentionKind) -> tuple[int, int]:
    """Returns the numbers of layers and of heads that a kind of map has."""
    layout = manifest.attention
    if kind in GATE_KINDS:
        return layout.channel_layers if kind == "channel" else layout.spatial_layers, 0
    is_encoder = kind == "encoder_self" or not layout.layers
    return (layout.encoder_layers, layout.encoder_heads) if is_encoder else (layout.layers, layout.heads)
