"""OpenNMT-py 3 (Klein et al. 2017), read without its code: one file of weights, options and vocabularies.

The SentencePiece model that the options name stands beside it; without one, texts are words between white space.
"""

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from safetensors.numpy import load_file

from regard.arrays import Float32Array
from regard_export.architectures.recurrent import RecurrentArchitecture
from regard_export.architectures.transformer import TransformerArchitecture
from regard_export.checkpoints.languages import named_languages
from regard_export.checkpoints.source_model import LoadOptions, SourceModel
from regard_export.checkpoints.unsupported import refuse_unsupported
from regard_export.checkpoints.weight_names import WEIGHT_AND_BIAS, renamed
from regard_export.descriptions.layers import Weights
from regard_export.descriptions.recurrent import (
    CELL_PARAMETERS,
    RecurrentDescription,
    decoder_cells,
    encoder_parameters,
)
from regard_export.descriptions.transformer import TransformerDescription
from regard_export.errors import ExportError
from regard_export.families.toolkits.position_tables import concatenated_sinusoids, interleaved_sinusoids
from regard_export.families.toolkits.tracked_weights import TrackedWeights
from regard_export.families.toolkits.vocabularies import SpecialPieces, Vocabularies, VocabularyTextMixin
from regard_export.references.recurrent import RecurrentReference
from regard_export.references.transformer import TransformerReference
from regard_models.nets.recurrent import RecurrentConfig
from regard_models.nets.transformer_config import Activation, TransformerConfig
from regard_service.bundle import GenerationDefaults, Provenance, Target

TRANSFORMER, RECURRENT = "opennmt-transformer", "opennmt-recurrent"
SPECIAL_PIECES = SpecialPieces(unknown="<unk>", pad="<blank>", start="<s>", end="</s>")
MAX_POSITIONS = 512  # of OpenNMT-py's 5,000
# Defaults of OpenNMT-py's translation, as is the score without a length penalty.
MAX_NEW_TOKENS = 250
NUM_BEAMS = 5
SENTENCEPIECE_TRANSFORM = "sentencepiece"
TRAINING_TRANSFORMS = {"filtertoolong", "clean", "switchout", "tokendrop", "tokenmask"}
ACTIVATIONS: dict[str, tuple[Activation, bool]] = {  # and whether the layer is gated
    "relu": ("relu", False),
    "gelu": ("gelu", False),
    "silu": ("silu", True),
    "gated-gelu": ("gelu", True),
}
POSITION_TABLES = {"SinusoidalInterleaved": interleaved_sinusoids, "SinusoidalConcat": concatenated_sinusoids}
IGNORED_WEIGHTS = re.compile(r".*\.pe\.pe")  # the position table, which depends only on the width
EMBEDDING = "embeddings.make_embedding.emb_luts.0.weight"

# Options that are not supported, with the values that have no effect; older files lack some of them.
NEUTRAL_VALUES: dict[str, tuple[Any, ...]] = {
    "model_task": ("seq2seq",),
    "data_task": ("seq2seq",),
    "n_src_feats": (0,),
    "copy_attn": (False,),
    "coverage_attn": (False,),
    "context_gate": (None,),
    "generator_function": ("softmax",),
    "lora_layers": ([],),
    "lora_embedding": (False,),
    "quant_layers": ([],),
    "src_prefix": ("", None),
    "src_suffix": ("", None),
}
# Options of one kind of model, with the values that are supported.
TRANSFORMER_VALUES: dict[str, tuple[Any, ...]] = {
    "position_encoding": (True,),
    "max_relative_positions": (0,),
    "relative_positions_buckets": (0,),
    "self_attn_type": ("scaled-dot", "scaled-dot-flash"),
    "num_kv": (0,),
    "multiquery": (False,),
    "parallel_residual": (False,),
    "sliding_window": (0,),
    "num_experts": (0,),
    "layer_norm": ("standard", "rms"),
    "pos_ffn_activation_fn": tuple(ACTIVATIONS),
    "position_encoding_type": tuple(POSITION_TABLES),
}
RECURRENT_VALUES: dict[str, tuple[Any, ...]] = {
    "rnn_type": ("LSTM", "GRU"),
    "global_attention": ("dot", "general", "mlp"),
    "global_attention_function": ("softmax",),
    "input_feed": (1,),
    "bridge": (False,),
    "position_encoding": (False,),
}

