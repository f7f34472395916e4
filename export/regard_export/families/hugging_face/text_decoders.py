"""Decoders of `transformers` that attend to another model's encoder: GPT-2, BERT and its relatives,
TrOCR, mBART.
"""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import torch
from torch import nn
from transformers.models.trocr.modeling_trocr import TrOCRSinusoidalPositionalEmbedding

from regard.arrays import Float32Array
from regard_export.checkpoints.weight_names import ACTIVATIONS, WEIGHT_AND_BIAS, renamed
from regard_export.descriptions.layers import Weights
from regard_export.descriptions.transformer import DecoderDescription
from regard_export.errors import ExportError
from regard_export.families.hugging_face.generation_settings import banned_ids
from regard_models.nets.transformer_config import TransformerConfig

# Our names to theirs.
GPT2_NORMS = {
    "self_attention_sublayer.norm": "ln_1",
    "cross_attention_sublayer.norm": "ln_cross_attn",
    "feed_forward_sublayer.norm": "ln_2",
}
GPT2_LINEARS = {
    ("self_attention.query", "self_attention.key", "self_attention.value"): "attn.c_attn",
    ("self_attention.output",): "attn.c_proj",
    ("cross_attention.query",): "crossattention.q_attn",
    ("cross_attention.key", "cross_attention.value"): "crossattention.c_attn",
    ("cross_attention.output",): "crossattention.c_proj",
    ("feed_forward.inner",): "mlp.c_fc",
    ("feed_forward.outer",): "mlp.c_proj",
}
BERT_LAYER = {
    **{f"self_attention.{kind}": f"attention.self.{kind}" for kind in ("query", "key", "value")},
    "self_attention.output": "attention.output.dense",
    "self_attention_sublayer.norm": "attention.output.LayerNorm",
    **{f"cross_attention.{kind}": f"crossattention.self.{kind}" for kind in ("query", "key", "value")},
    "cross_attention.output": "crossattention.output.dense",
    "cross_attention_sublayer.norm": "crossattention.output.LayerNorm",
    "feed_forward.inner": "intermediate.dense",
    "feed_forward.outer": "output.dense",
    "feed_forward_sublayer.norm": "output.LayerNorm",
}
BERT_HEAD = {
    "head": "cls.predictions.decoder",
    "head_transform.dense": "cls.predictions.transform.dense",
    "head_transform.norm": "cls.predictions.transform.LayerNorm",
}
ROBERTA_HEAD = {
    "head": "lm_head.decoder",
    "head_transform.dense": "lm_head.dense",
    "head_transform.norm": "lm_head.layer_norm",
}
ROBERTA_ACTIVATION = "gelu"  # of its head, whatever that of its layers is
TROCR_ATTENTION = {"query": "q_proj", "key": "k_proj", "value": "v_proj", "output": "out_proj"}
TROCR_LAYER = {
    **{f"self_attention.{ours}": f"self_attn.{theirs}" for ours, theirs in TROCR_ATTENTION.items()},
    "self_attention_sublayer.norm": "self_attn_layer_norm",
    **{f"cross_attention.{ours}": f"encoder_attn.{theirs}" for ours, theirs in TROCR_ATTENTION.items()},
    "cross_attention_sublayer.norm": "encoder_attn_layer_norm",
    "feed_forward.inner": "fc1",
    "feed_forward.outer": "fc2",
    "feed_forward_sublayer.norm": "final_layer_norm",
}
TROCR_POSITION_OFFSET = 2  # rows of a position table before the first position's


def text_decoder(
    config: Any, weights: Weights, *, memory_width: int, bridge: Weights, settings: Mapping[str, Any]
) -> DecoderDescription:
    """Describes a decoder.

    Args:
        config: of `transformers`.
        weights: by the decoder's own names.
        memory_width: of the encoder's states.
        bridge: "weight" and "bias" of the projection between encoder and decoder, or {}; it is merged into the
            projections of keys and values.
        settings: of generation.

    Raises:
        ExportError: the decoder is of an unknown kind, or has unsupported options.
    """
    if config.model_type not in DECODERS:
        raise ExportError(f"unknown decoder {config.model_type!r}; known are {', '.join(sorted(DECODERS))}")
    options, ours = DECODERS[config.model_type](config, weights)
    for layer in range(options["decoder_layers"]):
        for kind in ("key", "value") if bridge else ():
            name = f"decoder.{layer}.cross_attention.{kind}"
            # W (B x + b) + c = W B x + (W b + c)
            ours[f"{name}.bias"] = ours[f"{name}.weight"] @ bridge["bias"] + ours[f"{name}.bias"]
            ours[f"{name}.weight"] = ours[f"{name}.weight"] @ bridge["weight"]
    # The config also says whether they are tied, but the saved weights decide.
    is_tied = np.array_equal(ours["head.weight"], ours["embedding.weight"])
    if is_tied:
        del ours["head.weight"]
    return DecoderDescription(
        TransformerConfig(
            encoder_layers=0,
            positions="learned",
            output_bias="head.bias" in ours,
            tie_embeddings=is_tied,
            memory_width=memory_width,
            **options,
        ),
        ours,
        banned_ids(settings),
        is_renormalized=bool(settings.get("renormalize_logits")),
    )


