"""The architecture that the options of a Marian transformer state, and the items that it must have."""

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from regard_export.checkpoints.unsupported import refuse_unsupported
from regard_export.errors import ExportError
from regard_export.families.bergamot.marian_files import INPUT_MULTIPLIER, MarianFile

Activation = Literal["relu", "silu"]
Cell = Literal["ssru", "self-attention"]

ACTIVATIONS: Mapping[str, Activation] = {"relu": "relu", "swish": "silu"}  # Marian approximates GELU in its own way
MAX_DEPTH, MAX_WIDTH, MAX_VOCABULARY = 64, 2**15, 2**20
OUTPUT_MULTIPLIER = "none_QuantMultA"  # of the states that a tied output layer reads; `marian-conv` gives it no name

# Options that must have one of these values where they are there.
ONLY: Mapping[str, tuple[Any, ...]] = {
    "type": ("transformer",),
    "input-types": ([], ["sequence"], ["sequence", "sequence"]),
    "lemma-dim-emb": (0,),
    "right-left": (False,),
    "transformer-decoder-ffn-depth": (0, 2),
    "transformer-depth-scaling": (True, False),  # of training alone
    "transformer-ffn-depth": (2,),
    "transformer-no-affine": (False,),
    "transformer-no-bias": (False,),
    "transformer-no-projection": (False,),
    "transformer-pool": (False,),
    "transformer-postprocess-emb": ("", "d"),
    "transformer-rnn-projection": (False,),
    "transformer-tied-layers": ([],),
    "transformer-train-position-embeddings": (False,),
    "transformer-train-positions": (False,),
    "ulr": (False,),
}
FLAGS = ("tied-embeddings-all", "tied-embeddings-src", "tied-embeddings", "output-omit-bias")
# Each sublayer's preprocess and postprocess without dropout: "a" adds the residual, "n" normalizes.
NORMS: Mapping[tuple[str, str], Literal["pre", "post"]] = {("", "an"): "post", ("n", "a"): "pre"}


@dataclass(frozen=True)
class StudentOptions:
    """A transformer of Marian.

    Attributes:
        cell: a decoder layer's first sublayer; "ssru" is the simpler simple recurrent unit (Kim et al. 2019).
        norm: "post" normalizes each sublayer's sum with the residual, "pre" its input.
        has_final_norms: a normalization after the last layer of each stack.
        tables: the items that hold the source's and the target's embeddings.
        has_tied_output: the output layer is the target's table.
        alignment_layer: whose first head guided alignment trained.
    """

    width: int
    num_heads: int
    encoder_depth: int
    decoder_depth: int
    feed_forward_width: int
    decoder_feed_forward_width: int
    source_vocab_size: int
    target_vocab_size: int
    cell: Cell
    norm: Literal["pre", "post"]
    has_final_norms: bool
    activation: Activation
    tables: tuple[str, str]
    has_tied_output: bool
    has_output_bias: bool
    alignment_layer: int

    @property
    def embedding_scale(self) -> float:
        return math.sqrt(self.width)

    def shapes(self) -> dict[str, tuple[int, int]]:
        """Every item that a file of this architecture holds, multipliers of inputs left out."""
        table_sizes = (self.source_vocab_size, self.target_vocab_size)
        shapes = {table: (size, self.width) for table, size in zip(self.tables, table_sizes, strict=True)}
        if not self.has_tied_output:
            shapes["decoder_ff_logit_out_W"] = (self.width, self.target_vocab_size)
        if self.has_output_bias:
            shapes["decoder_ff_logit_out_b"] = (1, self.target_vocab_size)
        for side, depth, inner in (
            ("encoder", self.encoder_depth, self.feed_forward_width),
            ("decoder", self.decoder_depth, self.decoder_feed_forward_width),
        ):
            if self.has_final_norms:
                shapes |= self._norm(f"{side}_top", "")
            for layer in range(1, depth + 1):
                shapes |= self._layer(side, f"{side}_l{layer}", inner)
        return shapes

    def _layer(self, side: str, name: str, inner: int) -> dict[str, tuple[int, int]]:
        shapes = dict(self._feed_forward(f"{name}_ffn", inner))
        if side == "encoder" or self.cell == "self-attention":
            shapes |= self._attention(f"{name}_self")
        else:
            square, row = (self.width, self.width), (1, self.width)
            shapes |= {f"{name}_rnn_W": square, f"{name}_rnn_Wf": square, f"{name}_rnn_bf": row}
            shapes |= self._norm(f"{name}_rnn" if self.norm == "pre" else f"{name}_rnn_ffn", self.norm_suffix)
        return shapes if side == "encoder" else shapes | self._attention(f"{name}_context")

    def _attention(self, name: str) -> dict[str, tuple[int, int]]:
        shapes = self._norm(f"{name}_Wo", self.norm_suffix)
        for kind in "qkvo":
            shapes |= {f"{name}_W{kind}": (self.width, self.width), f"{name}_b{kind}": (1, self.width)}
        return shapes

    def _feed_forward(self, name: str, inner: int) -> Iterator[tuple[str, tuple[int, int]]]:
        yield from self._norm(f"{name}_ffn", self.norm_suffix).items()
        yield from {f"{name}_W1": (self.width, inner), f"{name}_b1": (1, inner)}.items()
        yield from {f"{name}_W2": (inner, self.width), f"{name}_b2": (1, self.width)}.items()

    def _norm(self, name: str, suffix: str) -> dict[str, tuple[int, int]]:
        return {f"{name}_ln_{kind}{suffix}": (1, self.width) for kind in ("scale", "bias")}

    @property
    def norm_suffix(self) -> str:
        """The suffix of the names of normalizations before a sublayer."""
        return "_pre" if self.norm == "pre" else ""


