"""What a caller sends: inputs and options."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal, NamedTuple

from regard import names
from regard_service.domain.elements import NO_RULES, ElementRules
from regard_service.domain.explanations import ExplainOptions
from regard_service.domain.glossaries import GlossaryEntry
from regard_service.generation import EarlyStopping

AttentionKind = names.AttentionKind
AlignmentMethod = names.AlignmentMethod
Granularity = names.Granularity
Format = names.Format
MapEncoding = names.MapEncoding
Pooling = names.Pooling
Truncation = Literal["reject", "truncate", "split"]
Symmetrization = names.Symmetrization
Unit = names.Unit
Weighting = names.Weighting


@dataclass(frozen=True)
class GenerationOptions:
    """Generation options as the caller set them; None stands for the model's default."""

    num_beams: int | None = None
    max_new_tokens: int | None = None
    min_new_tokens: int | None = None
    length_penalty: float | None = None
    early_stopping: EarlyStopping | None = None
    num_return_sequences: int | None = None
    no_repeat_ngram_size: int | None = None
    repetition_penalty: float | None = None
    temperature: float | None = None
    top_k: int | None = None
    top_p: float | None = None
    seed: int | None = None
    whole_vocabulary: bool | None = None


@dataclass(frozen=True)
class AttentionOptions:
    """The attention maps of a call. Without kinds there are no maps.

    Attributes:
        layers, heads: indexes; empty means all (for the alignment: the manifest's default heads).
        method: the step at which a target token is aligned; None stands for the model's default.
        encoding, top_k: the form of the weights on the wire; `top_k` None sends every weight.
        weighting: "value_norm" multiplies weights by the norms of the values (Kobayashi et al. 2020); "contribution" is
            how much of the output each position explains (Ferrando et al. 2022).
    """

    kinds: tuple[AttentionKind, ...] = ()
    layers: tuple[int, ...] = ()
    heads: tuple[int, ...] = ()
    granularity: Granularity = "token"
    method: AlignmentMethod | None = None
    encoding: MapEncoding = "float32"
    top_k: int | None = None
    weighting: Weighting = "attention"


@dataclass(frozen=True)
class TextOptions:
    """How texts are cut into segments, and what happens around the model.

    Attributes:
        unit: None stands for the model's.
        raw: a text is one sequence as it stands, and all else of the class has no effect.
        protected_patterns: in RE2's syntax; what they match is copied.
        protected_spans: ranges that are copied, by the index of their text.
        elements: what is said about elements of markup.
    """

    format: Format = "plain"
    unit: Unit | None = None
    raw: bool = False
    protected_patterns: tuple[str, ...] = ()
    protected_spans: tuple[tuple[int, int, int], ...] = ()
    elements: ElementRules = NO_RULES


@dataclass(frozen=True)
class TargetPrefix:
    """How an output begins.

    Attributes:
        text: "" where `tokens` are given, or nothing is.
        tokens: entries of the target vocabulary.
        bias: draws the output to the prefix with this probability; 0 forces it.
    """

    text: str = ""
    tokens: tuple[str, ...] = ()
    bias: float = 0.0


@dataclass(frozen=True)
class Control:
    """What the caller says about the outputs themselves.

    Attributes:
        terms: how words are to be translated.
        glossaries: names of the server's own.
        prefixes: by the index of their text.
        num_alternatives: hypotheses that differ at the position behind the prefix; 0: the search's own hypotheses.
        suppressed: phrases that an output does not contain.
    """

    terms: tuple[GlossaryEntry, ...] = ()
    glossaries: tuple[str, ...] = ()
    prefixes: Mapping[int, TargetPrefix] = field(default_factory=dict)
    num_alternatives: int = 0
    suppressed: tuple[str, ...] = ()


@dataclass(frozen=True)
class Call:
    """The fields of every call.

    Attributes:
        model: "NAME" or "NAME@VERSION"; "" stands for the default model.
        is_bulk: its requests wait behind interactive ones.
        deadline: on the clock of `time.monotonic()`; None: no deadline.
    """

    model: str = ""
    generation: GenerationOptions = field(default_factory=GenerationOptions)
    attention: AttentionOptions = field(default_factory=AttentionOptions)
    is_bulk: bool = False
    deadline: float | None = None


