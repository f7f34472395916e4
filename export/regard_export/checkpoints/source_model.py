"""What every family hands to the export."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from regard_service.bundle import GenerationDefaults, ImageSource, Provenance, Target, Task, TextSource

from regard_export.architectures.architecture import Architecture
from regard_export.errors import ExportError
from regard_export.references.reference import Reference


@dataclass(frozen=True)
class Wanted:
    """What the caller says of a checkpoint that does not say it itself.

    Attributes:
        languages: source and target, by the checkpoint's own codes where it has some.
        trust_pickle: read weights that are a pickle of more than tensors, which may run any code.
    """

    task: Task | None = None
    languages: tuple[tuple[str, str], ...] = ()
    trust_pickle: bool = False


@dataclass(frozen=True)
class SourceModel:
    """A trained model, whichever family it comes from.

    Attributes:
        tokenizers: content of the tokenizers' files that `source` and `target` name.
        reference: the original, to verify against.
        alignment_heads: (layer, head) pairs whose mean is the alignment; empty means that the export finds them, or
            takes all heads of the last layer.
    """

    family: str
    task: Task
    architecture: Architecture
    reference: Reference
    source: TextSource | ImageSource
    target: Target
    tokenizers: Mapping[str, str]
    max_source_tokens: int
    max_target_tokens: int
    generation: GenerationDefaults
    provenance: Provenance
    source_languages: tuple[str, ...] = ()
    target_languages: tuple[str, ...] = ()
    styles: tuple[str, ...] = ()
    summary: str = ""
    alignment_heads: tuple[tuple[int, int], ...] = ()
    scores: Mapping[str, float] = field(default_factory=dict)


def refuse_unsupported(toolkit: str, faults: Iterable[str]) -> None:
    """Raises ExportError with every option of a toolkit's model that is not supported, if there is any."""
    found = list(faults)
    if found:
        raise ExportError(f"this {toolkit} model asks for what is not supported: {'; '.join(found)}")


def require_files(folder: Path, *names: str) -> None:
    """Raises ExportError with every file that a checkpoint lacks."""
    missing = [name for name in names if not (folder / name).is_file()]
    if missing:
        raise ExportError(f"{folder} lacks {', '.join(missing)}")
