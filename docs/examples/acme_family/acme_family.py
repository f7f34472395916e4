"""Translators of Acme's trainer: `acme.json` with the sizes, `acme.npz` with the weights, `pieces.model` of
SentencePiece for both languages. The trainer is made up; docs/families.md explains this file.
"""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from sentencepiece import SentencePieceProcessor

from regard_export.architectures.transformer import TransformerArchitecture
from regard_export.checkpoints.files import read_json, require_files
from regard_export.checkpoints.sentencepiece_tokenizers import source_tokenizer, target_tokenizer
from regard_export.checkpoints.source_model import LoadOptions, SourceModel
from regard_export.descriptions.transformer import TransformerDescription
from regard_export.errors import ExportError
from regard_export.references.transformer import TransformerReference
from regard_models.nets.transformer_config import TransformerConfig
from regard_service.bundle import GenerationDefaults, Provenance, Target, TextSource

name = "acme"
takes_languages = False

CONFIG_FILE, WEIGHTS_FILE, PIECES_FILE = "acme.json", "acme.npz", "pieces.model"
UNKNOWN, START, END, PAD = range(4)  # SentencePiece's own ids, as the trainer sets them
MAX_POSITIONS = 256
# Parts of Acme's names for weights, by ours.
PARTS = {
    "self_attention.": "self/",
    "cross_attention.": "cross/",
    "self_attention_sublayer.norm.": "self/norm/",
    "cross_attention_sublayer.norm.": "cross/norm/",
    "feed_forward.": "ffn/",
    "feed_forward_sublayer.norm.": "ffn/norm/",
}


def recognizes(path: Path) -> bool:
    """Whether a folder is a checkpoint of Acme's trainer."""
    return (path / CONFIG_FILE).is_file()


def load(path: Path, load_options: LoadOptions) -> SourceModel:
    """Reads a checkpoint's folder.

    Raises:
        ExportError: a file is missing, the weights do not fit the sizes, or a choice has no meaning for this family.
    """
    require_files(path, WEIGHTS_FILE, PIECES_FILE)
    if load_options.languages:
        raise ExportError(f"{path / CONFIG_FILE} names the languages; omit --languages")
    settings = read_json(path / CONFIG_FILE)
    description = describe(settings, dict(np.load(path / WEIGHTS_FILE)))
    pieces = SentencePieceProcessor(str(path / PIECES_FILE))
    ids = {pieces.id_to_piece(i): i for i in range(pieces.get_piece_size())}
    target = Target(
        tokenizer="target.json",
        reading_tokenizer="source.json",
        vocab_size=len(ids),
        start_id=START,
        pad_id=PAD,
        end_ids=(END,),
        special_ids=(UNKNOWN, START, END, PAD),
    )
    return SourceModel(
        family=name,
        task="translation",
        architecture=TransformerArchitecture(description),
        reference=AcmeReference(description, target, pieces),
        source=TextSource(tokenizer="source.json", suffix_ids=(END,)),
        target=target,
        tokenizers={"source.json": source_tokenizer(path / PIECES_FILE, ids), "target.json": target_tokenizer(ids)},
        max_source_tokens=MAX_POSITIONS,
        max_target_tokens=MAX_POSITIONS,
        generation=GenerationDefaults(max_new_tokens=100),
        provenance=Provenance(source=f"Acme's trainer, {path.name}"),
        source_languages=(settings["from"],),
        target_languages=(settings["to"],),
    )


def describe(settings: dict[str, int], theirs: dict[str, np.ndarray]) -> TransformerDescription:
    """Acme's sizes and weights as those of our transformer. Raises `WeightsDoNotFit`, which names each fault."""
    config = TransformerConfig(
        vocab_size=len(theirs["table"]),
        width=settings["width"],
        num_heads=settings["heads"],
        encoder_layers=settings["layers"],
        decoder_layers=settings["layers"],
        feed_forward_width=settings["inner"],
        max_positions=MAX_POSITIONS,
    )
    renamed = {_our_name(each): array for each, array in theirs.items()}
    return TransformerDescription(config, renamed)


def _our_name(theirs: str) -> str:
    """encoder/0/self/norm/weight -> encoder.0.self_attention_sublayer.norm.weight, and so on."""
    if theirs == "table":
        return "embedding.weight"
    if theirs.count("/") < 3:  # encoder/norm/weight: behind the last layer
        return theirs.replace("/", "_", 1).replace("/", ".")
    side, layer, rest = theirs.split("/", 2)
    ours, part = max(((ours, part) for ours, part in PARTS.items() if rest.startswith(part)), key=lambda x: len(x[1]))
    return f"{side}.{layer}.{ours}{rest.removeprefix(part).replace('/', '.')}"


class AcmeReference(TransformerReference):
    """The original for verification: the weights in our net, and SentencePiece itself.

    Where the toolkit can be imported, call it instead: then verification also checks the renaming of weights.
    """

    unknown_id: int | None = UNKNOWN

    def __init__(self, description: TransformerDescription, target: Target, pieces: SentencePieceProcessor) -> None:
        super().__init__(description, target)
        self._pieces = pieces

    def tokenize(self, text: str, key: str) -> list[int]:
        """The encoder's ids of a text; `key` is the target language, of which Acme's models have one."""
        return [*self._pieces.encode(text), END]

    def detokenize(self, ids: Sequence[int]) -> str:
        """The text of the decoder's ids, without special tokens."""
        return str(self._pieces.decode([i for i in ids if i > PAD]))
