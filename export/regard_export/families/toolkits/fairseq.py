"""fairseq's transformers (Ott et al. 2019), read without its code: a file of weights and options, beside it
dict.LANGUAGE.txt and optionally a SentencePiece model; without one, texts are words between white space.
"""

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from regard.arrays import Float32Array
from regard_export.architectures.transformer import TransformerArchitecture
from regard_export.checkpoints.files import require_files
from regard_export.checkpoints.source_model import LoadOptions, SourceModel
from regard_export.checkpoints.unsupported import refuse_unsupported
from regard_export.checkpoints.weight_names import ACTIVATIONS, WEIGHT_AND_BIAS, renamed
from regard_export.descriptions.layers import Weights
from regard_export.descriptions.transformer import TransformerDescription
from regard_export.errors import ExportError
from regard_export.families.toolkits.position_tables import concatenated_sinusoids
from regard_export.families.toolkits.tracked_weights import TrackedWeights
from regard_export.families.toolkits.vocabularies import SpecialPieces, Vocabularies, VocabularyTextMixin
from regard_export.references.transformer import TransformerReference
from regard_models.nets.transformer_config import Side, TransformerConfig
from regard_service.bundle import GenerationDefaults, Provenance, Target

FAMILY = "fairseq-transformer"
SPECIAL_PIECES = SpecialPieces(unknown="<unk>", pad="<pad>", start="<s>", end="</s>")
FIRST_PIECES = ("<s>", "<pad>", "</s>", "<unk>")  # precede the pieces that a dictionary lists
# Version numbers, and the copies that fairseq 0.12 makes for its faster encoder.
IGNORED_WEIGHTS = re.compile(
    r".*\.(version|_float_tensor)|encoder\.layers\.\d+\.(fc[12]|in_proj|out_proj)_(weight|bias)"
)
FILLER_PIECE = "madeupword{:04d}"
FIRST_POSITION = 2  # row of the position table, after the padding's
MAX_POSITIONS = 512  # of fairseq's 1,024; sinusoids are unlimited
MAX_NEW_TOKENS = 200
NUM_BEAMS = 5
BPE_CODE_FILES = ("bpecodes", "code", "codes", "bpe.codes")  # of subword-nmt and fastBPE

# Options that are not supported, with the values that have no effect; older files lack some of them.
NEUTRAL_VALUES: dict[str, tuple[Any, ...]] = {
    "adaptive_input": (False, None),
    "adaptive_softmax_cutoff": (None, ""),
    "cross_self_attention": (False,),
    "no_cross_attention": (False,),
    "no_token_positional_embeddings": (False,),
    "encoder_layers_to_keep": (None, ""),
    "decoder_layers_to_keep": (None, ""),
    "base_layers": (0, None),
    "quant_noise_pq": (0, None),
    "char_inputs": (False, None),
}
# Options that must be the same for encoder and decoder.
SHARED_OPTIONS = ("normalize_before", "learned_pos")

# Our names to theirs.
ATTENTION = {"query": "q_proj", "key": "k_proj", "value": "v_proj", "output": "out_proj"}
FEED_FORWARD = {
    "feed_forward.inner": "fc1",
    "feed_forward.outer": "fc2",
    "feed_forward_sublayer.norm": "final_layer_norm",
}
SELF_ATTENTION = {
    **{f"self_attention.{ours}": f"self_attn.{theirs}" for ours, theirs in ATTENTION.items()},
    "self_attention_sublayer.norm": "self_attn_layer_norm",
}
CROSS_ATTENTION = {
    **{f"cross_attention.{ours}": f"encoder_attn.{theirs}" for ours, theirs in ATTENTION.items()},
    "cross_attention_sublayer.norm": "encoder_attn_layer_norm",
}