def student_options(model: MarianFile) -> StudentOptions:
    """Reads a file's options.

    Raises:
        ExportError: options are unsupported, or the file's items do not fit them; with every fault.
    """
    options = model.options
    refuse_unsupported("Marian", _faults(options))
    sizes = _sizes(model)
    norm = NORMS[_operations(options, "preprocess"), _operations(options, "postprocess")]
    source, target = sizes["dim-vocabs"]
    if options.get("tied-embeddings-all") and source != target:
        raise ExportError(f"{model.path}: one table for vocabularies of {source} and {target} pieces")
    has_one_table = bool(options.get("tied-embeddings-all") or options.get("tied-embeddings-src"))
    decoder_inner = options.get("transformer-dim-decoder-ffn") or sizes["transformer-dim-ffn"]
    student = StudentOptions(
        width=sizes["dim-emb"],
        num_heads=sizes["transformer-heads"],
        encoder_depth=sizes["enc-depth"],
        decoder_depth=sizes["dec-depth"],
        feed_forward_width=sizes["transformer-dim-ffn"],
        decoder_feed_forward_width=decoder_inner,
        source_vocab_size=source,
        target_vocab_size=target,
        cell="ssru" if options.get("transformer-decoder-autoreg") == "rnn" else "self-attention",
        norm=norm,
        has_final_norms="n" in _operations(options, "postprocess-top"),
        activation=ACTIVATIONS[options.get("transformer-ffn-activation", "relu")],
        tables=("Wemb", "Wemb") if has_one_table else ("encoder_Wemb", "decoder_Wemb"),
        has_tied_output=bool(options.get("tied-embeddings-all") or options.get("tied-embeddings")),
        has_output_bias=not options.get("output-omit-bias", False),
        alignment_layer=_alignment_layer(options, sizes["dec-depth"]),
    )
    _refuse_misfits(model, student)
    return student


