"""How a model reads texts: how much of one at a time, and how long its outputs usually are."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

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
    are those of people's translations of the dev examples, until `with_outputs` has the model's own.

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
    ratios = _ratios({key: _pairs(examples) for key, examples in dev.items()}) if model.task == "translation" else {}
    return TextUse(unit or _default_unit(model), unit_tokens, ratios)


def with_outputs(use: TextUse, dev: DevSet, outputs: Mapping[str, Sequence[str]]) -> TextUse:
    """Takes the usual lengths from what the model wrote, where it has any.

    Args:
        outputs: by target language, one of each dev example.
    """
    if not use.length_ratios:
        return use
    own = _ratios({key: _own_pairs(dev[key], texts) for key, texts in outputs.items()})
    return replace(use, length_ratios={**use.length_ratios, **own})


def _ratios(pairs: Mapping[str, Iterable[tuple[str, str]]]) -> dict[str, LengthRatios]:
    found = {key: usual_length_ratios(each) for key, each in pairs.items()}
    return {key: ratios for key, ratios in found.items() if ratios is not None}


def _own_pairs(examples: Sequence[DevExample], outputs: Sequence[str]) -> Iterator[tuple[str, str]]:
    for example, output in zip(examples, outputs, strict=True):
        if isinstance(example.source, str) and output.strip():
            yield example.source, output


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