@dataclass(frozen=True)
class TranslateCall(Call):
    """Texts to translate; a language "" stands for the model's only one.

    Attributes:
        control_tokens: special tokens of the model that the texts may contain.
        has_confidence: whether the results say how sure the model is of each word.
    """

    texts: tuple[str, ...] = ()
    source_language: str = ""
    target_language: str = ""
    truncation: Truncation | None = None
    text_options: TextOptions = field(default_factory=TextOptions)
    control_tokens: tuple[str, ...] = ()
    control: Control = field(default_factory=Control)
    has_confidence: bool = False


class TextPair(NamedTuple):
    """A source and a translation of it."""

    source: str
    target: str


@dataclass(frozen=True)
class PairCall(Call):
    """Pairs to score or to align; languages are those of `TranslateCall`.

    Attributes:
        reverse_model: for alignments, the name of a model of the other direction; "" stands for none.
        has_confidence: as in `TranslateCall`.
        symmetrization: how links of both directions are joined.
    """

    pairs: tuple[TextPair, ...] = ()
    source_language: str = ""
    target_language: str = ""
    reverse_model: str = ""
    has_confidence: bool = False
    symmetrization: Symmetrization = "grow_diag_final_and"


@dataclass(frozen=True)
class SummarizeCall(Call):
    """Texts to summarize; style "" stands for the model's default; control tokens are those of `TranslateCall`."""

    texts: tuple[str, ...] = ()
    style: str = ""
    truncation: Truncation | None = None
    control_tokens: tuple[str, ...] = ()


@dataclass(frozen=True)
class CaptionCall(Call):
    """Pictures to describe, each a whole JPEG, PNG or WebP file."""

    images: tuple[bytes, ...] = ()


@dataclass(frozen=True)
class EncodeCall(Call):
    """Texts to encode; None stands for the model's default."""

    texts: tuple[str, ...] = ()
    pooling: Pooling | None = None
    is_normalized: bool | None = None
    truncation: Truncation | None = None


@dataclass(frozen=True)
class ClassifyCall(Call):
    """Texts or pictures to label.

    Attributes:
        labels: those to return; empty stands for all.
        top_k: None stands for all labels of an input, and one of a token.
        threshold: least probability of a label.
        explain: evidence for the label to check.
    """

    texts: tuple[str, ...] = ()
    images: tuple[bytes, ...] = ()
    labels: tuple[str, ...] = ()
    top_k: int | None = None
    threshold: float = 0.0
    truncation: Truncation | None = None
    explain: ExplainOptions = field(default_factory=ExplainOptions)


@dataclass(frozen=True)
class DetectCall(Call):
    """Pictures to find objects in; the fields are those of `ClassifyCall`, with scores for probabilities.

    Attributes:
        explain: evidence for the objects, or those of its label, to check.
    """

    images: tuple[bytes, ...] = ()
    labels: tuple[str, ...] = ()
    top_k: int = 100
    threshold: float = 0.5
    explain: ExplainOptions = field(default_factory=ExplainOptions)


@dataclass(frozen=True)
class AnswerCall(Call):
    """Questions about pictures; there are equally many of both, or one of one kind for all of the other.

    Attributes:
        labels, threshold, explain: as of `ClassifyCall`.
        top_k: None stands for all labels.
    """

    images: tuple[bytes, ...] = ()
    questions: tuple[str, ...] = ()
    labels: tuple[str, ...] = ()
    top_k: int | None = 5
    threshold: float = 0.0
    truncation: Truncation | None = None
    explain: ExplainOptions = field(default_factory=ExplainOptions)


@dataclass(frozen=True)
class FillMaskCall(Call):
    """Texts with masks to fill."""

    texts: tuple[str, ...] = ()
    top_k: int = 5
    truncation: Truncation | None = None