def load(file: Path, content: Mapping[str, Any], load_options: LoadOptions) -> SourceModel:
    """Maps a file's content to a source model.

    Args:
        content: the file's, with its options by name.

    Raises:
        ExportError: names every unsupported option.
    """
    options = _options(content)
    weights = TrackedWeights({name: x.float().numpy() for name, x in content["model"].items()})
    refuse_unsupported("fairseq", _faults(options, file.parent))
    languages = _languages(options, load_options)
    with weights.require_all_read(IGNORED_WEIGHTS):
        description = describe(options, weights)
    vocabularies = _vocabularies(file.parent, languages, description)
    target = vocabularies.text_target(description.config.vocab_size)
    pairs = load_options.languages or (languages,)
    return SourceModel(
        family=FAMILY,
        task="translation",
        architecture=TransformerArchitecture(description),
        reference=FairseqReference(description, target, vocabularies),
        source=vocabularies.text_source(),
        target=target,
        tokenizers=vocabularies.tokenizers(),
        max_source_tokens=description.config.max_positions,
        max_target_tokens=description.config.max_positions,
        generation=GenerationDefaults(num_beams=NUM_BEAMS, max_new_tokens=MAX_NEW_TOKENS),
        provenance=Provenance(source=f"fairseq model {file.stem}"),
        source_languages=tuple(dict.fromkeys(source for source, _ in pairs)),
        target_languages=tuple(dict.fromkeys(target for _, target in pairs)),
    )


class FairseqReference(VocabularyTextMixin, TransformerReference):
    """The weights in the project's transformer, which is tested with checkpoints of fairseq's nets."""

    def __init__(self, description: TransformerDescription, target: Target, vocabularies: Vocabularies) -> None:
        TransformerReference.__init__(self, description, target)
        VocabularyTextMixin.__init__(self, vocabularies)


def describe(options: Mapping[str, Any], theirs: Weights) -> TransformerDescription:
    """Maps options and weights."""
    table, source_table = (theirs[f"{side}.embed_tokens.weight"] for side in ("decoder", "encoder"))
    is_shared = np.array_equal(table, source_table)
    head = theirs.get("decoder.output_projection.weight")
    head = theirs.get("decoder.embed_out") if head is None else head
    is_tied = head is None or np.array_equal(table, head)
    is_pre_norm = bool(options["encoder_normalize_before"])
    is_learned = bool(options.get("encoder_learned_pos"))
    max_positions = min(options.get(f"max_{side}_positions") or MAX_POSITIONS for side in ("source", "target"))
    config = TransformerConfig(
        vocab_size=len(table),
        source_vocab_size=None if is_shared else len(source_table),
        width=table.shape[1],
        num_heads=options["decoder_attention_heads"],
        encoder_heads=options["encoder_attention_heads"],
        encoder_layers=options["encoder_layers"],
        decoder_layers=options["decoder_layers"],
        feed_forward_width=options["decoder_ffn_embed_dim"],
        encoder_feed_forward_width=options["encoder_ffn_embed_dim"],
        norm="pre" if is_pre_norm else "post",
        activation=ACTIVATIONS[options.get("activation_fn", "relu")],
        positions="learned",
        max_positions=min(max_positions, MAX_POSITIONS),
        scale_embeddings=not options.get("no_scale_embedding", False),
        embedding_norm=bool(options.get("layernorm_embedding")),
        final_norm=is_pre_norm,
        tie_embeddings=is_tied,
    )
    weights: dict[str, Float32Array] = {"embedding.weight": table}
    weights |= {} if is_shared else {"source_embedding.weight": source_table}
    weights |= {} if is_tied or head is None else {"head.weight": head}
    sides: tuple[tuple[Side, int, dict[str, str]], ...] = (
        ("encoder", config.encoder_layers, SELF_ATTENTION | FEED_FORWARD),
        ("decoder", config.decoder_layers, SELF_ATTENTION | CROSS_ATTENTION | FEED_FORWARD),
    )
    for side, num_layers, names in sides:
        weights[f"{side}_positions.weight"] = _positions(side, config, theirs, is_learned)
        norms = {f"{side}_norm": f"{side}.layer_norm"} if config.final_norm else {}
        norms |= {f"{side}_embedding_norm": f"{side}.layernorm_embedding"} if config.embedding_norm else {}
        weights |= renamed(theirs, norms, WEIGHT_AND_BIAS)
        for layer in range(num_layers):
            weights |= renamed(theirs, names, WEIGHT_AND_BIAS, f"{side}.{layer}.", f"{side}.layers.{layer}.")
    return TransformerDescription(config, weights)


