"""CTranslate2's encoder-decoder transformers, read without its code: a folder with `model.bin`, `config.json` and the
vocabularies, beside it a SentencePiece model; or an `.argosmodel` package, which holds these.
"""

import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import fields, replace
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from regard.arrays import Float32Array
from regard_export.architectures.transformer import TransformerArchitecture
from regard_export.checkpoints.files import read_json
from regard_export.checkpoints.languages import LanguagePairs, Languages, is_language_code
from regard_export.checkpoints.source_model import LoadOptions, SourceModel
from regard_export.checkpoints.unsupported import refuse_unsupported
from regard_export.descriptions.transformer import TransformerDescription
from regard_export.errors import ExportError
from regard_export.families.toolkits.ctranslate2_files import (
    MODEL_FILE,
    PACKAGE_SUFFIX,
    SpecFile,
    is_spec,
    read_spec,
    unpacked,
)
from regard_export.families.toolkits.position_tables import concatenated_sinusoids
from regard_export.families.toolkits.subword_nmt import CODES_FILE, SubwordVocabularies, read_codes
from regard_export.families.toolkits.tracked_weights import TrackedWeights
from regard_export.families.toolkits.vocabularies import SpecialPieces, Vocabularies, VocabularyTextMixin
from regard_export.families.toolkits.vocabulary_languages import language_pieces, vocabulary_languages
from regard_export.references.transformer import TransformerReference
from regard_models.nets.transformer_config import Activation, Side, TransformerConfig
from regard_service.bundle import GenerationDefaults, Provenance, Target

FAMILY = "ctranslate2"
ACTIVATIONS: dict[int, Activation] = {0: "relu", 1: "gelu_tanh", 2: "silu", 3: "gelu"}
MAX_POSITIONS = 1024
MIN_WIDTH = 4  # of the sinusoids, whose rates are spaced by width / 2 - 1
DEFAULT_POSITIONS = 500  # of CTranslate2's own sinusoids, whose first position is 1
NUM_BEAMS, MAX_NEW_TOKENS = 2, 256  # CTranslate2's own defaults
NORM_EPSILON = {"layer": 1e-5, "rms": 1e-6}
RELATIVE_BIAS = "encoder/layer_0/self_attention/relative_attention_bias"
RELATIVE_DISTANCE = "encoder/layer_0/self_attention/relative_attention_max_distance"
OUTPUT_TABLES = ("embedding.weight", "head.weight", "head.bias")
VOCABULARY_FILES = (
    "shared_vocabulary.json",
    "shared_vocabulary.txt",
    "source_vocabulary.json",
    "source_vocabulary.txt",
)
OPENNMT_START = "<s>"
PIECE_MARKS = {
    "\u2581": "pieces of SentencePiece",
    "\u0120": "byte pairs as GPT-2 spells them",
    "@@": "pieces of subword-nmt",
}
UNUSED = "<unused {}>"  # an id without a piece
ZERO_START = "<zero start>"  # a piece whose embedding is zero, where the decoder starts from none
# Statements about a model that change nothing here, or that `_faults` checks.
IGNORED_WEIGHTS = re.compile(
    r"(en|de)coder/(alignment_\w+|alibi\w*|scale_alibi|multi_query_attention|embeddings_merge|num_source_embeddings)"
    r"|with_\w+|.*/relative_attention_max_distance|.*/(queries_scale|rotary_interleave)"
)

T = TypeVar("T")


def find(path: Path) -> Path | None:
    """The package, or the folder of a model; None if there is neither."""
    if path.suffix == PACKAGE_SUFFIX and path.is_file():
        return path
    return path if path.is_dir() and (is_spec(path / MODEL_FILE) or _is_without_model(path)) else None


def _is_without_model(folder: Path) -> bool:
    """Whether a folder has the other files of a model, whose `model.bin` is missing or damaged."""
    if not any((folder / name).is_file() for name in VOCABULARY_FILES):
        return False
    try:
        return "model_type" not in read_json(folder / "config.json")
    except ExportError:
        return True


def load(path: Path, load_options: LoadOptions) -> SourceModel:
    """Reads a folder or a package.

    Raises:
        ExportError: the file is damaged, or the model has unsupported options, each of which is named.
    """
    if path.is_dir():
        return _load(path, path, load_options, {})
    with unpacked(path) as folder:
        try:
            metadata = read_json(folder / "metadata.json")
            model = _load(folder / "model", folder, load_options, metadata)
        except ExportError as error:
            raise ExportError(str(error).replace(str(folder), str(path))) from error
    source = f"Argos package {metadata.get('package_version', '')} {path.stem}".replace("  ", " ")
    return replace(model, provenance=Provenance(source=source))


