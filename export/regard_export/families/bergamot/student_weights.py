"""A student's items under the project's own names."""

from collections.abc import Iterator, Mapping

import numpy as np

from regard.arrays import Float32Array
from regard_export.descriptions.int8_weights import Int8Weight
from regard_export.descriptions.student import StudentDescription
from regard_export.families.bergamot.marian_files import TABLES, Item
from regard_export.families.bergamot.student_options import StudentOptions
from regard_export.references.marian_numpy import NORM_EPSILON
from regard_models.nets.transformer_config import TransformerConfig

MAX_POSITIONS = 512
OUTPUT = "decoder_ff_logit_out_W"


def describe(options: StudentOptions, items: Mapping[str, Item], banned_ids: tuple[int, ...]) -> StudentDescription:
    """A file's items as a description.

    Args:
        banned_ids: tokens that are never generated.
    """
    names = dict(_layer_names(options))
    weights: dict[str, Float32Array] = {}
    int8: dict[str, Int8Weight] = {}
    for ours, theirs in names.items():
        item, is_table = items[theirs], theirs in TABLES
        if ours.endswith(".bias") or "norm" in ours:
            weights[ours] = item.weight.reshape(-1)
            continue
        weights[ours] = np.ascontiguousarray(item.weight if is_table else item.weight.T)
        if item.multiplier is not None:
            numbers = np.ascontiguousarray(item.values if is_table else item.values.T)
            scales = np.full(len(numbers), 1 / item.multiplier, np.float32)
            int8[ours.removesuffix(".weight")] = Int8Weight(numbers, scales)
    return StudentDescription(
        config=_config(options), weights=weights, banned_ids=banned_ids, int8=int8, cell=options.cell
    )


def _config(options: StudentOptions) -> TransformerConfig:
    has_one_table = options.tables[0] == options.tables[1]
    return TransformerConfig(
        vocab_size=options.target_vocab_size,
        source_vocab_size=None if has_one_table else options.source_vocab_size,
        width=options.width,
        num_heads=options.num_heads,
        encoder_layers=options.encoder_depth,
        decoder_layers=options.decoder_depth,
        feed_forward_width=options.decoder_feed_forward_width,
        encoder_feed_forward_width=options.feed_forward_width,
        norm=options.norm,
        activation=options.activation,
        max_positions=MAX_POSITIONS,
        final_norm=options.has_final_norms,
        tie_embeddings=options.has_tied_output,
        output_bias=options.has_output_bias,
        norm_epsilon=NORM_EPSILON,
    )


def _layer_names(options: StudentOptions) -> Iterator[tuple[str, str]]:
    """Ours, theirs."""
    source, target = options.tables
    yield "embedding.weight", target
    if source != target:
        yield "source_embedding.weight", source
    if not options.has_tied_output:
        yield "head.weight", OUTPUT
    if options.has_output_bias:
        yield "head.bias", "decoder_ff_logit_out_b"
    for side, depth in (("encoder", options.encoder_depth), ("decoder", options.decoder_depth)):
        if options.has_final_norms:
            yield from _norm(f"{side}_norm", f"{side}_top", "")
        for layer in range(depth):
            ours, theirs = f"{side}.{layer}", f"{side}_l{layer + 1}"
            yield from _first_sublayer(options, side, ours, theirs)
            if side == "decoder":
                yield from _attention(f"{ours}.cross_attention", f"{theirs}_context", options.norm_suffix)
            for number, part in enumerate(("inner", "outer"), 1):
                yield f"{ours}.feed_forward.{part}.weight", f"{theirs}_ffn_W{number}"
                yield f"{ours}.feed_forward.{part}.bias", f"{theirs}_ffn_b{number}"
            yield from _norm(f"{ours}.feed_forward_sublayer.norm", f"{theirs}_ffn_ffn", options.norm_suffix)


def _first_sublayer(options: StudentOptions, side: str, ours: str, theirs: str) -> Iterator[tuple[str, str]]:
    if side == "encoder" or options.cell == "self-attention":
        yield from _attention(f"{ours}.self_attention", f"{theirs}_self", options.norm_suffix)
        return
    yield f"{ours}.ssru.forget.weight", f"{theirs}_rnn_Wf"
    yield f"{ours}.ssru.forget.bias", f"{theirs}_rnn_bf"
    yield f"{ours}.ssru.input.weight", f"{theirs}_rnn_W"
    norm = f"{theirs}_rnn" if options.norm == "pre" else f"{theirs}_rnn_ffn"
    yield from _norm(f"{ours}.self_attention_sublayer.norm", norm, options.norm_suffix)


def _attention(ours: str, theirs: str, norm_suffix: str) -> Iterator[tuple[str, str]]:
    for kind in ("query", "key", "value", "output"):
        yield f"{ours}.{kind}.weight", f"{theirs}_W{kind[0]}"
        yield f"{ours}.{kind}.bias", f"{theirs}_b{kind[0]}"
    yield from _norm(f"{ours}_sublayer.norm", f"{theirs}_Wo", norm_suffix)


def _norm(ours: str, theirs: str, suffix: str) -> Iterator[tuple[str, str]]:
    yield f"{ours}.weight", f"{theirs}_ln_scale{suffix}"
    yield f"{ours}.bias", f"{theirs}_ln_bias{suffix}"
