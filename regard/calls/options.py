"""Options of calls; the names of options that change the search or the maps are those of the proto."""

from collections.abc import Iterator, KeysView, Mapping, Sequence, ValuesView
from typing import TypedDict

from regard.names import (
    AlignmentMethod,
    AttentionKind,
    EarlyStopping,
    Evidence,
    Format,
    MapEncoding,
    Pooling,
    Priority,
    Symmetrization,
    Truncation,
    Unit,
    Weighting,
)
from regard.values.glossaries import Term

Texts = list[str] | tuple[str, ...] | Iterator[str] | KeysView[str] | ValuesView[str]
"""Several texts. Any other iterable works too, such as a column of a table; but its type may not be `Iterable[str]`,
which a single text has as well.
"""


Pairs = list[tuple[str, str]] | tuple[tuple[str, str], ...] | Iterator[tuple[str, str]]
"""Several pairs of a source and a target; any other iterable of them works too."""


class GenerationOptions(TypedDict, total=False):
    """How to search for the output; None, and a missing option, mean the model's default.

    Names, meaning and bounds are those of the proto's GenerationConfig.
    """

    num_beams: int | None
    max_new_tokens: int | None
    min_new_tokens: int | None
    length_penalty: float | None
    early_stopping: EarlyStopping | None
    num_return_sequences: int | None
    no_repeat_ngram_size: int | None
    repetition_penalty: float | None
    whole_vocabulary: bool | None
    temperature: float | None
    top_k: int | None
    top_p: float | None
    seed: int | None


class AttentionOptions(TypedDict, total=False):
    """Which attention maps the result has.

    `attention` names one kind of map or several; True is the alignment. With `words` the maps' axes count words instead
    of tokens. `attention_top_k` is how many weights of each row the server sends, the largest ones. The other options
    are those of the proto's AttentionConfig. Without `attention` they are refused; `attention=False` leaves maps out.
    """

    attention: bool | AttentionKind | Sequence[AttentionKind] | None
    words: bool
    layers: Sequence[int] | None
    heads: Sequence[int] | None
    encoding: MapEncoding | None
    attention_top_k: int | None
    alignment_method: AlignmentMethod | None
    weighting: Weighting | None


class CallOptions(GenerationOptions, AttentionOptions, total=False):
    """Options of every call.

    `model` is a name ("everyday", or "everyday@2"), `priority` the call's urgency, `timeout` the call's limit in
    seconds: None is the client's, `math.inf` none.
    """

    model: str | None
    priority: Priority | None
    timeout: float | None


class TextOptions(CallOptions, total=False):
    """Options of calls with texts: also what to do with a text that is too long.

    `control_tokens` names special tokens of the model (`Model.control_tokens`) that the texts may contain; otherwise
    they are text.
    """

    truncation: Truncation | None
    control_tokens: Sequence[str] | None


Terms = Mapping[str, str] | Sequence[tuple[str, str] | Term]
"""Sources and their targets; a `regard.Term` has options."""


class TermOptions(TypedDict, total=False):
    """What an output must contain, or must not.

    `terms` are words or phrases with their translations, `glossaries` names of the server's own; `suppressed` are
    phrases that no output contains.
    """

    terms: Terms | None
    glossaries: Sequence[str] | None
    suppressed: Sequence[str] | None


class TranslateOptions(TextOptions, TermOptions, total=False):
    """Options of translations: also the language of the texts, and how they are cut into segments.

    `target_prefix` is how the output begins: a text, or for several texts one for each; `prefix_bias`, between 0 and 1,
    draws the output to it instead of forcing it. `target_prefix_tokens` are the same as entries of the model's
    vocabulary, for one text. `num_alternatives` returns so many hypotheses that differ behind the prefix.

    Names and meaning are those of the proto's TextOptions: `format` is "plain", "html" or "xml"; `unit` is how much of
    a text the model reads at a time; `raw` leaves a text as one sequence; `protected_patterns` (RE2) and
    `protected_spans` (index of the text, start, end) are copied verbatim. `source_language`
    None leaves it to the model, and "auto" has the server detect it. `confidence` asks for the probability of each word
    that it is right.
    """

    source_language: str | None
    format: Format | None
    unit: Unit | None
    raw: bool
    protected_patterns: Sequence[str] | None
    protected_spans: Sequence[tuple[int, int, int]] | None
    target_prefix: str | Sequence[str] | None
    target_prefix_tokens: Sequence[str] | None
    prefix_bias: float | None
    num_alternatives: int | None
    confidence: bool


