"""Which shortlist a bundle gets: the checkpoint's own, none, one of a file, or one that is learned from texts."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from regard_export.architectures.architecture import Listable
from regard_export.checkpoints.any_model import AnyModel, as_writer
from regard_export.checkpoints.source_model import SourceModel
from regard_export.errors import ExportError
from regard_export.examples.training_texts import TrainingTexts, read_training_texts
from regard_export.families.bergamot.shortlists import read_shortlist
from regard_export.tuning.learned_shortlists import MAX_PAIRS, source_vocab_size
from regard_service.bundle import TextSource, parse_shortlist
from regard_service.text.tokenizer import parse_tokenizer

LEARNED, OFF = "learned", "off"


def choose_shortlist(
    model: AnyModel, choice: str | None, data: Path | None
) -> tuple[AnyModel, Mapping[str, TrainingTexts]]:
    """Gives a model the shortlist of an export's option.

    Args:
        choice: "learned", "off", a file in Marian's format, or None for the checkpoint's own.
        data: the folder with training texts.

    Returns:
        the model; and texts by target language, from which a shortlist is learned, or none.

    Raises:
        ExportError: the model's steps cannot choose from a list, the file does not suit the model, or there are no
            texts to learn from.
    """
    if choice is None:
        return model, {}
    model = as_writer(model, "--shortlist")
    if choice == OFF:
        return replace(model, shortlist=b""), {}
    if not isinstance(model.source, TextSource) or not isinstance(model.architecture, Listable):
        raise ExportError(f"--shortlist {choice}: models of family {model.family} choose among their whole vocabulary")
    if choice != LEARNED:
        return replace(model, shortlist=_content(model, model.source, Path(choice))), {}
    if data is None:
        raise ExportError("--shortlist learned needs --data, a folder with train.LANGUAGE.gz")
    return replace(model, shortlist=b""), read_training_texts(data, model, MAX_PAIRS)


def _content(model: SourceModel, source: TextSource, path: Path) -> bytes:
    """The content of a file, whose offsets cover all pieces of the model's sources."""
    if not path.is_file():
        raise ExportError(f"--shortlist {path}: known are {LEARNED}, {OFF} and files in Marian's format")
    content = read_shortlist(path, None, model.target.vocab_size)
    vocabulary = parse_tokenizer(source.tokenizer, model.tokenizers[source.tokenizer]).get_vocab()
    needed = source_vocab_size(source, vocabulary)
    num_source = len(parse_shortlist(content, None, model.target.vocab_size).offsets) - 1
    if num_source < needed:
        raise ExportError(f"{path} is of another model: it lists {num_source} source pieces, this one reads {needed}")
    return content