# Our names to theirs.
ATTENTION = {"query": "linear_query", "key": "linear_keys", "value": "linear_values", "output": "final_linear"}
FEED_FORWARD = {"feed_forward.inner": "feed_forward.w_1", "feed_forward.outer": "feed_forward.w_2"}
GATED_FEED_FORWARD = {"feed_forward.gate": "feed_forward.w_1", "feed_forward.inner": "feed_forward.w_3"}
SELF_ATTENTION = {f"self_attention.{ours}": f"self_attn.{theirs}" for ours, theirs in ATTENTION.items()}
CROSS_ATTENTION = {f"cross_attention.{ours}": f"context_attn.{theirs}" for ours, theirs in ATTENTION.items()}
ENCODER_NORMS = {
    "self_attention_sublayer.norm": "layer_norm",
    "feed_forward_sublayer.norm": "feed_forward.layer_norm",
}
DECODER_NORMS = {
    "self_attention_sublayer.norm": "layer_norm_1",
    "cross_attention_sublayer.norm": "layer_norm_2",
    "feed_forward_sublayer.norm": "feed_forward.layer_norm",
}


def load(file: Path, content: Mapping[str, Any], load_options: LoadOptions) -> SourceModel:
    """Maps a file's content to a source model.

    Args:
        content: the file's, with its options by name.

    Raises:
        ExportError: names every unsupported option.
    """
    options = content["opt"]
    is_recurrent = options.get("encoder_type") in ("rnn", "brnn")
    refuse_unsupported("OpenNMT-py", _faults(options, is_recurrent))
    vocabularies = _vocabularies(file.parent, content["vocab"], options)
    languages = named_languages(load_options.languages)
    weights = TrackedWeights(_weights(file, content))
    description = _describe(options, weights, is_recurrent)
    target = vocabularies.text_target(description.config.vocab_size)
    architecture: TransformerArchitecture | RecurrentArchitecture
    reference: OpenNmtTransformerReference | OpenNmtRecurrentReference
    if isinstance(description, RecurrentDescription):
        architecture = RecurrentArchitecture(description)
        reference = OpenNmtRecurrentReference(description, target, vocabularies)
    else:
        architecture = TransformerArchitecture(description)
        reference = OpenNmtTransformerReference(description, target, vocabularies)
    return SourceModel(
        family=RECURRENT if is_recurrent else TRANSFORMER,
        task="translation",
        architecture=architecture,
        reference=reference,
        source=vocabularies.text_source(),
        target=target,
        tokenizers=vocabularies.tokenizers(),
        max_source_tokens=MAX_POSITIONS,
        max_target_tokens=MAX_POSITIONS,
        generation=GenerationDefaults(num_beams=NUM_BEAMS, max_new_tokens=MAX_NEW_TOKENS, length_penalty=0.0),
        provenance=Provenance(source=f"OpenNMT-py model {file.stem}"),
        source_languages=languages.sources,
        target_languages=languages.targets,
    )


class OpenNmtTransformerReference(VocabularyTextMixin, TransformerReference):
    """The weights in the project's transformer, which is tested with checkpoints that OpenNMT-py trained."""

    def __init__(self, description: TransformerDescription, target: Target, vocabularies: Vocabularies) -> None:
        TransformerReference.__init__(self, description, target)
        VocabularyTextMixin.__init__(self, vocabularies)


class OpenNmtRecurrentReference(VocabularyTextMixin, RecurrentReference):
    """The weights in the project's recurrent translator, which is tested likewise."""

    def __init__(self, weights: RecurrentDescription, target: Target, vocabularies: Vocabularies) -> None:
        RecurrentReference.__init__(self, weights.module(), target)
        VocabularyTextMixin.__init__(self, vocabularies)


def _describe(
    options: Mapping[str, Any], weights: TrackedWeights, is_recurrent: bool
) -> TransformerDescription | RecurrentDescription:
    with weights.require_all_read(IGNORED_WEIGHTS):
        return describe_recurrent(options, weights) if is_recurrent else describe_transformer(options, weights)