def special_ids(settings: Mapping[str, Any], decoder: Any) -> dict[str, Any]:
    """The start, end and pad tokens, from the first place that names each: the settings, then the decoder's config."""
    ids: dict[str, Any] = {}
    for name, kinds in {
        "start": ("decoder_start", "bos"),
        "end": ("eos", "sep"),
        "pad": ("pad", "eos"),
    }.items():
        places = [settings.get(f"{kinds[0]}_token_id"), *(getattr(decoder, f"{kind}_token_id", None) for kind in kinds)]
        ids[name] = next((token for token in places if token is not None), None)
    return ids


def _gpt2(config: Any, theirs: Weights) -> tuple[dict[str, Any], dict[str, Float32Array]]:
    """Radford et al. 2019; linear layers are stored transposed, several of them concatenated."""
    _refuse(
        config,
        {
            "activation_function": config.activation_function not in ACTIVATIONS,
            "scale_attn_weights": not config.scale_attn_weights,
            "scale_attn_by_inverse_layer_idx": config.scale_attn_by_inverse_layer_idx,
        },
    )
    names = {"embedding": "transformer.wte", "decoder_positions": "transformer.wpe", "head": "lm_head"}
    ours = renamed(theirs, names, ("weight",)) | renamed(theirs, {"decoder_norm": "transformer.ln_f"}, WEIGHT_AND_BIAS)
    for layer in range(config.n_layer):
        our_prefix, their_prefix = f"decoder.{layer}.", f"transformer.h.{layer}."
        ours |= renamed(theirs, GPT2_NORMS, WEIGHT_AND_BIAS, our_prefix, their_prefix)
        for our_names, name in GPT2_LINEARS.items():
            weight, bias = theirs[f"{their_prefix}{name}.weight"], theirs[f"{their_prefix}{name}.bias"]
            parts = np.split(weight.T, len(our_names)), np.split(bias, len(our_names))
            for our_name, part, part_bias in zip(our_names, *parts, strict=True):
                ours[f"{our_prefix}{our_name}.weight"] = np.ascontiguousarray(part)
                ours[f"{our_prefix}{our_name}.bias"] = part_bias
    return {
        "vocab_size": config.vocab_size,
        "width": config.n_embd,
        "num_heads": config.n_head,
        "decoder_layers": config.n_layer,
        "feed_forward_width": config.n_inner or 4 * config.n_embd,
        "norm": "pre",
        "activation": ACTIVATIONS[config.activation_function],
        "max_positions": config.n_positions,
        "scale_embeddings": False,
        "norm_epsilon": config.layer_norm_epsilon,
    }, ours


def _bert(config: Any, theirs: Weights) -> tuple[dict[str, Any], dict[str, Float32Array]]:
    """Devlin et al. 2019, as a decoder; all tokens are of the first segment."""
    return _bert_like(config, theirs, "bert", BERT_HEAD, first_position=0)


def _roberta(config: Any, theirs: Weights) -> tuple[dict[str, Any], dict[str, Float32Array]]:
    """Liu et al. 2019, XLM-R and CamemBERT: BERT whose positions begin behind the padding token's id."""
    _refuse(config, {"hidden_act": config.hidden_act != ROBERTA_ACTIVATION})
    return _bert_like(config, theirs, "roberta", ROBERTA_HEAD, first_position=config.pad_token_id + 1)


def _bert_generation(config: Any, theirs: Weights) -> tuple[dict[str, Any], dict[str, Float32Array]]:
    """Rothe et al. 2020: BERT without segments and without a transform before the logits."""
    return _bert_like(config, theirs, "bert", {"head": "lm_head.decoder"}, first_position=0)


def _bert_like(
    config: Any, theirs: Weights, prefix: str, head: Mapping[str, str], *, first_position: int
) -> tuple[dict[str, Any], dict[str, Float32Array]]:
    """Args: head: our names to theirs of the layers behind the last one."""
    _refuse(
        config,
        {
            "hidden_act": config.hidden_act not in ACTIVATIONS,
            "position_embedding_type": getattr(config, "position_embedding_type", "absolute") != "absolute",
        },
    )
    ours = renamed(theirs, head, WEIGHT_AND_BIAS)
    ours |= renamed(theirs, {"decoder_embedding_norm": f"{prefix}.embeddings.LayerNorm"}, WEIGHT_AND_BIAS)
    ours["embedding.weight"] = theirs[f"{prefix}.embeddings.word_embeddings.weight"]
    ours["decoder_positions.weight"] = theirs[f"{prefix}.embeddings.position_embeddings.weight"][first_position:]
    segments = theirs.get(f"{prefix}.embeddings.token_type_embeddings.weight")
    if segments is not None:
        ours["decoder_positions.weight"] = ours["decoder_positions.weight"] + segments[0]
    for layer in range(config.num_hidden_layers):
        ours |= renamed(theirs, BERT_LAYER, WEIGHT_AND_BIAS, f"decoder.{layer}.", f"{prefix}.encoder.layer.{layer}.")
    return {
        "vocab_size": config.vocab_size,
        "width": config.hidden_size,
        "num_heads": config.num_attention_heads,
        "decoder_layers": config.num_hidden_layers,
        "feed_forward_width": config.intermediate_size,
        "norm": "post",
        "activation": ACTIVATIONS[config.hidden_act],
        "max_positions": len(ours["decoder_positions.weight"]),
        "scale_embeddings": False,
        "final_norm": False,
        "norm_epsilon": config.layer_norm_eps,
        "embedding_norm": True,
        "head_transform": "head_transform.dense" in head,
    }, ours


