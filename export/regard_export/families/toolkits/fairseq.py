"""fairseq's transformers (Ott et al. 2019), read without its code: a file of weights and options, dict.LANGUAGE.txt
beside it, and a SentencePiece model where there is one; without one, texts are words between white space.
"""

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from regard_models.nets.transformer import Side, TransformerConfig
from regard_service.bundle import GenerationDefaults, Provenance, Target

from regard.arrays import Float32Array
from regard_export.architectures.transformer import TransformerArchitecture
from regard_export.checkpoints.source_model import SourceModel, Wanted, refuse_unsupported, require_files
from regard_export.checkpoints.weight_mapping import ACTIVATIONS, BOTH, ReadWeights, Weights, renamed
from regard_export.descriptions.transformer import Description
from regard_export.errors import ExportError
from regard_export.families.toolkits.position_tables import concatenated_sinusoids
from regard_export.families.toolkits.vocabularies import Special, Vocabularies, VocabularyTexts
from regard_export.references.reference import TransformerReference

FAMILY = "fairseq-transformer"
SPECIAL = Special(unknown="<unk>", pad="<pad>", start="<s>", end="</s>")
FIRST_PIECES = ("<s>", "<pad>", "</s>", "<unk>")  # in front of those that the dictionaries list
# Versions, and copies of 0.12's for a faster encoder.
UNREAD = re.compile(r".*\.(version|_float_tensor)|encoder\.layers\.\d+\.(fc[12]|in_proj|out_proj)_(weight|bias)")
FILLER = "madeupword{:04d}"
FIRST_POSITION = 2  # behind the padding's own
MAX_POSITIONS = 512  # of 1,024; fixed codes know no limit
MAX_NEW_TOKENS = 200
NUM_BEAMS = 5
PIECE_CODES = ("bpecodes", "code", "codes", "bpe.codes")  # of subword-nmt and fastBPE

