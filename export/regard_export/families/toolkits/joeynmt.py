"""JoeyNMT 2 (Kreutzer et al. 2019), read without its code: best.ckpt, config.yaml, vocabularies and a SentencePiece
model for both sides.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import sentencepiece
import yaml

from regard.arrays import Float32Array
from regard_export.architectures.architecture import Architecture
from regard_export.architectures.recurrent import RecurrentArchitecture
from regard_export.architectures.transformer import TransformerArchitecture
from regard_export.checkpoints.files import read_pickle, require_files
from regard_export.checkpoints.sentencepiece_tokenizers import source_tokenizer, target_tokenizer
from regard_export.checkpoints.source_model import LoadOptions, SourceModel
from regard_export.checkpoints.unsupported import refuse_unsupported
from regard_export.checkpoints.weight_names import WEIGHT_AND_BIAS, renamed
from regard_export.descriptions.recurrent import RecurrentDescription
from regard_export.descriptions.transformer import TransformerDescription
from regard_export.errors import ExportError
from regard_export.families.toolkits import joeynmt_recurrent
from regard_export.families.toolkits.position_tables import interleaved_sinusoids
from regard_export.families.toolkits.tracked_weights import TrackedWeights
from regard_export.references.protocols import TextReference
from regard_export.references.recurrent import RecurrentReference
from regard_export.references.transformer import TransformerReference
from regard_models.nets.transformer_config import Activation, TransformerConfig
from regard_service.bundle import GenerationDefaults, Provenance, Target, TextSource

TRANSFORMER, RECURRENT = "joeynmt-transformer", "joeynmt-recurrent"
CONFIG_FILE, WEIGHTS_FILE = "config.yaml", "best.ckpt"
SOURCE_TOKENIZER, TARGET_TOKENIZER, GIVEN_TARGET_TOKENIZER = "source.json", "target.json", "given_target.json"
UNKNOWN, PAD, START, END = range(4)  # the first pieces of a vocabulary
MAX_POSITIONS = 512  # of JoeyNMT's 5,000
# Position tables, and the second copy of tied tables.
IGNORED_WEIGHTS = re.compile(r".*\.pe\.pe|src_embed\.lut\.weight|decoder\.output_layer\.weight")
MAX_NEW_TOKENS = 128
ACTIVATIONS: dict[str, Activation] = {"relu": "relu", "gelu": "gelu", "swish": "silu"}

# Our names to theirs.
ATTENTION = {"query": "q_layer", "key": "k_layer", "value": "v_layer", "output": "output_layer"}
FEED_FORWARD = {
    "feed_forward.inner": "feed_forward.pwff_layer.0",
    "feed_forward.outer": "feed_forward.pwff_layer.3",
    "feed_forward_sublayer.norm": "feed_forward.layer_norm",
}
ENCODER_LAYER = {
    **{f"self_attention.{ours}": f"src_src_att.{theirs}" for ours, theirs in ATTENTION.items()},
    "self_attention_sublayer.norm": "layer_norm",
    **FEED_FORWARD,
}
DECODER_LAYER = {
    **{f"self_attention.{ours}": f"trg_trg_att.{theirs}" for ours, theirs in ATTENTION.items()},
    "self_attention_sublayer.norm": "x_layer_norm",
    **{f"cross_attention.{ours}": f"src_trg_att.{theirs}" for ours, theirs in ATTENTION.items()},
    "cross_attention_sublayer.norm": "dec_layer_norm",
    **FEED_FORWARD,
}


def load(folder: Path, load_options: LoadOptions) -> SourceModel:
    """Reads a model's folder.

    Raises:
        ExportError: names every unsupported option.
    """
    require_files(folder, CONFIG_FILE, WEIGHTS_FILE)
    settings = yaml.safe_load((folder / CONFIG_FILE).read_text(encoding="utf-8"))
    refuse_unsupported("JoeyNMT", _faults(settings))
    sides = settings["data"]["src"], settings["data"]["trg"]
    vocabularies = [_vocabulary(folder, side) for side in sides]
    spm_file = _file(folder, sides[0]["tokenizer_cfg"]["model_file"])
    state = read_pickle(folder / WEIGHTS_FILE, is_trusted=load_options.is_pickle_trusted)["model_state"]
    weights = TrackedWeights({name: x.float().numpy() for name, x in state.items()})
    source = TextSource(tokenizer=SOURCE_TOKENIZER, suffix_ids=(END,))
    target = Target(
        tokenizer=TARGET_TOKENIZER,
        reading_tokenizer=GIVEN_TARGET_TOKENIZER,
        vocab_size=len(vocabularies[1]),
        start_id=START,
        pad_id=PAD,
        end_ids=(END,),
        special_ids=(UNKNOWN, PAD, START, END),
    )
    pairs = load_options.languages or ((sides[0]["lang"], sides[1]["lang"]),)
    architecture, reference = _net(settings["model"], weights, target, JoeyTokenizer(spm_file, vocabularies))
    return SourceModel(
        family=RECURRENT if isinstance(architecture, RecurrentArchitecture) else TRANSFORMER,
        task="translation",
        architecture=architecture,
        reference=reference,
        source=source,
        target=target,
        tokenizers={
            SOURCE_TOKENIZER: source_tokenizer(spm_file, vocabularies[0]),
            TARGET_TOKENIZER: target_tokenizer(vocabularies[1]),
            GIVEN_TARGET_TOKENIZER: source_tokenizer(spm_file, vocabularies[1]),
        },
        max_source_tokens=MAX_POSITIONS,
        max_target_tokens=MAX_POSITIONS,
        generation=_generation(settings.get("testing") or {}),
        provenance=Provenance(source=f"JoeyNMT model {settings.get('name', folder.name)}"),
        source_languages=tuple(dict.fromkeys(pair[0] for pair in pairs)),
        target_languages=tuple(dict.fromkeys(pair[1] for pair in pairs)),
    )


class JoeyTokenizer:
    """SentencePiece itself, with the ids of the vocabularies."""

    def __init__(self, spm_file: Path, vocabularies: Sequence[Mapping[str, int]]) -> None:
        self._pieces = sentencepiece.SentencePieceProcessor(str(spm_file))
        self._source = vocabularies[0]
        self._target_pieces = {i: piece for piece, i in vocabularies[1].items()}

    def tokenize(self, text: str) -> list[int]:
        """The encoder's ids of a text."""
        special = (PAD, START, END)  # unknown as text
        ids = [self._source.get(piece, UNKNOWN) for piece in self._pieces.encode(text, out_type=str)]
        return [*(UNKNOWN if i in special else i for i in ids), END]

    def detokenize(self, ids: Sequence[int]) -> str:
        """The text of the decoder's ids, without special tokens."""
        return "".join(self._target_pieces[i] for i in ids if i > END).replace("\u2581", " ")