def _load(folder: Path, outside: Path, load_options: LoadOptions, metadata: Mapping[str, Any]) -> SourceModel:
    """Args: outside: where the SentencePiece model is."""
    if not is_spec(folder / MODEL_FILE):
        raise ExportError(f"{folder} lacks a {MODEL_FILE} of CTranslate2")
    spec = read_spec(folder / MODEL_FILE)
    weights = TrackedWeights(_with_flags(spec))
    settings = _settings(folder, weights)
    refuse_unsupported("CTranslate2", _faults(weights, settings))
    with weights.require_all_read(IGNORED_WEIGHTS):
        description = describe(weights, settings)
    codes = metadata.get("from_code"), metadata.get("to_code")
    named = ((str(codes[0]), str(codes[1])),) if all(is_language_code(code) for code in codes) else ()
    pairs = load_options.languages or named
    vocabularies = _vocabularies(folder, outside, settings, description)
    if vocabularies.spm_file is None and (outside / CODES_FILE).is_file():
        vocabularies = _subwords(vocabularies, outside / CODES_FILE, named or pairs)
    languages = vocabulary_languages(vocabularies, pairs, str(metadata.get("target_prefix") or ""))
    target = _target(vocabularies, languages, description)
    limit = description.config.max_positions
    model = SourceModel(
        family=FAMILY,
        task="translation",
        architecture=TransformerArchitecture(description),
        reference=CTranslate2Reference(description, target, vocabularies, languages),
        source=vocabularies.text_source().model_copy(
            update={"language_prefix_ids": dict(languages.language_prefix_ids)}
        ),
        target=target,
        tokenizers=vocabularies.tokenizers(),
        max_source_tokens=limit,
        max_target_tokens=limit,
        generation=GenerationDefaults(num_beams=NUM_BEAMS, max_new_tokens=min(MAX_NEW_TOKENS, limit)),
        provenance=Provenance(source=f"CTranslate2 model {folder.name}"),
        source_languages=languages.sources,
        target_languages=languages.targets,
    )
    return _with_alignment(model, weights, description.config)


class CTranslate2Reference(VocabularyTextMixin, TransformerReference):
    """The weights in the project's transformer, whose tokens tests compare with CTranslate2's."""

    def __init__(
        self, description: TransformerDescription, target: Target, vocabularies: Vocabularies, languages: Languages
    ) -> None:
        TransformerReference.__init__(self, description, target)
        VocabularyTextMixin.__init__(self, vocabularies)
        self._silent_ids = target.silent_ids
        self._before = languages.language_prefix_ids.get(languages.sources[0], ())

    def tokenize(self, text: str, key: str) -> list[int]:
        """See `TextReference`; the text is in the first source language."""
        return [*self._before, *VocabularyTextMixin.tokenize(self, text, key)]


def _with_flags(spec: SpecFile) -> dict[str, Float32Array]:
    """The weights. `scale_embeddings` is a flag, which multiplies by the root of the width, or a factor: 1 is none."""
    weights = spec.weights()
    for name, array in spec.arrays.items():
        if name.endswith("/scale_embeddings") and array.dtype.kind == "f" and array.size and array.flat[0] == 1:
            weights[name] = np.zeros((), np.float32)
    return weights


def _target(vocabularies: Vocabularies, languages: Languages, description: TransformerDescription) -> Target:
    """The decoder's output; tokens that it is made to start with are no part of the text."""
    target, forced = vocabularies.text_target(description.config.vocab_size), dict(languages.forced_first_ids)
    pieces = language_pieces(vocabularies.target).values() if languages.language_prefix_ids else ()
    unused = [i for piece, i in vocabularies.target.items() if piece == UNUSED.format(i)]
    languages_ids = [vocabularies.target[each] for each in pieces]
    special = tuple(sorted({*target.special_ids, *forced.values(), *languages_ids, *unused}))
    return target.model_copy(update={"forced_first_ids": forced, "special_ids": special})


def _settings(folder: Path, weights: TrackedWeights) -> dict[str, Any]:
    """config.json; models of before version 6 state the same as variables."""
    if (folder / "config.json").is_file():
        return read_json(folder / "config.json")
    has_start = bool(_number(weights, "with_target_bos", 1))
    return {
        "add_source_bos": bool(_number(weights, "with_source_bos", 0)),
        "add_source_eos": bool(_number(weights, "with_source_eos", 0)),
        "decoder_start_token": "<s>" if has_start else "</s>",
    }