class PairOptions(AttentionOptions, total=False):
    """Options of calls that align given pairs, and of those that score them.

    `model` is a name ("everyday", or "everyday@2"); `source_language` None leaves it to the model; `priority` is the
    call's urgency, `timeout` the call's limit in seconds: None is the client's, `math.inf` none.
    """

    model: str | None
    source_language: str | None
    priority: Priority | None
    timeout: float | None


class ScoreOptions(PairOptions, total=False):
    """Options of scores: also whether to return the probability of each word that it is right."""

    confidence: bool


class AlignOptions(PairOptions, total=False):
    """Options of alignments: also the name of a model of the other direction, and how its links are joined with these.

    `words` is True unless it is set; `attention` names maps beside the alignment.
    """

    reverse_model: str | None
    symmetrization: Symmetrization | None


class EncoderOptions(AttentionOptions, total=False):
    """Options of calls to models without a decoder.

    `model` is a name ("everyday", or "everyday@2"); `truncation` is "reject" or "truncate"; `priority` is the call's
    urgency, `timeout` the call's limit in seconds: None is the client's, `math.inf` none.
    """

    model: str | None
    truncation: Truncation | None
    priority: Priority | None
    timeout: float | None


class EncodeOptions(EncoderOptions, total=False):
    """Options of encoding: also how states are pooled, and whether vectors are divided by their length.

    None leaves both to the model.
    """

    pooling: Pooling | None
    normalized: bool | None


class ExplainOptions(TypedDict, total=False):
    """Options of explanations.

    `explain` names sources of evidence to check, for the likeliest label of each input or for `explain_label`; of
    detections, for each object or for those of `explain_label`. The model reads each input again many times.
    """

    explain: Evidence | Sequence[Evidence] | None
    explain_label: str | None


class ClassifyOptions(EncoderOptions, ExplainOptions, total=False):
    """Options of classification: also which labels to return, how many of them, and from which probability on; and
    those of `ExplainOptions`.
    """

    labels: Sequence[str] | None
    top_k: int | None
    threshold: float | None


class DetectOptions(AttentionOptions, ExplainOptions, total=False):
    """Options of detection: which labels to return, how many boxes, and from which score on; those of `ExplainOptions`;
    and those of any call to a model without a decoder but `truncation`, see `EncoderOptions`.
    """

    model: str | None
    labels: Sequence[str] | None
    top_k: int | None
    threshold: float | None
    priority: Priority | None
    timeout: float | None


class AnswerOptions(EncoderOptions, ExplainOptions, total=False):
    """Options of answers: also which labels to return, how many of them, and from which probability on; and those of
    `ExplainOptions`.
    """

    labels: Sequence[str] | None
    top_k: int | None
    threshold: float | None


class FillMaskOptions(EncoderOptions, total=False):
    """Options of filling masks: also how many pieces to return for each."""

    top_k: int | None


class DocumentOptions(GenerationOptions, TermOptions, total=False):
    """Options of a file's translation: those of a translation that make sense for it, and its format.

    `media_type` is the format ("text/markdown", or short "markdown"); None takes it from the ending of `file_name`,
    which is the path's if a path was given. `replaces_existing` translates again what has a translation (PO, XLIFF).
    `priority` is "bulk" by default. `timeout` None sets no limit: the server's own applies.
    """

    model: str | None
    source_language: str | None
    media_type: str | None
    file_name: str | None
    replaces_existing: bool
    unit: Unit | None
    protected_patterns: Sequence[str] | None
    truncation: Truncation | None
    priority: Priority | None
    timeout: float | None
