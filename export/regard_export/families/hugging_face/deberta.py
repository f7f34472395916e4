"""DeBERTa of versions 2 and 3 (He et al. 2021, "DeBERTa"; He et al. 2023, "DeBERTaV3"): its encoder."""

from typing import Any

import numpy as np

from regard.arrays import Float32Array
from regard_export.checkpoints.weight_names import ACTIVATIONS, WEIGHT_AND_BIAS, renamed
from regard_export.descriptions.disentangled import DisentangledDescription
from regard_export.descriptions.layers import Weights
from regard_export.errors import ExportError
from regard_models.nets.bert import BertConfig

LAYER = {
    **{f"self_attention.{kind}": f"attention.self.{kind}_proj" for kind in ("query", "key", "value")},
    "self_attention.output": "attention.output.dense",
    "self_attention_sublayer.norm": "attention.output.LayerNorm",
    "feed_forward.inner": "intermediate.dense",
    "feed_forward.outer": "output.dense",
    "feed_forward_sublayer.norm": "output.LayerNorm",
}
TERMS = {"c2p": "key", "p2c": "query"}  # what relative positions are in each term


def deberta_encoder(config: Any, theirs: Weights) -> DisentangledDescription:
    """Maps an encoder, by its own names. Raises ExportError: it has unsupported options."""
    _check(config)
    own_layers = {} if config.share_att_key else {kind: f"pos_{kind}_proj" for kind in ("key", "query")}
    terms = [TERMS[term] for term in TERMS if term in config.pos_att_type]
    layer_names = {**LAYER}
    for kind in terms:
        if kind in own_layers:
            layer_names[f"self_attention.position_{kind}"] = f"attention.self.{own_layers[kind]}"
    ours = renamed(theirs, {"embedding": "embeddings.word_embeddings"}, ("weight",))
    ours |= renamed(theirs, {"encoder_embedding_norm": "embeddings.LayerNorm"}, WEIGHT_AND_BIAS)
    for layer in range(config.num_hidden_layers):
        ours |= renamed(theirs, layer_names, WEIGHT_AND_BIAS, f"encoder.{layer}.", f"encoder.layer.{layer}.")
    bert = BertConfig(
        vocab_size=config.vocab_size,
        width=config.hidden_size,
        num_heads=config.num_attention_heads,
        num_layers=config.num_hidden_layers,
        feed_forward_width=config.intermediate_size,
        max_positions=config.max_position_embeddings,
        activation=ACTIVATIONS[config.hidden_act],
        norm_epsilon=config.layer_norm_eps,
    )
    limit = config.max_relative_positions
    return DisentangledDescription(
        bert.layers,
        ours,
        position_table=_position_table(config, theirs),
        relative=_relative(config, theirs),
        position_layers={kind: f"position_{kind}" if kind in own_layers else kind for kind in terms},
        buckets=max(0, config.position_buckets),
        max_distance=limit if limit >= 1 else config.max_position_embeddings,
    )


def _check(config: Any) -> None:
    if config.hidden_act not in ACTIVATIONS:
        raise ExportError(f"this deberta-v2 encoder has an unsupported activation: {config.hidden_act!r}")
    if getattr(config, "conv_kernel_size", 0) > 0:
        raise ExportError("this deberta-v2 encoder has a convolution (conv_kernel_size), which is not supported")
    if not config.relative_attention or not set(config.pos_att_type or ()) & set(TERMS):
        raise ExportError("this deberta-v2 encoder has no relative positions (relative_attention, pos_att_type)")
    if getattr(config, "embedding_size", config.hidden_size) != config.hidden_size:
        raise ExportError("this deberta-v2 encoder has embeddings of another width (embedding_size)")


def _relative(config: Any, theirs: Weights) -> Float32Array:
    """The vectors of relative positions, normalized if the config says so: float32 [2 x span, width]."""
    table = theirs["encoder.rel_embeddings.weight"]
    if "layer_norm" not in config.norm_rel_ebd:
        return table
    gain, bias = (theirs[f"encoder.LayerNorm.{part}"] for part in ("weight", "bias"))
    centred = table - table.mean(axis=1, keepdims=True)
    spread = np.sqrt((centred**2).mean(axis=1, keepdims=True) + config.layer_norm_eps)
    normalized: Float32Array = (centred / spread * gain + bias).astype(np.float32)
    return normalized


def _position_table(config: Any, theirs: Weights) -> Float32Array | None:
    """What is added to embeddings: absolute positions and the first segment; None without either."""
    tables = []
    if config.position_biased_input:
        tables.append(theirs["embeddings.position_embeddings.weight"])
    if config.type_vocab_size:
        segment = theirs["embeddings.token_type_embeddings.weight"][:1]
        tables.append(np.repeat(segment, config.max_position_embeddings, axis=0))
    return sum(tables[1:], tables[0]) if tables else None
