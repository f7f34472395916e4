"""A trained model as every family hands it to the export."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from regard_export.architectures.architecture import Architecture
from regard_export.references.protocols import Reference
from regard_service.bundle import GenerationDefaults, ImageSource, Provenance, Target, Task, TextSource


@dataclass(frozen=True)
class LoadOptions:
    """Options that a checkpoint does not state itself.

    Attributes:
        task: the model's task, for a checkpoint with several.
        languages: (source, target) pairs, by the checkpoint's own codes if it has any.
        is_pickle_trusted: whether to read weights from a pickle that holds more than tensors, and may run any code.
        prefixes: (target language, text) pairs: what the model's users write before a text; "" stands for any language.
        base: folder, or name on the hub, of the model that an adapter adapts; None is what the adapter names.
        max_source_tokens: the longest source, for models whose positions are relative; None is the checkpoint's limit.
    """

    task: Task | None = None
    languages: tuple[tuple[str, str], ...] = ()
    is_pickle_trusted: bool = False
    prefixes: tuple[tuple[str, str], ...] = ()
    max_source_tokens: int | None = None
    base: str | None = None


@dataclass(frozen=True)
class SourceModel:
    """A trained model of any family.

    Attributes:
        reference: the original model, for verification.
        tokenizers: contents of the tokenizer files that `source` and `target` name.
        alignment_heads: (layer, head) pairs whose mean is the alignment; empty means that the export chooses them, or
            takes all heads of the last layer.
        alignment_method: how the heads were chosen, in words, for the manifest.
        alignment_shifted: whether these heads align a token at the step that reads it.
        scores: the metrics that the checkpoint's card states.
        shortlist: which words each source piece may become, in Marian's format; b"" without one.
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
    alignment_method: str = "mean of chosen heads"
    alignment_shifted: bool = False
    scores: Mapping[str, float] = field(default_factory=dict)
    shortlist: bytes = b""