def _positions(side: Side, config: TransformerConfig, theirs: Weights, is_learned: bool) -> Float32Array:
    """The position table of a side, from the first token's position on."""
    count = config.max_positions
    if is_learned:
        return theirs[f"{side}.embed_positions.weight"][FIRST_POSITION : FIRST_POSITION + count]
    return concatenated_sinusoids(count, config.width, first=FIRST_POSITION)


def _options(content: Mapping[str, Any]) -> dict[str, Any]:
    """The options of model and task by name; older files hold them as "args", newer ones by part as "cfg"."""
    if content.get("args"):
        return dict(content["args"])
    parts = content.get("cfg") or {}
    return {**(parts.get("task") or {}), **(parts.get("model") or {})}


def _faults(options: Mapping[str, Any], folder: Path) -> Iterator[str]:
    """Names every option that is not supported."""
    task = options.get("task") or options.get("_name") or "translation"
    if "encoder_layers" not in options or "decoder_layers" not in options:
        yield f"an architecture other than a transformer: {options.get('arch')!r}"
        return
    if str(task).startswith(("translation_multi", "multilingual", "language_modeling")):
        yield f"task {task!r}"
    for name, values in NEUTRAL_VALUES.items():
        if options.get(name, values[0]) not in values:
            yield f"{name} {options[name]!r}"
    for name in SHARED_OPTIONS:
        if bool(options.get(f"encoder_{name}")) != bool(options.get(f"decoder_{name}")):
            yield f"{name} of encoder or decoder alone"
    if options.get("activation_fn", "relu") not in ACTIVATIONS:
        yield f"activation_fn {options['activation_fn']!r}"
    for name in BPE_CODE_FILES:
        if (folder / name).is_file():
            yield f"pieces of subword-nmt or fastBPE ({name}); a SentencePiece model is supported, and words"


def _languages(options: Mapping[str, Any], load_options: LoadOptions) -> tuple[str, str]:
    """The language pair of the training or, if the options do not name it, the caller's."""
    named = options.get("source_lang"), options.get("target_lang")
    if all(named):
        return str(named[0]), str(named[1])
    if len(load_options.languages) != 1:
        raise ExportError("this checkpoint does not name its languages; name them: --languages SOURCE-TARGET")
    return load_options.languages[0]


def _vocabularies(folder: Path, languages: tuple[str, str], description: TransformerDescription) -> Vocabularies:
    files = [f"dict.{language}.txt" for language in languages]
    require_files(folder, *files)
    spm_files = sorted(folder.glob("*.model"))
    if len(spm_files) > 1:
        raise ExportError(f"{folder} holds several SentencePiece models: {', '.join(file.name for file in spm_files)}")
    sizes = len(description.source_embedding), len(description.embedding)
    source, target = (_dictionary(folder / file, size) for file, size in zip(files, sizes, strict=True))
    # fairseq's decoders start with the end token.
    spm_file = spm_files[0] if spm_files else None
    return Vocabularies(source, target, SPECIAL_PIECES, spm_file, start=SPECIAL_PIECES.end, has_source_end=True)


def _dictionary(file: Path, size: int) -> dict[str, int]:
    """Reads a dictionary, a line per piece with its count; adds fairseq's filler pieces up to the table's size."""
    lines = file.read_text(encoding="utf-8").splitlines()
    pieces = [*FIRST_PIECES, *(line.rsplit(" ", 1)[0] for line in lines if not line.endswith("#fairseq:overwrite"))]
    pieces += [FILLER_PIECE.format(i) for i in range(size - len(pieces))]
    if len(pieces) != size or len(set(pieces)) != size:
        raise ExportError(f"{file} lists {len(set(pieces))} pieces, the weights {size}")
    return {piece: i for i, piece in enumerate(pieces)}