class JoeyTextMixin:
    """JoeyNMT's tokenizer; makes a `Reference` a `TextReference`."""

    unknown_id: int | None = UNKNOWN
    tokenizer: JoeyTokenizer

    def tokenize(self, text: str, key: str) -> list[int]:
        """See `TextReference`."""
        return self.tokenizer.tokenize(text)

    def detokenize(self, ids: Sequence[int]) -> str:
        """See `TextReference`."""
        return self.tokenizer.detokenize(ids)


class JoeyTransformerReference(JoeyTextMixin, TransformerReference):
    """The weights in the project's transformer, which is tested with checkpoints that JoeyNMT made."""

    def __init__(self, description: TransformerDescription, target: Target, tokenizer: JoeyTokenizer) -> None:
        super().__init__(description, target)
        self.tokenizer = tokenizer


class JoeyRecurrentReference(JoeyTextMixin, RecurrentReference):
    """The weights in the project's recurrent translator, which is tested likewise."""

    def __init__(self, weights: RecurrentDescription, target: Target, tokenizer: JoeyTokenizer) -> None:
        super().__init__(weights.module(), target)
        self.tokenizer = tokenizer


def _net(
    model: Mapping[str, Any], weights: TrackedWeights, target: Target, tokenizer: JoeyTokenizer
) -> tuple[Architecture, TextReference]:
    """The architecture of config.yaml's net, and the original to compare it with."""
    if _is_recurrent(model):
        with weights.require_all_read(IGNORED_WEIGHTS):
            recurrent = joeynmt_recurrent.describe(model, weights)
        return RecurrentArchitecture(recurrent), JoeyRecurrentReference(recurrent, target, tokenizer)
    with weights.require_all_read(IGNORED_WEIGHTS):
        description = describe(model, weights)
    return TransformerArchitecture(description), JoeyTransformerReference(description, target, tokenizer)


def _is_recurrent(model: Mapping[str, Any]) -> bool:
    return bool(model["encoder"].get("type", "recurrent") == "recurrent")