def _number(weights: Mapping[str, Any], name: str, default: float) -> float:
    value = weights.get(name)
    if value is None:
        return default
    numbers = np.asarray(value).reshape(-1)[:1]
    if not (len(numbers) and np.isfinite(numbers[0])):
        raise ExportError(f"{name} of shape {np.shape(value)} begins with no finite number")
    return float(numbers[0])


def _faults(weights: TrackedWeights, settings: Mapping[str, Any]) -> list[str]:
    """Names every option that is not supported."""
    faults = [f"{name} (relative or rotary positions, or shared heads)" for name in weights if _is_unsupported(name)]
    for side in ("encoder", "decoder"):
        if int(_number(weights, f"{side}/activation", 0)) not in ACTIVATIONS:
            faults.append(f"{side}/activation {_number(weights, f'{side}/activation', 0):g}")
    if len({_activation(weights, side) for side in ("encoder", "decoder")}) > 1:
        faults.append("encoder and decoder of different activations")
    faults += _size_faults(weights)
    if _number(weights, "decoder/alibi", 0) or settings.get("quantization_type"):
        faults.append("ALiBi" if _number(weights, "decoder/alibi", 0) else "AWQ quantization")
    epsilon = settings.get("layer_norm_epsilon")
    if epsilon is not None and not (type(epsilon) in (int, float) and 0 <= epsilon < 1):
        faults.append(f"layer_norm_epsilon {epsilon!r}")
    if settings.get("add_source_bos"):
        faults.append("add_source_bos")
    if settings.get("decoder_start_token", "<s>") is None:
        faults.append("no decoder_start_token: the caller's target prefix begins the output")
    return faults


def _size_faults(weights: TrackedWeights) -> Iterator[str]:
    """Names a width that the heads do not divide, or that no sinusoids have."""
    shape = weights["decoder/embeddings/weight"].shape
    if len(shape) != 2 or shape[1] < MIN_WIDTH:
        yield f"decoder/embeddings/weight of shape {shape}"
    elif any(heads < 1 or shape[1] % heads for heads in _num_heads(weights)):
        yield f"{' and '.join(map(str, _num_heads(weights)))} heads over {shape[1]} dimensions"


def _num_heads(weights: TrackedWeights) -> tuple[int, int]:
    """The encoder's and the decoder's."""
    decoder = int(_number(weights, "decoder/num_heads", _number(weights, "num_heads", 8)))
    return int(_number(weights, "encoder/num_heads", decoder)), decoder


def _is_unsupported(name: str) -> bool:
    return re.search(r"/(relative_position_(keys|values)|rotary_\w+|[qkv]_norm/\w+|embeddings_[1-9])", name) is not None


def _activation(weights: Mapping[str, Any], side: str) -> Activation:
    return ACTIVATIONS.get(int(_number(weights, f"{side}/activation", 0)), "relu")


def describe(theirs: TrackedWeights, settings: Mapping[str, Any]) -> TransformerDescription:
    """Maps the variables of a `TransformerSpec`."""
    table, source_table = theirs["decoder/embeddings/weight"], theirs["encoder/embeddings_0/weight"]
    head, bias = theirs["decoder/projection/weight"], theirs.get("decoder/projection/bias")
    is_zero_start = bool(_number(theirs, "decoder/start_from_zero_embedding", 0))
    if is_zero_start and bias is None:
        bias = np.zeros(len(table), np.float32)
    sides: tuple[Side, ...] = ("encoder", "decoder")
    positions = {} if RELATIVE_BIAS in theirs else {side: _positions(theirs, side, table.shape[1]) for side in sides}
    config = TransformerConfig(
        vocab_size=len(table) + is_zero_start,
        source_vocab_size=None if np.array_equal(table, source_table) else len(source_table),
        width=table.shape[1],
        max_positions=min([MAX_POSITIONS, *map(len, positions.values())]),
        tie_embeddings=np.array_equal(table, head),
        output_bias=bias is not None,
        **_layer_options(theirs),
        **_other_options(theirs, settings, table.shape[1]),
    )
    ours = {"embedding.weight": table}
    ours |= {f"{side}_positions.weight": found[: config.max_positions] for side, found in positions.items()}
    ours |= {} if config.source_vocab_size is None else {"source_embedding.weight": source_table}
    ours |= {} if config.tie_embeddings else {"head.weight": head}
    ours |= {} if bias is None else {"head.bias": bias}
    for side in sides:
        ours |= _side(theirs, side, config)
    if is_zero_start:
        ours |= {name: _with_zeros(ours[name]) for name in OUTPUT_TABLES if name in ours}
    return TransformerDescription(config, ours, (len(table),) if is_zero_start else ())


