"""EncoderDecoderModel of `transformers` (Rothe et al. 2020, "Leveraging Pre-trained Checkpoints for Sequence Generation
Tasks"): a BERT or one of its relatives reads, another one writes.
"""

import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from regard.arrays import Float32Array
from regard_export.architectures.encoder_decoder import EncoderDecoderArchitecture
from regard_export.architectures.transformer_encode import TextEncoder
from regard_export.checkpoints.weight_names import ACTIVATIONS, WEIGHT_AND_BIAS, renamed, weights_under
from regard_export.descriptions.encoders import BertDescription
from regard_export.descriptions.layers import Weights
from regard_export.descriptions.transformer import DecoderDescription, TransformerDescription
from regard_export.errors import ExportError
from regard_export.families.hugging_face.text_decoders import BERT_LAYER, special_ids, text_decoder
from regard_models.nets.bert import BertConfig

FAMILY = "encoder-decoder"
# Encoders by their model_type: whether positions begin behind the padding token's id.
ENCODERS = {"bert": False, "bert-generation": False, "roberta": True, "xlm-roberta": True, "camembert": True}
# Nothing reads an encoder's pooler, which is often missing. Buffers were stored as weights in older checkpoints.
IGNORED_WEIGHTS = re.compile(
    r"encoder\.pooler\..*|decoder\.transformer\.h\.\d+\.\w+\.(bias|masked_bias)|.*\.position_ids"
)
LAYER = {ours: theirs for ours, theirs in BERT_LAYER.items() if not ours.startswith("cross_attention")}
OUTSIDE_LAYERS = {
    "embedding": "embeddings.word_embeddings",
    "encoder_positions": "embeddings.position_embeddings",
    "segments": "embeddings.token_type_embeddings",
}


def describe(net: Any, banned_ids: tuple[int, ...], *, max_positions: int | None = None) -> DecoderDescription:
    """Maps the decoder of a net of `transformers`; see `architecture` for its encoder.

    Args:
        max_positions: has no effect: encoder and decoder have tables of positions, which limit them.

    Raises:
        ExportError: the decoder is of an unknown kind, or has unsupported options; or the sides have vocabularies of
            their own, while a checkpoint's folder has one tokenizer.
    """
    sizes = net.config.encoder.vocab_size, net.config.decoder.vocab_size
    if sizes[0] != sizes[1]:
        raise ExportError(f"the encoder reads {sizes[0]} pieces, the decoder writes {sizes[1]}: one tokenizer is read")
    weights = {name: x.numpy() for name, x in net.state_dict().items()}
    decoder = text_decoder(
        net.config.decoder,
        weights_under(weights, "decoder."),
        memory_width=net.config.encoder.hidden_size,
        bridge=weights_under(weights, "enc_to_dec_proj."),
        settings={},
    )
    return replace(decoder, banned_ids=banned_ids)


def architecture(net: Any, description: TransformerDescription) -> EncoderDecoderArchitecture:
    """The whole net around the description of its decoder.

    Raises:
        ExportError: the encoder is of an unknown kind, or has unsupported options.
    """
    if not isinstance(description, DecoderDescription):
        raise TypeError(f"{type(description).__name__} describes more than a decoder")
    weights = {name: x.numpy() for name, x in net.encoder.state_dict().items()}
    return EncoderDecoderArchitecture(TextEncoder(bert_encoder(net.config.encoder, weights)), description)


def with_special_ids(settings: Mapping[str, Any], net: Any) -> dict[str, Any]:
    """The settings with the ids that only the decoder's config names."""
    ids = special_ids(settings, net.config.decoder)
    names = {"decoder_start_token_id": "start", "eos_token_id": "end", "pad_token_id": "pad"}
    missing = [name for name, kind in names.items() if ids[kind] is None]
    if missing:
        raise ExportError(f"config.json names no {' and no '.join(missing)}")
    return {**settings, **{name: ids[kind] for name, kind in names.items()}}


def bert_encoder(config: Any, theirs: Weights) -> BertDescription:
    """Maps a BERT or one of its relatives, by the encoder's own names.

    Raises:
        ExportError: the encoder is of an unknown kind, or has unsupported options.
    """
    if config.model_type not in ENCODERS:
        raise ExportError(f"unknown encoder {config.model_type!r}; known are {', '.join(sorted(ENCODERS))}")
    if config.hidden_act not in ACTIVATIONS or getattr(config, "position_embedding_type", "absolute") != "absolute":
        raise ExportError(f"this {config.model_type} encoder has an unsupported hidden_act or position_embedding_type")
    ours = _encoder_weights(config, theirs)
    bert = BertConfig(
        vocab_size=config.vocab_size,
        width=config.hidden_size,
        num_heads=config.num_attention_heads,
        num_layers=config.num_hidden_layers,
        feed_forward_width=config.intermediate_size,
        max_positions=len(ours["encoder_positions.weight"]),
        num_segments=len(ours["segments.weight"]),
        activation=ACTIVATIONS[config.hidden_act],
        norm_epsilon=config.layer_norm_eps,
    )
    return BertDescription(bert.layers, ours, bert=bert)


def _encoder_weights(config: Any, theirs: Weights) -> dict[str, Float32Array]:
    ours = renamed(theirs, OUTSIDE_LAYERS, ("weight",))
    ours |= renamed(theirs, {"encoder_embedding_norm": "embeddings.LayerNorm"}, WEIGHT_AND_BIAS)
    ours.setdefault("segments.weight", np.zeros((1, config.hidden_size), np.float32))
    if ENCODERS[config.model_type]:
        ours["encoder_positions.weight"] = ours["encoder_positions.weight"][config.pad_token_id + 1 :]
    for layer in range(config.num_hidden_layers):
        ours |= renamed(theirs, LAYER, WEIGHT_AND_BIAS, f"encoder.{layer}.", f"encoder.layer.{layer}.")
    return ours