def describe(settings: Mapping[str, Any], theirs: Mapping[str, Float32Array]) -> TransformerDescription:
    """Maps the weights and the model part of config.yaml."""
    encoder, decoder = settings["encoder"], settings["decoder"]
    norm = decoder.get("layer_norm", "post")
    table, source_table = theirs["trg_embed.lut.weight"], theirs["src_embed.lut.weight"]
    is_shared, is_tied = settings.get("tied_embeddings", False), settings.get("tied_softmax", False)
    config = TransformerConfig(
        vocab_size=len(table),
        source_vocab_size=None if is_shared else len(source_table),
        width=decoder["hidden_size"],
        num_heads=decoder["num_heads"],
        encoder_heads=encoder["num_heads"],
        encoder_layers=encoder["num_layers"],
        decoder_layers=decoder["num_layers"],
        feed_forward_width=decoder["ff_size"],
        encoder_feed_forward_width=encoder["ff_size"],
        norm=norm,
        norm_epsilon=1e-6,
        activation=ACTIVATIONS[decoder.get("activation", "relu")],
        positions="learned",
        max_positions=MAX_POSITIONS,
        scale_embeddings=decoder["embeddings"].get("scale", False),
        final_norm=norm == "pre",
        tie_embeddings=is_tied,
    )
    weights: dict[str, Float32Array] = {"embedding.weight": table}
    weights |= {} if is_shared else {"source_embedding.weight": source_table}
    weights |= {} if is_tied else {"head.weight": theirs["decoder.output_layer.weight"]}
    for side, num_layers, names in (
        ("encoder", config.encoder_layers, ENCODER_LAYER),
        ("decoder", config.decoder_layers, DECODER_LAYER),
    ):
        weights[f"{side}_positions.weight"] = interleaved_sinusoids(MAX_POSITIONS, config.width)
        if config.final_norm:
            weights |= renamed(theirs, {f"{side}_norm": f"{side}.layer_norm"}, WEIGHT_AND_BIAS)
        for layer in range(num_layers):
            weights |= renamed(theirs, names, WEIGHT_AND_BIAS, f"{side}.{layer}.", f"{side}.layers.{layer}.")
    return TransformerDescription(config, weights)


def _faults(settings: Mapping[str, Any]) -> Iterator[str]:
    """Names every option that is not supported."""
    model, data = settings["model"], settings["data"]
    yield from joeynmt_recurrent.faults(model) if _is_recurrent(model) else _transformer_faults(model)
    if len({model[side]["embeddings"].get("scale", False) for side in ("encoder", "decoder")}) > 1:
        yield "embeddings of which one side is scaled"
    for name in ("src", "trg"):
        yield from _text_faults(name, data[name])
    if len({(data[side].get("tokenizer_cfg") or {}).get("model_file") for side in ("src", "trg")}) > 1:
        yield "a SentencePiece model a side"


def _transformer_faults(model: Mapping[str, Any]) -> Iterator[str]:
    for name in ("encoder", "decoder"):
        yield from _net_faults(name, model[name])
    for name in ("layer_norm", "activation"):
        if model["encoder"].get(name) != model["decoder"].get(name):
            yield f"{name} that differs between encoder and decoder"


def _net_faults(name: str, part: Mapping[str, Any]) -> Iterator[str]:
    if part.get("type") != "transformer":
        yield f"{name} type {part.get('type', 'recurrent')!r}"
    if part.get("activation", "relu") not in ACTIVATIONS:
        yield f"{name} activation {part['activation']!r}"
    if part.get("alpha", 1.0) != 1.0:
        yield f"{name} alpha {part['alpha']}"
    if part.get("subsample"):
        yield f"{name} subsample"


def _text_faults(name: str, side: Mapping[str, Any]) -> Iterator[str]:
    if side.get("tokenizer_type") != "sentencepiece":
        yield f"{name} tokenizer_type {side.get('tokenizer_type', side.get('level'))!r}; sentencepiece is supported"
    if side.get("lowercase") or side.get("normalize"):
        yield f"{name} lowercase or normalize"


def _vocabulary(folder: Path, side: Mapping[str, Any]) -> dict[str, int]:
    """Reads a vocabulary file, a piece per line; returns ids by piece."""
    lines = _file(folder, side["voc_file"]).read_text(encoding="utf-8").splitlines()
    if lines[:4] != ["<unk>", "<pad>", "<s>", "</s>"]:
        raise ExportError(f"{side['voc_file']} does not begin with <unk>, <pad>, <s>, </s>")
    return {piece: i for i, piece in enumerate(lines)}


def _file(folder: Path, name: str) -> Path:
    """Finds a file that the config names by its path on the training machine."""
    file = folder / Path(name).name
    if not file.is_file():
        raise ExportError(f"{folder} lacks {file.name}")
    return file


def _generation(testing: Mapping[str, Any]) -> GenerationDefaults:
    """The settings of the config's testing part, without its length penalty, which has another formula."""
    max_new_tokens = testing.get("max_output_length") or MAX_NEW_TOKENS
    return GenerationDefaults(
        num_beams=testing.get("beam_size") or 1, max_new_tokens=min(max_new_tokens, MAX_POSITIONS), min_new_tokens=1
    )