def _layer_options(theirs: TrackedWeights) -> dict[str, Any]:
    """Sizes and kinds of layers, as `TransformerConfig` names them."""
    encoder_heads, heads = _num_heads(theirs)
    is_relative = RELATIVE_BIAS in theirs
    return {
        "num_heads": heads,
        "encoder_heads": encoder_heads,
        "head_width": len(theirs["decoder/layer_0/attention/linear_0/weight"]) // heads if is_relative else None,
        "encoder_layers": _num_layers(theirs, "encoder"),
        "decoder_layers": _num_layers(theirs, "decoder"),
        "feed_forward_width": len(theirs["decoder/layer_0/ffn/linear_0/weight"]),
        "encoder_feed_forward_width": len(theirs["encoder/layer_0/ffn/linear_0/weight"]),
        "activation": _activation(theirs, "decoder"),
        "gated": "decoder/layer_0/ffn/linear_0_noact/weight" in theirs,
        "positions": "relative" if is_relative else "learned",
        "relative_buckets": len(theirs[RELATIVE_BIAS]) if is_relative else 32,
        "relative_max_distance": int(_number(theirs, RELATIVE_DISTANCE, 128)),
        "bias": "decoder/layer_0/self_attention/linear_0/bias" in theirs,
    }


def _other_options(theirs: TrackedWeights, settings: Mapping[str, Any], width: int) -> dict[str, Any]:
    """Scales and normalizations, as `TransformerConfig` names them."""
    norm_kind = "layer" if "encoder/layer_0/self_attention/layer_norm/beta" in theirs else "rms"
    is_pre = _same(theirs, "pre_norm", lambda side: bool(_number(theirs, f"{side}/pre_norm", 1)))
    return {
        "norm": "pre" if is_pre else "post",
        "norm_kind": norm_kind,
        "norm_epsilon": settings.get("layer_norm_epsilon") or NORM_EPSILON[norm_kind],
        "embedding_norm": _same(theirs, "layernorm_embedding", lambda s: f"{s}/layernorm_embedding/gamma" in theirs),
        "final_norm": _same(theirs, "layer_norm", lambda side: f"{side}/layer_norm/gamma" in theirs),
        "scale_embeddings": _same(theirs, "scale_embeddings", lambda side: _scale(theirs, side, width)),
        "scale_attention": _number(theirs, "decoder/layer_0/self_attention/queries_scale", 0) != 1,
        "head_scale": _head_scale(theirs, width),
    }


def _with_zeros(table: Float32Array) -> Float32Array:
    """A table with a row of zeros behind it."""
    return np.concatenate([table, np.zeros_like(table[:1])])


def _same(theirs: TrackedWeights, name: str, read: Callable[[str], T]) -> T:
    """What is read of both sides; raises ExportError if they differ."""
    encoder, decoder = (read(side) for side in ("encoder", "decoder"))
    theirs.get(f"encoder/{name}")
    theirs.get(f"decoder/{name}")
    if encoder != decoder:
        raise ExportError(f"this CTranslate2 model has unsupported options: {name} of encoder or decoder alone")
    return encoder


def _scale(theirs: TrackedWeights, side: str, width: int) -> bool:
    embeddings = "embeddings_0" if side == "encoder" else "embeddings"
    older = _number(theirs, f"{side}/{embeddings}/multiply_by_sqrt_depth", 1)
    scale = _number(theirs, f"{side}/scale_embeddings", older)
    if scale not in (0, 1) and not np.isclose(scale, width**0.5):
        raise ExportError(f"this CTranslate2 model has unsupported options: {side}/scale_embeddings {scale:g}")
    return bool(scale)


def _head_scale(theirs: TrackedWeights, width: int) -> float:
    scale = _number(theirs, "decoder/scale_outputs", 0)
    return (width**-0.5 if scale == 1 else scale) if scale else 1.0


def _num_layers(theirs: TrackedWeights, side: str) -> int:
    numbers = {int(found[1]) for name in theirs if (found := re.match(rf"{side}/layer_(\d+)/", name))}
    if not numbers or numbers != {*range(len(numbers))}:
        raise ExportError(
            f"the {side}'s layers are not numbered from 0: {', '.join(map(str, sorted(numbers))) or 'none'}"
        )
    return len(numbers)


