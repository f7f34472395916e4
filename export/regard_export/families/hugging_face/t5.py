"""T5 and mT5 (Raffel et al. 2020, Xue et al. 2021), of version 1.0 and 1.1."""

from collections.abc import Iterator
from typing import Any

from regard_export.checkpoints.weight_names import ACTIVATIONS, renamed
from regard_export.descriptions.transformer import TransformerDescription
from regard_export.errors import ExportError
from regard_export.families.hugging_face.bart import are_tied
from regard_models.nets.transformer_config import TransformerConfig

DEFAULT_MAX_POSITIONS = 1024  # if the tokenizer has no limit

ATTENTION = {"query": "q", "key": "k", "value": "v", "output": "o"}


def describe(net: Any, banned_ids: tuple[int, ...], *, max_positions: int | None = None) -> TransformerDescription:
    """Maps a net of `transformers` to a description.

    Args:
        max_positions: tokens of the longest text; relative positions themselves are unlimited.

    Raises:
        ExportError: the net has an option that the description does not offer.
    """
    settings = net.config
    if settings.dense_act_fn not in ACTIVATIONS:
        raise ExportError(f"feed_forward_proj {settings.feed_forward_proj!r} is not supported")
    table, head = net.shared.weight, net.lm_head.weight
    config = TransformerConfig(
        vocab_size=len(table),
        width=settings.d_model,
        num_heads=settings.num_heads,
        head_width=settings.d_kv,
        encoder_layers=settings.num_layers,
        decoder_layers=settings.num_decoder_layers,
        feed_forward_width=settings.d_ff,
        gated=settings.is_gated_act,
        norm_kind="rms",
        norm_epsilon=settings.layer_norm_epsilon,
        activation=ACTIVATIONS[settings.dense_act_fn],
        positions="relative",
        relative_buckets=settings.relative_attention_num_buckets,
        relative_max_distance=settings.relative_attention_max_distance,
        max_positions=max_positions or DEFAULT_MAX_POSITIONS,
        bias=False,
        scale_embeddings=False,
        scale_attention=False,
        tie_embeddings=are_tied(head, table),
        head_scale=settings.d_model**-0.5 if getattr(settings, "scale_decoder_outputs", False) else 1.0,
    )
    theirs = {name: x.numpy() for name, x in net.state_dict().items()}
    weights = renamed(theirs, dict(_names(config)), ("weight",))
    return TransformerDescription(config, weights, banned_ids)


def _names(config: TransformerConfig) -> Iterator[tuple[str, str]]:
    """Our name and theirs of every weight."""
    yield "embedding", "shared"
    if not config.tie_embeddings:
        yield "head", "lm_head"
    for side, count in (("encoder", config.encoder_layers), ("decoder", config.decoder_layers)):
        yield f"{side}_norm", f"{side}.final_layer_norm"
        yield f"{side}_distances.table", f"{side}.block.0.layer.0.SelfAttention.relative_attention_bias"
        for layer in range(count):
            yield from _layer_names(config, side, layer)


def _layer_names(config: TransformerConfig, side: str, layer: int) -> Iterator[tuple[str, str]]:
    """Our names and theirs within one layer; they number its sublayers."""
    attentions = {"self_attention": "SelfAttention"}
    if side == "decoder":
        attentions["cross_attention"] = "EncDecAttention"
    for index, (ours, theirs) in enumerate([*attentions.items(), ("feed_forward", "DenseReluDense")]):
        place, sublayer = f"{side}.block.{layer}.layer.{index}", f"{side}.{layer}.{ours}"
        yield f"{sublayer}_sublayer.norm", f"{place}.layer_norm"
        if ours != "feed_forward":
            parts = ATTENTION
        elif config.gated:
            parts = {"gate": "wi_0", "inner": "wi_1", "outer": "wo"}
        else:
            parts = {"inner": "wi", "outer": "wo"}
        for our_part, their_part in parts.items():
            yield f"{sublayer}.{our_part}", f"{place}.{theirs}.{their_part}"
