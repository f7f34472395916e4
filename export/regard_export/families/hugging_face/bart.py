"""BART (Lewis et al. 2020) and its relatives in `transformers`: mBART, Pegasus, M2M100 with NLLB, Marian."""

from dataclasses import dataclass
from typing import Any, Literal

import torch

from regard.arrays import Float32Array
from regard_export.checkpoints.weight_names import ACTIVATIONS, WEIGHT_AND_BIAS, renamed
from regard_export.descriptions.transformer import TransformerDescription
from regard_export.errors import ExportError
from regard_models.nets.transformer import TransformerConfig, sinusoids

SIDES = ("encoder", "decoder")
HALF_PRECISION = 4e-3  # of a number up to 1 in bfloat16
POSITION_OFFSET = 2  # rows of a position table before the first position's

# Our names to theirs.
ATTENTION = {"query": "q_proj", "key": "k_proj", "value": "v_proj", "output": "out_proj"}
ENCODER_LAYER = {
    **{f"self_attention.{ours}": f"self_attn.{theirs}" for ours, theirs in ATTENTION.items()},
    "self_attention_sublayer.norm": "self_attn_layer_norm",
    "feed_forward.inner": "fc1",
    "feed_forward.outer": "fc2",
    "feed_forward_sublayer.norm": "final_layer_norm",
}
DECODER_LAYER = {
    **ENCODER_LAYER,
    **{f"cross_attention.{ours}": f"encoder_attn.{theirs}" for ours, theirs in ATTENTION.items()},
    "cross_attention_sublayer.norm": "encoder_attn_layer_norm",
}


@dataclass(frozen=True)
class BartVariant:
    """How one of these families differs from the others.

    Attributes:
        positions: "learned" tables have `POSITION_OFFSET` rows before the first position. So have "computed" ones,
            which are sinusoids with other frequencies than ours. "sinusoidal" ones are ours.
    """

    norm: Literal["pre", "post"]
    positions: Literal["learned", "computed", "sinusoidal"]
    has_embedding_norm: bool = False

    @property
    def has_final_norm(self) -> bool:
        """Whether a normalization follows the last layer."""
        return self.norm == "pre"


VARIANTS = {
    "bart": BartVariant("post", "learned", has_embedding_norm=True),
    "mbart": BartVariant("pre", "learned", has_embedding_norm=True),
    "pegasus": BartVariant("pre", "sinusoidal"),
    "m2m_100": BartVariant("pre", "computed"),
    "marian": BartVariant("post", "sinusoidal"),
}


def describe(net: Any, banned_ids: tuple[int, ...], *, max_positions: int | None = None) -> TransformerDescription:
    """Maps a net of `transformers` to a description.

    Args:
        max_positions: a limit in addition to the config's, such as the tokenizer's.

    Raises:
        ExportError: the net has an option that the description does not offer.
    """
    settings = net.config
    variant = VARIANTS[settings.model_type]
    if settings.activation_function not in ACTIVATIONS:
        raise ExportError(f"activation_function {settings.activation_function!r} is not supported")
    encoder, decoder = net.get_encoder().embed_tokens.weight, net.get_decoder().embed_tokens.weight
    head, bias = net.lm_head.weight, getattr(net, "final_logits_bias", None)
    config = TransformerConfig(
        vocab_size=len(decoder),
        source_vocab_size=None if are_tied(encoder, decoder) else len(encoder),
        width=settings.d_model,
        num_heads=settings.decoder_attention_heads,
        encoder_heads=settings.encoder_attention_heads,
        encoder_layers=settings.encoder_layers,
        decoder_layers=settings.decoder_layers,
        feed_forward_width=settings.decoder_ffn_dim,
        encoder_feed_forward_width=settings.encoder_ffn_dim,
        norm=variant.norm,
        activation=ACTIVATIONS[settings.activation_function],
        positions="sinusoidal" if variant.positions == "sinusoidal" else "learned",
        max_positions=min(settings.max_position_embeddings, max_positions or settings.max_position_embeddings),
        scale_embeddings=settings.scale_embedding,
        embedding_norm=variant.has_embedding_norm,
        final_norm=variant.has_final_norm,
        tie_embeddings=are_tied(head, decoder),
        output_bias=bias is not None and bool(bias.any()),
    )
    weights = _layers(net, config, variant)
    weights["embedding.weight"] = decoder.detach().numpy()
    if config.source_vocab_size is not None:
        weights["source_embedding.weight"] = encoder.detach().numpy()
    if not config.tie_embeddings:
        weights["head.weight"] = head.detach().numpy()
    if config.output_bias and bias is not None:
        weights["head.bias"] = bias[0].numpy()
    return TransformerDescription(config, weights, banned_ids)


def are_tied(one: torch.Tensor, other: torch.Tensor) -> bool:
    """Whether two tables are the same tensor, or equal."""
    return one.shape == other.shape and (one.data_ptr() == other.data_ptr() or torch.equal(one, other))


def _layers(net: Any, config: TransformerConfig, variant: BartVariant) -> dict[str, Float32Array]:
    """All weights except embeddings and head, by our names."""
    theirs = {name: x.numpy() for name, x in net.state_dict().items()}
    ours: dict[str, Float32Array] = {}
    for side, count, names in (
        ("encoder", config.encoder_layers, ENCODER_LAYER),
        ("decoder", config.decoder_layers, DECODER_LAYER),
    ):
        for layer in range(count):
            ours |= renamed(theirs, names, WEIGHT_AND_BIAS, f"{side}.{layer}.", f"model.{side}.layers.{layer}.")
    norms = {f"{side}_norm": f"model.{side}.layer_norm" for side in SIDES if variant.has_final_norm}
    if variant.has_embedding_norm:
        norms |= {f"{side}_embedding_norm": f"model.{side}.layernorm_embedding" for side in SIDES}
    return ours | renamed(theirs, norms, WEIGHT_AND_BIAS) | _positions(net, config, variant)


def _positions(net: Any, config: TransformerConfig, variant: BartVariant) -> dict[str, Float32Array]:
    """The position tables; none if they are our sinusoids."""
    tables: dict[str, Float32Array] = {}
    for side in SIDES:
        module = net.get_submodule(f"model.{side}.embed_positions")
        match variant.positions:
            case "learned":
                tables[f"{side}_positions.weight"] = module.weight.detach().numpy()[
                    POSITION_OFFSET : POSITION_OFFSET + config.max_positions
                ]
            case "computed":
                table = module.weights.numpy()[POSITION_OFFSET : POSITION_OFFSET + config.max_positions]
                tables[f"{side}_positions.weight"] = table
            case "sinusoidal":
                expected, stored = sinusoids(config.max_positions, config.width), module.weight.detach()
                if not torch.allclose(stored[: len(expected)], expected, atol=HALF_PRECISION):
                    raise ExportError(f"the {side}'s positions are not the sinusoids that {net.config.model_type} has")
                stored[: len(expected)] = expected  # a state in half precision has rounded them
    return tables