def _positions(theirs: TrackedWeights, side: str, width: int) -> Float32Array:
    stored = theirs.get(f"{side}/position_encodings/encodings")
    return concatenated_sinusoids(DEFAULT_POSITIONS, width, first=1) if stored is None else stored


def _side(theirs: TrackedWeights, side: Side, config: TransformerConfig) -> dict[str, Float32Array]:
    """The weights of a side's layers and its other normalizations."""
    ours: dict[str, Float32Array] = {}
    for ours_name, name in ((f"{side}_embedding_norm", "layernorm_embedding"), (f"{side}_norm", "layer_norm")):
        if f"{side}/{name}/gamma" in theirs:
            ours |= _norm(theirs, f"{side}/{name}", ours_name)
    num_layers = config.encoder_layers if side == "encoder" else config.decoder_layers
    for layer in range(num_layers):
        place, name = f"{side}/layer_{layer}", f"{side}.{layer}"
        ours |= _attention(theirs, f"{place}/self_attention", f"{name}.self_attention", fused=(3,))
        if side == "decoder":
            ours |= _attention(theirs, f"{place}/attention", f"{name}.cross_attention", fused=(1, 2))
        gate, inner = ("linear_0", "linear_0_noact") if config.gated else (None, "linear_0")
        ours |= _linear(theirs, f"{place}/ffn/{inner}", (f"{name}.feed_forward.inner",))
        ours |= _linear(theirs, f"{place}/ffn/{gate}", (f"{name}.feed_forward.gate",)) if gate else {}
        ours |= _linear(theirs, f"{place}/ffn/linear_1", (f"{name}.feed_forward.outer",))
        ours |= _norm(theirs, f"{place}/ffn/layer_norm", f"{name}.feed_forward_sublayer.norm")
        table = theirs.get(f"{place}/self_attention/relative_attention_bias")
        if table is not None:
            first = ours.setdefault(f"{side}_distances.table.weight", table)
            if not np.array_equal(first, table):
                raise ExportError("this CTranslate2 model has unsupported options: relative_attention_bias by layer")
    return ours


def _attention(theirs: TrackedWeights, place: str, name: str, fused: tuple[int, ...]) -> dict[str, Float32Array]:
    """Args: fused: how many of query, key and value each of the first projections makes."""
    kinds, ours, first = ("query", "key", "value"), _norm(theirs, f"{place}/layer_norm", f"{name}_sublayer.norm"), 0
    for number, count in enumerate(fused):
        ours |= _linear(theirs, f"{place}/linear_{number}", tuple(f"{name}.{k}" for k in kinds[first : first + count]))
        first += count
    return ours | _linear(theirs, f"{place}/linear_{len(fused)}", (f"{name}.output",))


def _linear(theirs: TrackedWeights, place: str, names: tuple[str, ...]) -> dict[str, Float32Array]:
    """A projection, or several of one size that are stored as one."""
    weight, bias = theirs[f"{place}/weight"], theirs.get(f"{place}/bias")
    if weight.ndim != 2 or len(weight) % len(names):
        raise ExportError(f"{place}/weight of shape {weight.shape} is no {len(names)} projections of one size")
    if bias is not None and bias.shape != weight.shape[:1]:
        raise ExportError(f"{place}/bias has shape {bias.shape}, its weight {weight.shape}")
    ours = {f"{name}.weight": part for name, part in zip(names, np.split(weight, len(names)), strict=True)}
    if bias is not None:
        ours |= {f"{name}.bias": part for name, part in zip(names, np.split(bias, len(names)), strict=True)}
    return ours


def _norm(theirs: TrackedWeights, place: str, name: str) -> dict[str, Float32Array]:
    ours = {f"{name}.weight": theirs[f"{place}/gamma"]}
    beta = theirs.get(f"{place}/beta")
    return ours if beta is None else {**ours, f"{name}.bias": beta}


def _with_alignment(model: SourceModel, weights: Mapping[str, Any], config: TransformerConfig) -> SourceModel:
    """The heads that CTranslate2 aligns by, if the model names other ones than the last layer's first."""
    layer, count = (int(_number(weights, f"decoder/alignment_{name}", d)) for name, d in (("layer", -1), ("heads", 1)))
    if (layer, count) == (-1, 1):
        return model
    heads = tuple((layer % config.decoder_layers, head) for head in range(count or config.num_heads))
    return replace(model, alignment_heads=heads, alignment_method="the heads that CTranslate2 aligns by")