def describe_transformer(options: Mapping[str, Any], theirs: Weights) -> TransformerDescription:
    """Maps options and weights of a transformer."""
    table, source_table = theirs[f"decoder.{EMBEDDING}"], theirs[f"encoder.{EMBEDDING}"]
    is_shared = np.array_equal(table, source_table)
    is_tied = np.array_equal(table, theirs["generator.weight"])
    activation, is_gated = ACTIVATIONS[options["pos_ffn_activation_fn"]]
    config = TransformerConfig(
        vocab_size=len(table),
        source_vocab_size=None if is_shared else len(source_table),
        width=table.shape[1],
        num_heads=options["heads"],
        encoder_layers=options["enc_layers"],
        decoder_layers=options["dec_layers"],
        feed_forward_width=options["transformer_ff"],
        activation=activation,
        gated=is_gated,
        positions="learned",
        max_positions=MAX_POSITIONS,
        norm_kind="rms" if options["layer_norm"] == "rms" else "layer",
        norm_epsilon=options.get("norm_eps", 1e-6),
        tie_embeddings=is_tied,
        output_bias=True,
    )
    positions = POSITION_TABLES[options.get("position_encoding_type", "SinusoidalInterleaved")](
        MAX_POSITIONS, config.width
    )
    weights: dict[str, Float32Array] = {"embedding.weight": table, "head.bias": theirs["generator.bias"]}
    weights |= {} if is_shared else {"source_embedding.weight": source_table}
    weights |= {} if is_tied else {"head.weight": theirs["generator.weight"]}
    feed_forward = FEED_FORWARD | (GATED_FEED_FORWARD if is_gated else {})
    norm_parts = ("weight",) if config.norm_kind == "rms" else WEIGHT_AND_BIAS
    for side, num_layers, place, linears, norms in (
        ("encoder", config.encoder_layers, "transformer", SELF_ATTENTION, ENCODER_NORMS),
        ("decoder", config.decoder_layers, "transformer_layers", SELF_ATTENTION | CROSS_ATTENTION, DECODER_NORMS),
    ):
        weights[f"{side}_positions.weight"] = positions
        weights |= renamed(theirs, {f"{side}_norm": f"{side}.layer_norm"}, norm_parts)
        for layer in range(num_layers):
            prefixes = f"{side}.{layer}.", f"{side}.{place}.{layer}."
            weights |= renamed(theirs, linears | feed_forward, WEIGHT_AND_BIAS, *prefixes)
            weights |= renamed(theirs, norms, norm_parts, *prefixes)
    return TransformerDescription(config, weights)


def describe_recurrent(options: Mapping[str, Any], theirs: Weights) -> RecurrentDescription:
    """Maps options and weights of a recurrent model; encoder and decoder have the same width and number of layers."""
    table, source_table = theirs[f"decoder.{EMBEDDING}"], theirs[f"encoder.{EMBEDDING}"]
    own_source = None if np.array_equal(table, source_table) else len(source_table)
    directions = 2 if "encoder.rnn.weight_ih_l0_reverse" in theirs else 1
    is_additive, is_lstm = options["global_attention"] == "mlp", options["rnn_type"] == "LSTM"
    try:
        config = RecurrentConfig(
            vocab_size=len(table),
            source_vocab_size=own_source,
            width=table.shape[1],
            encoder_width=options["enc_hid_size"] // directions,
            decoder_width=options["dec_hid_size"],
            style="luong",
            score="additive" if is_additive else options["global_attention"],
            score_width=options["dec_hid_size"],
            score_bias=is_additive,
            cell="lstm" if is_lstm else "gru",
            encoder_layers=options["enc_layers"],
            decoder_layers=options["dec_layers"],
            bidirectional=directions == 2,
            scale_embeddings=False,
            tie_embeddings=np.array_equal(table, theirs["generator.weight"]),
            readout_width=options["dec_hid_size"],
            readout_bias=is_additive,
            readout_tanh=not is_additive,
            start="layers",
            start_cell="encoder" if is_lstm else "zero",
        )
    except ValueError as error:
        raise ExportError(f"this OpenNMT-py model is not supported: {error}") from error
    return RecurrentDescription(config, _recurrent_weights(config, theirs))


