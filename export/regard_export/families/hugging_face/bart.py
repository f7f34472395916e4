"""BART (Lewis et al. 2020) and what `transformers` built from its code: mBART, Pegasus, M2M100 with NLLB, Marian."""

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import torch
from regard_models.nets.transformer import TransformerConfig, sinusoids

from regard.arrays import Float32Array
from regard_export.checkpoints.weight_mapping import ACTIVATIONS, BOTH, renamed
from regard_export.descriptions.transformer import Description
from regard_export.errors import ExportError

SIDES = ("encoder", "decoder")
OFFSET = 2  # rows of a table of positions before that of the first

# Ours, theirs.
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
class Kind:
    """How one of these families differs from the others.

    Attributes:
        positions: "learned" tables have `OFFSET` rows before the first position; so have "computed" ones, which are
            sinusoids of other rates than ours; "sinusoidal" are ours.
    """

    norm: Literal["pre", "post"]
    positions: Literal["learned", "computed", "sinusoidal"]
    embedding_norm: bool = False

    @property
    def final_norm(self) -> bool:
        return self.norm == "pre"


KINDS = {
    "bart": Kind("post", "learned", embedding_norm=True),
    "mbart": Kind("pre", "learned", embedding_norm=True),
    "pegasus": Kind("pre", "sinusoidal"),
    "m2m_100": Kind("pre", "computed"),
    "marian": Kind("post", "sinusoidal"),
}


def describe(net: Any, banned_ids: tuple[int, ...], *, max_positions: int | None = None) -> Description:
    """Config and weights of a net of `transformers` as our description.

    Args:
        max_positions: a limit that comes from elsewhere.

    Raises:
        ExportError: with every option that the description has no place for.
    """
    settings = net.config
    kind = KINDS[settings.model_type]
    if settings.activation_function not in ACTIVATIONS:
        raise ExportError(f"activation_function {settings.activation_function!r} is not supported")
    encoder, decoder = net.get_encoder().embed_tokens.weight, net.get_decoder().embed_tokens.weight
    head, bias = net.lm_head.weight, getattr(net, "final_logits_bias", None)
    config = TransformerConfig(
        vocab_size=len(decoder),
        source_vocab_size=None if same(encoder, decoder) else len(encoder),
        width=settings.d_model,
        num_heads=settings.decoder_attention_heads,
        encoder_heads=settings.encoder_attention_heads,
        encoder_layers=settings.encoder_layers,
        decoder_layers=settings.decoder_layers,
        feed_forward_width=settings.decoder_ffn_dim,
        encoder_feed_forward_width=settings.encoder_ffn_dim,
        norm=kind.norm,
        activation=ACTIVATIONS[settings.activation_function],
        positions="sinusoidal" if kind.positions == "sinusoidal" else "learned",
        max_positions=min(settings.max_position_embeddings, max_positions or settings.max_position_embeddings),
        scale_embeddings=settings.scale_embedding,
        embedding_norm=kind.embedding_norm,
        final_norm=kind.final_norm,
        tie_embeddings=same(head, decoder),
        output_bias=bias is not None and bool(bias.any()),
    )
    weights = _layers(net, config, kind)
    weights["embedding.weight"] = decoder.detach().numpy()
    if config.source_vocab_size is not None:
        weights["source_embedding.weight"] = encoder.detach().numpy()
    if not config.tie_embeddings:
        weights["head.weight"] = head.detach().numpy()
    if config.output_bias and bias is not None:
        weights["head.bias"] = bias[0].numpy()
    return Description(config, weights, banned_ids)


def same(one: torch.Tensor, other: torch.Tensor) -> bool:
    """Whether two tables are tied, or might as well be."""
    return one.shape == other.shape and (one.data_ptr() == other.data_ptr() or torch.equal(one, other))


def _layers(net: Any, config: TransformerConfig, kind: Kind) -> dict[str, Float32Array]:
    """All weights but those of embeddings and head, by our names."""
    theirs = {name: x.numpy() for name, x in net.state_dict().items()}
    ours: dict[str, Float32Array] = {}
    for side, count, names in (
        ("encoder", config.encoder_layers, ENCODER_LAYER),
        ("decoder", config.decoder_layers, DECODER_LAYER),
    ):
        for layer in range(count):
            ours |= renamed(theirs, names, BOTH, f"{side}.{layer}.", f"model.{side}.layers.{layer}.")
    norms = {f"{side}_norm": f"model.{side}.layer_norm" for side in SIDES if kind.final_norm}
    if kind.embedding_norm:
        norms |= {f"{side}_embedding_norm": f"model.{side}.layernorm_embedding" for side in SIDES}
    return ours | renamed(theirs, norms, BOTH) | _positions(net, config, kind)


def _positions(net: Any, config: TransformerConfig, kind: Kind) -> dict[str, Float32Array]:
    """The tables of positions that are no sinusoids of ours."""
    tables: dict[str, Float32Array] = {}
    for side in SIDES:
        module = net.get_submodule(f"model.{side}.embed_positions")
        match kind.positions:
            case "learned":
                tables[f"{side}_positions.weight"] = module.weight.detach().numpy()[
                    OFFSET : OFFSET + config.max_positions
                ]
            case "computed":
                table = module.weights.numpy()[OFFSET : OFFSET + config.max_positions]
                tables[f"{side}_positions.weight"] = table
            case "sinusoidal":
                expected = sinusoids(config.max_positions, config.width).numpy()
                if not np.allclose(module.weight.detach().numpy()[: len(expected)], expected, atol=1e-5):
                    raise ExportError(f"the {side}'s positions are not the sinusoids that {net.config.model_type} has")
    return tables
