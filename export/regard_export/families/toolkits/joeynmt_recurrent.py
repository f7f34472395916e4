"""JoeyNMT's recurrent models (Kreutzer et al. 2019), with input feeding and either score."""

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from regard.arrays import Float32Array
from regard_export.checkpoints.weight_names import WEIGHT_AND_BIAS, renamed
from regard_export.descriptions.layers import Weights
from regard_export.descriptions.recurrent import (
    CELL_PARAMETERS,
    RecurrentDescription,
    decoder_cells,
    encoder_parameters,
)
from regard_export.errors import ExportError
from regard_models.nets.recurrent import RecurrentConfig, ScoreName, Start

SCORES_BY_ATTENTION: dict[str, ScoreName] = {"bahdanau": "additive", "luong": "general"}
STARTS_BY_INIT_HIDDEN: dict[str, Start] = {"bridge": "bridge", "last": "last", "zero": "zero"}


def faults(model: Mapping[str, Any]) -> Iterator[str]:
    """Names every option that is not supported."""
    encoder, decoder = model["encoder"], model["decoder"]
    if decoder.get("type", "recurrent") != "recurrent":
        yield f"a recurrent encoder with decoder type {decoder['type']!r}"
    if encoder.get("rnn_type", "gru") != decoder.get("rnn_type", "gru"):
        yield "rnn_type that differs between encoder and decoder"
    if not encoder.get("bidirectional", True):
        yield "an encoder of one direction"
    if not decoder.get("input_feeding", True):
        yield "input_feeding False"
    if decoder.get("activation", "tanh") != "tanh":
        yield f"decoder activation {decoder['activation']!r}"
    if decoder.get("attention", "bahdanau") not in SCORES_BY_ATTENTION:
        yield f"attention {decoder['attention']!r}"
    if decoder.get("init_hidden", "bridge") not in STARTS_BY_INIT_HIDDEN:
        yield f"init_hidden {decoder['init_hidden']!r}"
    if encoder["embeddings"]["embedding_dim"] != decoder["embeddings"]["embedding_dim"]:
        yield "embeddings whose width differs between encoder and decoder"


def describe(model: Mapping[str, Any], theirs: Weights) -> RecurrentDescription:
    """Maps the weights and the model part of config.yaml."""
    encoder, decoder = model["encoder"], model["decoder"]
    is_shared, width = model.get("tied_embeddings", False), decoder["hidden_size"]
    is_lstm = decoder.get("rnn_type", "gru") == "lstm"
    try:
        config = RecurrentConfig(
            vocab_size=len(theirs["trg_embed.lut.weight"]),
            source_vocab_size=None if is_shared else len(theirs["src_embed.lut.weight"]),
            width=decoder["embeddings"]["embedding_dim"],
            encoder_width=encoder["hidden_size"],
            decoder_width=width,
            style="luong",
            score=SCORES_BY_ATTENTION[decoder.get("attention", "bahdanau")],
            score_width=width,
            cell="lstm" if is_lstm else "gru",
            encoder_layers=encoder.get("num_layers", 1),
            decoder_layers=decoder.get("num_layers", 1),
            scale_embeddings=decoder["embeddings"].get("scale", False),
            tie_embeddings=model.get("tied_softmax", False),
            head_bias=False,
            readout_width=width,
            readout_bias=True,
            start=STARTS_BY_INIT_HIDDEN[decoder.get("init_hidden", "bridge")],
            start_cell="hidden" if is_lstm else "zero",
        )
    except ValueError as error:
        raise ExportError(f"this JoeyNMT model is not supported: {error}") from error
    return RecurrentDescription(config, _weights(config, theirs))


def _weights(config: RecurrentConfig, theirs: Weights) -> dict[str, Float32Array]:
    weights: dict[str, Float32Array] = {"embedding.weight": theirs["trg_embed.lut.weight"]}
    if config.source_vocab_size is not None:
        weights["source_embedding.weight"] = theirs["src_embed.lut.weight"]
    if not config.tie_embeddings:
        weights["head.weight"] = theirs["decoder.output_layer.weight"]
    for parameter in encoder_parameters(config):
        weights[f"encoder.layers.{parameter}"] = theirs[f"encoder.rnn.{parameter}"]
    for layer, cell in enumerate(decoder_cells(config)):
        weights |= {f"{cell}.{name}": theirs[f"decoder.rnn.{name}_l{layer}"] for name in CELL_PARAMETERS}
    names = {"decoder.attention.score.key": "decoder.attention.key_layer"}
    if config.score == "additive":
        names["decoder.attention.score.query"] = "decoder.attention.query_layer"
        names["decoder.attention.score.energy"] = "decoder.attention.energy_layer"
    weights |= renamed(theirs, names, ("weight",))
    if config.start == "bridge":
        weights |= renamed(theirs, {"encoder.bridge": "decoder.bridge_layer"}, WEIGHT_AND_BIAS)
    # JoeyNMT's readout concatenates state and context in the opposite order.
    state, context = np.split(theirs["decoder.att_vector_layer.weight"], [config.decoder_width], axis=1)
    weights["decoder.readout.weight"] = np.concatenate([context, state], axis=1)
    weights["decoder.readout.bias"] = theirs["decoder.att_vector_layer.bias"]
    return weights