def _trocr(config: Any, theirs: Weights) -> tuple[dict[str, Any], dict[str, Float32Array]]:
    """Li et al. 2021: BART's decoder with other positions."""
    _refuse(config, {"activation_function": config.activation_function not in ACTIVATIONS})
    ours = {
        "embedding.weight": theirs["model.decoder.embed_tokens.weight"],
        "decoder_positions.weight": _trocr_positions(config, theirs),
        "head.weight": theirs["output_projection.weight"],
    }
    if config.layernorm_embedding:
        ours |= renamed(theirs, {"decoder_embedding_norm": "model.decoder.layernorm_embedding"}, WEIGHT_AND_BIAS)
    for layer in range(config.decoder_layers):
        ours |= renamed(theirs, TROCR_LAYER, WEIGHT_AND_BIAS, f"decoder.{layer}.", f"model.decoder.layers.{layer}.")
    return {
        **_sizes_of_bart(config, ours),
        "norm": "post",
        "final_norm": False,
        "embedding_norm": config.layernorm_embedding,
    }, ours


def _mbart(config: Any, theirs: Weights) -> tuple[dict[str, Any], dict[str, Float32Array]]:
    """Liu et al. 2020, as the decoder of Donut: TrOCR's with normalizations first."""
    _refuse(config, {"activation_function": config.activation_function not in ACTIVATIONS})
    positions = theirs["model.decoder.embed_positions.weight"][TROCR_POSITION_OFFSET:]
    ours = {
        "embedding.weight": theirs["model.decoder.embed_tokens.weight"],
        "decoder_positions.weight": positions,
        "head.weight": theirs["lm_head.weight"],
    }
    norms = {"decoder_embedding_norm": "layernorm_embedding", "decoder_norm": "layer_norm"}
    ours |= renamed(theirs, norms, WEIGHT_AND_BIAS, their_prefix="model.decoder.")
    for layer in range(config.decoder_layers):
        ours |= renamed(theirs, TROCR_LAYER, WEIGHT_AND_BIAS, f"decoder.{layer}.", f"model.decoder.layers.{layer}.")
    return {
        **_sizes_of_bart(config, ours),
        "norm": "pre",
        "embedding_norm": True,
    }, ours


def _sizes_of_bart(config: Any, ours: dict[str, Float32Array]) -> dict[str, Any]:
    """What decoders of BART's kind say of themselves in the same words."""
    return {
        "vocab_size": config.vocab_size,
        "width": config.d_model,
        "num_heads": config.decoder_attention_heads,
        "decoder_layers": config.decoder_layers,
        "feed_forward_width": config.decoder_ffn_dim,
        "activation": ACTIVATIONS[config.activation_function],
        "max_positions": len(ours["decoder_positions.weight"]),
        "scale_embeddings": config.scale_embedding,
    }


def _trocr_positions(config: Any, theirs: Weights) -> Float32Array:
    """The position table from the first position on: learned, or sines and cosines in fairseq's order."""
    if config.use_learned_position_embeddings:
        return theirs["model.decoder.embed_positions.weight"][TROCR_POSITION_OFFSET:]
    padding, first_position = config.pad_token_id, config.pad_token_id + 1
    table = TrOCRSinusoidalPositionalEmbedding.get_embedding(
        config.max_position_embeddings + first_position, config.d_model, padding
    )
    positions: Float32Array = table[first_position:].to(torch.float32).numpy()
    return positions


def recompute_sinusoids(net: nn.Module) -> None:
    """Makes TrOCR compute its sinusoids again, which loading a checkpoint leaves uninitialized."""
    for module in net.modules():
        if isinstance(module, TrOCRSinusoidalPositionalEmbedding):
            module.weights = None  # computed on first use


def _refuse(config: Any, is_faulty: Mapping[str, bool]) -> None:
    """Raises ExportError with every option that the description does not offer, if there are any."""
    named = [f"{name} {getattr(config, name)!r}" for name, fault in is_faulty.items() if fault]
    if named:
        raise ExportError(f"this {config.model_type} decoder has unsupported options: {', '.join(named)}")


DECODERS: Mapping[str, Callable[[Any, Weights], tuple[dict[str, Any], dict[str, Float32Array]]]] = {
    "gpt2": _gpt2,
    "bert": _bert,
    "bert-generation": _bert_generation,
    "blip_text_model": _bert,
    **dict.fromkeys(("roberta", "xlm-roberta", "camembert"), _roberta),
    "trocr": _trocr,
    "mbart": _mbart,
}