# What the description has no place for, with the values that ask for nothing; older files lack some.
UNSUPPORTED: dict[str, tuple[Any, ...]] = {
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
# What may differ between encoder and decoder in the options, and not in the description.
SAME = ("normalize_before", "learned_pos")

# Ours, theirs.
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


def load(file: Path, content: Mapping[str, Any], wanted: Wanted) -> SourceModel:
    """Maps what a file holds to a model.

    Args:
        content: of the file, its options by name.

    Raises:
        ExportError: with every option that is not supported.
    """
    options = _options(content)
    weights = ReadWeights({name: x.float().numpy() for name, x in content["model"].items()})
    refuse_unsupported("fairseq", _faults(options, file.parent))
    languages = _languages(options, wanted)
    with weights.all_read(UNREAD):
        description = describe(options, weights)
    vocabularies = _vocabularies(file.parent, languages, description)
    target = vocabularies.text_target(description.config.vocab_size)
    pairs = wanted.languages or (languages,)
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


class FairseqReference(VocabularyTexts, TransformerReference):
    """The weights in our own PyTorch transformer.

    That it computes what fairseq does is tested on checkpoints whose nets are fairseq's.
    """

    def __init__(self, description: Description, target: Target, vocabularies: Vocabularies) -> None:
        TransformerReference.__init__(self, description, target)
        VocabularyTexts.__init__(self, vocabularies)


def describe(options: Mapping[str, Any], theirs: Weights) -> Description:
    """Options and weights as our description."""
    table, source_table = (theirs[f"{side}.embed_tokens.weight"] for side in ("decoder", "encoder"))
    shared = np.array_equal(table, source_table)
    head = theirs.get("decoder.output_projection.weight")
    head = theirs.get("decoder.embed_out") if head is None else head
    tied = head is None or np.array_equal(table, head)
    pre = bool(options["encoder_normalize_before"])
    learned = bool(options.get("encoder_learned_pos"))
    longest = min(options.get(f"max_{side}_positions") or MAX_POSITIONS for side in ("source", "target"))
    config = TransformerConfig(
        vocab_size=len(table),
        source_vocab_size=None if shared else len(source_table),
        width=table.shape[1],
        num_heads=options["decoder_attention_heads"],
        encoder_heads=options["encoder_attention_heads"],
        encoder_layers=options["encoder_layers"],
        decoder_layers=options["decoder_layers"],
        feed_forward_width=options["decoder_ffn_embed_dim"],
        encoder_feed_forward_width=options["encoder_ffn_embed_dim"],
        norm="pre" if pre else "post",
        activation=ACTIVATIONS[options.get("activation_fn", "relu")],
        positions="learned",
        max_positions=min(longest, MAX_POSITIONS),
        scale_embeddings=not options.get("no_scale_embedding", False),
        embedding_norm=bool(options.get("layernorm_embedding")),
        final_norm=pre,
        tie_embeddings=tied,
    )
    weights: dict[str, Float32Array] = {"embedding.weight": table}
    weights |= {} if shared else {"source_embedding.weight": source_table}
    weights |= {} if tied or head is None else {"head.weight": head}
    sides: tuple[tuple[Side, int, dict[str, str]], ...] = (
        ("encoder", config.encoder_layers, SELF_ATTENTION | FEED_FORWARD),
        ("decoder", config.decoder_layers, SELF_ATTENTION | CROSS_ATTENTION | FEED_FORWARD),
    )
    for side, count, names in sides:
        weights[f"{side}_positions.weight"] = _positions(side, config, theirs, learned)
        norms = {f"{side}_norm": f"{side}.layer_norm"} if config.final_norm else {}
        norms |= {f"{side}_embedding_norm": f"{side}.layernorm_embedding"} if config.embedding_norm else {}
        weights |= renamed(theirs, norms, BOTH)
        for layer in range(count):
            weights |= renamed(theirs, names, BOTH, f"{side}.{layer}.", f"{side}.layers.{layer}.")
    return Description(config, weights)


def _positions(side: Side, config: TransformerConfig, theirs: Weights, learned: bool) -> Float32Array:
    """Of the first token and on."""
    count = config.max_positions
    if learned:
        return theirs[f"{side}.embed_positions.weight"][FIRST_POSITION : FIRST_POSITION + count]
    return concatenated_sinusoids(count, config.width, first=FIRST_POSITION)


def _options(content: Mapping[str, Any]) -> dict[str, Any]:
    """Of the model and the task, by name: older files hold them as "args", newer ones by part as "cfg"."""
    if content.get("args"):
        return dict(content["args"])
    parts = content.get("cfg") or {}
    return {**(parts.get("task") or {}), **(parts.get("model") or {})}


def _faults(options: Mapping[str, Any], folder: Path) -> Iterator[str]:
    """Every option that our description or tokenizers have no place for."""
    task = options.get("task") or options.get("_name") or "translation"
    if "encoder_layers" not in options or "decoder_layers" not in options:
        yield f"an architecture other than a transformer: {options.get('arch')!r}"
        return
    if str(task).startswith(("translation_multi", "multilingual", "language_modeling")):
        yield f"task {task!r}"
    for name, values in UNSUPPORTED.items():
        if options.get(name, values[0]) not in values:
            yield f"{name} {options[name]!r}"
    for name in SAME:
        if bool(options.get(f"encoder_{name}")) != bool(options.get(f"decoder_{name}")):
            yield f"{name} of encoder or decoder alone"
    if options.get("activation_fn", "relu") not in ACTIVATIONS:
        yield f"activation_fn {options['activation_fn']!r}"
    for name in PIECE_CODES:
        if (folder / name).is_file():
            yield f"pieces of subword-nmt or fastBPE ({name}); a SentencePiece model is supported, and words"


def _languages(options: Mapping[str, Any], wanted: Wanted) -> tuple[str, str]:
    """Those that its training names, or those asked for."""
    named = options.get("source_lang"), options.get("target_lang")
    if all(named):
        return str(named[0]), str(named[1])
    if len(wanted.languages) != 1:
        raise ExportError("this checkpoint does not tell its languages; name them: --languages SOURCE-TARGET")
    return wanted.languages[0]


def _vocabularies(folder: Path, languages: tuple[str, str], description: Description) -> Vocabularies:
    files = [f"dict.{language}.txt" for language in languages]
    require_files(folder, *files)
    spm_files = sorted(folder.glob("*.model"))
    if len(spm_files) > 1:
        raise ExportError(f"{folder} holds several SentencePiece models: {', '.join(file.name for file in spm_files)}")
    sizes = len(description.source_embedding), len(description.embedding)
    source, target = (_dictionary(folder / file, size) for file, size in zip(files, sizes, strict=True))
    # Their decoders start with the end token.
    spm_file = spm_files[0] if spm_files else None
    return Vocabularies(source, target, SPECIAL, spm_file, start=SPECIAL.end, ends_source=True)


def _dictionary(file: Path, size: int) -> dict[str, int]:
    """Ids by piece, from a line a piece with its count; filled up to the table's size as their training fills it."""
    lines = file.read_text(encoding="utf-8").splitlines()
    pieces = [*FIRST_PIECES, *(line.rsplit(" ", 1)[0] for line in lines if not line.endswith("#fairseq:overwrite"))]
    pieces += [FILLER.format(i) for i in range(size - len(pieces))]
    if len(pieces) != size or len(set(pieces)) != size:
        raise ExportError(f"{file} tells {len(set(pieces))} pieces, the weights {size}")
    return {piece: i for i, piece in enumerate(pieces)}
