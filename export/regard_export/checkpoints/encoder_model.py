"""A trained model without a decoder, as its family hands it to the export."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from regard_export.architectures.architecture import EncodingArchitecture
from regard_export.references.protocols import EncoderReference
from regard_service.bundle import ImageSource, Output, Provenance, QuestionSource, Task, TextSource


@dataclass(frozen=True)
class EncoderModel:
    """A trained model whose encoder's output is the answer.

    Attributes:
        output: what the encode graph outputs.
        reference: the original model, for verification.
        tokenizers: contents of the tokenizer files that `source` names.
        summary: what the model is good for, in a few words.
        scores: as of `Manifest`.
    """

    family: str
    task: Task
    architecture: EncodingArchitecture
    reference: EncoderReference
    source: TextSource | ImageSource | QuestionSource
    output: Output
    tokenizers: Mapping[str, str]
    max_source_tokens: int
    provenance: Provenance
    summary: str = ""
    scores: Mapping[str, float] = field(default_factory=dict)