def _recurrent_weights(config: RecurrentConfig, theirs: Weights) -> dict[str, Float32Array]:
    weights = {"embedding.weight": theirs[f"decoder.{EMBEDDING}"], "head.bias": theirs["generator.bias"]}
    if config.source_vocab_size is not None:
        weights["source_embedding.weight"] = theirs[f"encoder.{EMBEDDING}"]
    if not config.tie_embeddings:
        weights["head.weight"] = theirs["generator.weight"]
    for parameter in encoder_parameters(config):
        weights[f"encoder.layers.{parameter}"] = theirs[f"encoder.rnn.{parameter}"]
    for layer, cell in enumerate(decoder_cells(config)):
        weights |= {f"{cell}.{name}": theirs[f"decoder.rnn.layers.{layer}.{name}"] for name in CELL_PARAMETERS}
    attention, score = "decoder.attn.linear_", "decoder.attention.score"
    if config.score == "general":  # OpenNMT-py projects the query
        weights[f"{score}.key.weight"] = np.ascontiguousarray(theirs[f"{attention}in.weight"].T)
    elif config.score == "additive":
        weights[f"{score}.key.weight"] = theirs[f"{attention}context.weight"]
        weights[f"{score}.key.bias"] = theirs[f"{attention}query.bias"]
        weights[f"{score}.query.weight"] = theirs[f"{attention}query.weight"]
        weights[f"{score}.energy.weight"] = theirs["decoder.attn.v.weight"]
    parts = WEIGHT_AND_BIAS if config.readout_bias else ("weight",)
    return weights | renamed(theirs, {"decoder.readout": f"{attention}out"}, parts)


def _faults(options: Mapping[str, Any], is_recurrent: bool) -> Iterator[str]:
    """Names every option that is not supported."""
    types = options.get("encoder_type"), options.get("decoder_type")
    if types not in (("rnn", "rnn"), ("brnn", "rnn"), ("transformer", "transformer")):
        yield f"encoder_type {types[0]!r} with decoder_type {types[1]!r}"
    for name, values in (NEUTRAL_VALUES | (RECURRENT_VALUES if is_recurrent else TRANSFORMER_VALUES)).items():
        if options.get(name, values[0]) not in values:
            yield f"{name} {options[name]!r}"
    for name in sorted(_transforms(options) - TRAINING_TRANSFORMS - {SENTENCEPIECE_TRANSFORM}):
        yield f"transform {name!r}; {SENTENCEPIECE_TRANSFORM} is supported, and texts that come as words"
    if SENTENCEPIECE_TRANSFORM in _transforms(options) and options["src_subword_model"] != options["tgt_subword_model"]:
        yield "a SentencePiece model a side"


def _transforms(options: Mapping[str, Any]) -> set[str]:
    corpora = [corpus for corpus in (options.get("data") or {}).values() if isinstance(corpus, dict)]
    return {name for part in (options, *corpora) for name in part.get("transforms") or []}


def _vocabularies(folder: Path, vocab: Any, options: Mapping[str, Any]) -> Vocabularies:
    sides = [vocab.get(side) if isinstance(vocab, dict) else None for side in ("src", "tgt")]
    if not all(isinstance(pieces, list) for pieces in sides):
        raise ExportError("the vocabularies are no lists of pieces, as before OpenNMT-py 3; convert with its own tools")
    source, target = ({piece: i for i, piece in enumerate(pieces)} for pieces in sides if pieces is not None)
    spm_file = None
    if SENTENCEPIECE_TRANSFORM in _transforms(options):
        spm_file = folder / Path(options["src_subword_model"]).name
        if not spm_file.is_file():
            raise ExportError(f"{folder} lacks {spm_file.name}, the SentencePiece model that the options name")
    return Vocabularies(
        source, target, SPECIAL_PIECES, spm_file, vocab.get("decoder_start_token", "<s>"), has_source_end=False
    )


def _weights(file: Path, content: Mapping[str, Any]) -> dict[str, Float32Array]:
    """All weights; the generator's as "generator.weight" and "generator.bias", which older files name "0."."""
    if content.get("model") is None:  # the weights are in a separate file
        weights_file = file.with_suffix(".safetensors")
        if not weights_file.is_file():
            raise ExportError(f"{file} holds no weights, and there is no {weights_file.name} beside it")
        return {name: x.astype(np.float32) for name, x in load_file(weights_file).items()}
    weights = {name: x.float().numpy() for name, x in content["model"].items()}
    generator = content.get("generator") or {}
    return weights | {f"generator.{name.removeprefix('0.')}": x.float().numpy() for name, x in generator.items()}