def _faults(options: Mapping[str, Any]) -> Iterator[str]:
    for name, allowed in ONLY.items():
        if name in options and options[name] not in allowed:
            yield f"{name} {options[name]!r}"
    autoregression, cell = options.get("transformer-decoder-autoreg", "self-attention"), options.get("dec-cell")
    if autoregression not in ("rnn", "self-attention"):
        yield f"transformer-decoder-autoreg {autoregression!r}"
    if autoregression == "rnn" and cell != "ssru":
        yield f"the decoder cell {cell!r}"
    for name in FLAGS:
        if not isinstance(options.get(name, False), bool):
            yield f"{name} {options[name]!r}"
    order = _operations(options, "preprocess"), _operations(options, "postprocess")
    if order not in NORMS:
        yield f"normalization in the order {order[0]!r}, {order[1]!r}"
    if _operations(options, "postprocess-top") not in ("", "n"):
        yield f"transformer-postprocess-top {options['transformer-postprocess-top']!r}"
    if str(options.get("transformer-ffn-activation", "relu")) not in ACTIVATIONS:
        yield f"transformer-ffn-activation {options['transformer-ffn-activation']!r}"


def _operations(options: Mapping[str, Any], place: str) -> str:
    """The operations of a place, "n" and "a", without dropout."""
    return str(options.get(f"transformer-{place}", "")).replace("d", "")


def _sizes(model: MarianFile) -> dict[str, Any]:
    """The options that are sizes.

    Raises:
        ExportError: one is missing, no number, or out of bounds.
    """
    limits = {
        "dim-emb": MAX_WIDTH,
        "transformer-heads": MAX_WIDTH,
        "transformer-dim-ffn": MAX_WIDTH,
        "enc-depth": MAX_DEPTH,
        "dec-depth": MAX_DEPTH,
    }
    options = model.options
    inner = options.get("transformer-dim-decoder-ffn") or 1
    faults = [
        f"{name} is {options.get(name)!r}" for name, limit in limits.items() if not _is_size(options.get(name), limit)
    ]
    sizes = options.get("dim-vocabs")
    is_pair = isinstance(sizes, list) and len(sizes) == 2 and all(_is_size(size, MAX_VOCABULARY) for size in sizes)
    if not is_pair:
        faults.append(f"dim-vocabs is {sizes!r}")
    if not _is_size(inner, MAX_WIDTH):
        faults.append(f"transformer-dim-decoder-ffn is {inner!r}")
    if not faults and (options["dim-emb"] % options["transformer-heads"] or options["dim-emb"] % 2):
        faults.append(f"dim-emb {options['dim-emb']} is no multiple of {options['transformer-heads']} heads, or is odd")
    if faults:
        raise ExportError(f"{model.path} is damaged: of its options, {'; '.join(faults)}")
    return {name: options[name] for name in (*limits, "dim-vocabs")}


def _is_size(value: Any, limit: int) -> bool:
    return type(value) is int and 1 <= value <= limit


def _alignment_layer(options: Mapping[str, Any], depth: int) -> int:
    """From 0; Marian counts from 1, or says "last"."""
    layer = str(options.get("transformer-guided-alignment-layer", "last"))
    if layer == "last":
        return depth - 1
    if not (layer.isascii() and layer.isdigit() and len(layer) <= 4 and 1 <= int(layer) <= depth):
        raise ExportError(f"transformer-guided-alignment-layer is {layer}, of {depth} decoder layers")
    return int(layer) - 1


def _refuse_misfits(model: MarianFile, student: StudentOptions) -> None:
    """Raises ExportError with every item that is missing, unexpected or of another shape."""
    expected, items = student.shapes(), model.items
    faults = [f"{name} is missing" for name in expected.keys() - items.keys()]
    for name, item in items.items():
        is_multiplier = name.removesuffix(INPUT_MULTIPLIER) in expected or name == OUTPUT_MULTIPLIER
        shape = (1, 1) if is_multiplier and name.endswith(INPUT_MULTIPLIER) else expected.get(name)
        if shape is None:
            faults.append(f"{name} is unexpected")
        elif item.values.shape != shape:
            faults.append(f"{name} has shape {item.values.shape}, not {shape}")
        elif name.endswith(INPUT_MULTIPLIER) and not item.weight[0, 0] > 0:
            faults.append(f"{name} is {item.weight[0, 0]}")
    if faults:
        raise ExportError(f"{model.path} does not fit its options: {'; '.join(sorted(faults))}")
