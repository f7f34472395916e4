"""How a model reads texts: how much of one at a time, and how long its outputs usually are."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from regard_export.checkpoints.source_model import SourceModel
from regard_export.errors import ExportError
from regard_export.examples.dev_sets import DevExample, DevSet
from regard_service.bundle import LengthRatios, Unit, usual_length_ratios
from regard_service.languages.matching import is_language


@dataclass(frozen=True)
class TextUse:
    """What a manifest says about texts.

    Attributes:
        unit: None for models that read no text.
        unit_tokens: with the unit "passage", most tokens of a passage; None for all that the model reads.
        length_ratios: by target language.
    """

    unit: Unit | None = None
    unit_tokens: int | None = None
    length_ratios: Mapping[str, LengthRatios] = field(default_factory=dict)


def text_use_of(model: SourceModel, unit: Unit | None, unit_tokens: int | None, dev: DevSet) -> TextUse:
    """Returns how a model reads texts.

    Translators between languages read sentences, summarizers passages, all others whole texts. The usual lengths
    are those of people's translations of the dev examples.

    Args:
        unit, unit_tokens: None leaves the choice to the task.

    Raises:
        ExportError: the model reads no text, or fewer tokens than a passage shall have.
    """
    if model.task == "captioning":
        if unit is not None:
            raise ExportError(f"--unit {unit}: a model for captioning reads no text")
        return TextUse()
    if unit_tokens is not None and not 0 < unit_tokens <= model.max_source_tokens:
        raise ExportError(f"--unit passage:{unit_tokens}: the model reads 1 to {model.max_source_tokens} tokens")
    ratios = {key: usual_length_ratios(_pairs(examples)) for key, examples in dev.items()}
    is_translation = model.task == "translation"
    known = {key: found for key, found in ratios.items() if found is not None} if is_translation else {}
    return TextUse(unit or _default_unit(model), unit_tokens, known)


def _default_unit(model: SourceModel) -> Unit:
    if model.task == "summarization":
        return "passage"
    sides = [side for side in (model.source_languages, model.target_languages) if side]
    # Sounds, formulas and code are no sentences: capitals and marks mean something there.
    return "sentence" if sides and all(any(map(is_language, side)) for side in sides) else "whole"


def _pairs(examples: Sequence[DevExample]) -> Iterator[tuple[str, str]]:
    for example in examples:
        if isinstance(example.source, str):
            yield from ((example.source, reference) for reference in example.references)