def _vocabularies(
    folder: Path, outside: Path, settings: Mapping[str, Any], description: TransformerDescription
) -> Vocabularies:
    has_zero_start = bool(description.banned_ids)
    is_shared = description.config.source_vocab_size is None
    sizes = (
        len(description.source_embedding) - (has_zero_start and is_shared),
        len(description.embedding) - has_zero_start,
    )
    source, target = (
        {piece: i for i, piece in enumerate(_each_once(_read_vocabulary(folder, side, size)))}
        for side, size in zip(("source", "target"), sizes, strict=True)
    )
    end = str(settings.get("eos_token", "</s>"))
    special = SpecialPieces(str(settings.get("unk_token", "<unk>")), end, str(settings.get("bos_token", "<s>")), end)
    start = str(settings.get("decoder_start_token", "<s>"))
    if has_zero_start:
        target[ZERO_START] = len(target)
    # Converted from other toolkits than OpenNMT, a model also starts otherwise, and reads the end of its source.
    has_end = bool(settings.get("add_source_eos")) or (start != OPENNMT_START and end in source)
    spm_file = _sentencepiece_file(outside) or _sentencepiece_file(folder)
    if spm_file is None and not (outside / CODES_FILE).is_file():
        _refuse_pieces(folder, source)
    return Vocabularies(
        source, target, special, spm_file, ZERO_START if has_zero_start else start, has_source_end=has_end
    )


def _subwords(vocabularies: Vocabularies, file: Path, pairs: LanguagePairs) -> SubwordVocabularies:
    """The vocabularies, with the pairs that make their pieces of words."""
    if len(pairs) != 1:
        raise ExportError(f"{file}: Moses' rules are of one language; name it, with the target's, by --languages")
    source, target = pairs[0]
    return SubwordVocabularies(
        **{each.name: getattr(vocabularies, each.name) for each in fields(vocabularies)},
        codes=read_codes(file),
        languages=(source.partition("-")[0], target.partition("-")[0]),
    )


def _each_once(pieces: Sequence[str]) -> Iterator[str]:
    """The pieces by their ids. T5's converter fills the table up with the names of pieces that there are."""
    found: set[str] = set()
    for i, piece in enumerate(pieces):
        yield UNUSED.format(i) if piece in found else piece
        found.add(piece)


def _refuse_pieces(folder: Path, source: Mapping[str, int]) -> None:
    """Raises ExportError if the vocabulary is of parts of words, and nothing says how texts become these."""
    for mark, what in PIECE_MARKS.items():
        if sum(mark in piece for piece in source) > len(source) / 10:
            raise ExportError(
                f"{folder}: the vocabulary has {what}, and no SentencePiece model (*.model, *.spm) is there"
            )


def _read_vocabulary(folder: Path, side: str, size: int) -> list[str]:
    for name in (f"{side}_vocabulary", "shared_vocabulary", f"{side}_1_vocabulary"):
        for file in (folder / f"{name}.json", folder / f"{name}.txt"):
            if file.is_file():
                return _checked_vocabulary(file, size)
    raise ExportError(f"{folder} lacks {side}_vocabulary.json or shared_vocabulary.json")


def _checked_vocabulary(file: Path, size: int) -> list[str]:
    try:
        text = file.read_text(encoding="utf-8")
        pieces = json.loads(text) if file.suffix == ".json" else text.split("\n")
    except ValueError as error:
        raise ExportError(f"{file} cannot be read: {error}") from error
    if file.suffix == ".txt" and pieces and not pieces[-1]:
        pieces.pop()
    if not isinstance(pieces, list) or not all(isinstance(piece, str) for piece in pieces):
        raise ExportError(f"{file} holds no list of pieces")
    if len(pieces) != size:
        raise ExportError(f"{file} lists {len(pieces)} pieces, the weights {size}")
    return pieces


def _sentencepiece_file(folder: Path) -> Path | None:
    """The SentencePiece model that reads the source."""
    files = sorted(file for file in [*folder.glob("*.model"), *folder.glob("*.spm")] if file.name != CODES_FILE)
    named = [file for file in files if file.name.startswith(("source", "src"))]
    if len(files) > 1 and not named:
        raise ExportError(f"{folder} holds several SentencePiece models: {', '.join(file.name for file in files)}")
    return next(iter(named or files), None)
