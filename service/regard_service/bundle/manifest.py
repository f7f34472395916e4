"""The manifest: the schema of `manifest.json`."""

from collections.abc import Iterator
from typing import Any, Literal

from pydantic import AwareDatetime, ConfigDict, Field, model_validator

from regard_service.bundle.confidence import Confidence
from regard_service.bundle.graphs import GraphSpec, StateSpec, TensorSpec, Variant
from regard_service.bundle.length_ratios import LengthRatios
from regard_service.bundle.outputs import BoxesOutput, Output, PiecesOutput, TextOutput
from regard_service.bundle.schema import Count, Name, Schema, Size, Task, TokenId, Unit, Version

UNCHOSEN_HEADS = "mean of all heads of the last layer"
# Outputs of trace graphs.
DECODER_MAP = "decoder_attention_0"
LOGPROBS = "target_logprobs"
CONTRIBUTIONS = "{}_contribution_0"


class ControlToken(Schema):
    """A special token that stands in a text for itself where the request names it, and is text everywhere else.

    Attributes:
        content: how it is spelled in a text.
        lstrip, rstrip: whether it takes the white space before or behind it.
        single_word: whether it is no part of a longer word.
        normalized: whether it is found in the normalized text rather than in the text as it is sent.
    """

    content: str = Field(min_length=1)
    id: TokenId
    lstrip: bool = False
    rstrip: bool = False
    single_word: bool = False
    normalized: bool = False


class TextSource(Schema):
    """How text becomes the encoder's ids: prefix of the target language, pieces, suffix.

    Attributes:
        tokenizer: a file of the `tokenizers` library, or NAME.moses.json (docs/bundle.md).
        prefix_ids: ids before the pieces, by target language or style; the key "" stands for any.
        suffix_ids: ids after the pieces, customarily the end token.
        language_prefix_ids, language_suffix_ids: ids outside of prefix and suffix, by source language, for models
            that read the name of their source language.
        control_tokens: special tokens that a request may name.
        prefix_texts: the texts of `prefix_ids` that the exporter was given, by target language or style.
    """

    tokenizer: str
    prefix_ids: dict[str, tuple[TokenId, ...]] = Field(default_factory=dict)
    suffix_ids: tuple[TokenId, ...] = ()
    language_prefix_ids: dict[str, tuple[TokenId, ...]] = Field(default_factory=dict)
    language_suffix_ids: dict[str, tuple[TokenId, ...]] = Field(default_factory=dict)
    control_tokens: tuple[ControlToken, ...] = ()
    prefix_texts: dict[str, str] = Field(default_factory=dict)

    @property
    def needs_source_language(self) -> bool:
        """Whether the model reads the name of its source language."""
        return bool(self.language_prefix_ids or self.language_suffix_ids)


class ImageSource(Schema):
    """How a picture becomes `pixels`: float32 [requests, 3, height, width], (value - mean) / std, RGB, values from 0
    to 255.

    Attributes:
        resize: "squash" changes the aspect ratio; "crop" scales the shorter side and keeps the middle; "fit" scales the
            longer side, and fills the rest with black around the picture.
        crop_fraction: the part of each side that is kept, around the middle: 0.875 where pictures are resized to 256
            pixels and 224 of them are kept.
        resample: the filter, by Pillow's name.
        grid: rows and columns of the source axis, row by row.
        first_position: the grid's first position on the source axis; the positions before it, such as a class token,
            are no part of the picture.
        prefix_texts: the text whose token the decoder starts with, by "", if the export's caller gave it.
    """

    height: Size
    width: Size
    mean: tuple[float, float, float]
    std: tuple[float, float, float]
    resize: Literal["squash", "crop", "fit"]
    crop_fraction: float = Field(default=1.0, gt=0, le=1)
    resample: Literal["bilinear", "bicubic", "lanczos"] = "bicubic"
    grid: tuple[Size, Size]
    first_position: Count = 0
    prefix_texts: dict[str, str] = Field(default_factory=dict)

    @property
    def num_positions(self) -> int:
        """Length of the source axis."""
        return self.first_position + self.grid[0] * self.grid[1]


class QuestionSource(Schema):
    """A picture with a question, which one encoder reads together. On the source axis the question's tokens come first,
    then the picture's positions.

    The encode graph reads `pixels` and, of the questions, what it reads of texts; the trace graph reads `pixels` and
    `source_ids` of one input. The manifest's `max_source_tokens` is the longest question's.
    """

    picture: ImageSource
    question: TextSource


class Target(Schema):
    """How the decoder starts and ends, and how its ids become text.

    Attributes:
        tokenizer: a file of the `tokenizers` library, or NAME.moses.json, which decodes.
        reading_tokenizer: the file that reads given targets; None: the source's, if it is `tokenizer` too, else none.
        start_id: the decoder's first input.
        forced_first_ids: the first token that a target language or style forces, by its name; "" stands for any.
        end_ids: tokens that end a hypothesis.
        special_ids: tokens that are never text.
        copies: candidate ids from `vocab_size` on are words of the source: `vocab_size + p` stands for the word at
            position p of the source's tokens, see "Copying" in docs/bundle.md.
    """

    tokenizer: str
    vocab_size: Size
    start_id: TokenId
    pad_id: TokenId
    end_ids: tuple[TokenId, ...] = Field(min_length=1)
    forced_first_ids: dict[str, TokenId] = Field(default_factory=dict)
    special_ids: tuple[TokenId, ...] = ()
    copies: bool = False
    reading_tokenizer: str | None = None

    @property
    def silent_ids(self) -> frozenset[int]:
        """Tokens that add nothing to a text: the special ones, and those that start, end and pad an output."""
        return frozenset({*self.special_ids, *self.end_ids, self.pad_id, self.start_id})

    def forced_first_id(self, key: str) -> int | None:
        """Returns the token that starts every output for a target language or style, if the model forces one."""
        return self.forced_first_ids.get(key, self.forced_first_ids.get(""))


class GenerationDefaults(Schema):
    """The model's own generation settings, with the meaning that `transformers` generate gives them."""

    num_beams: int = Field(default=1, ge=1, le=16)
    max_new_tokens: Size
    min_new_tokens: Count = 0
    length_penalty: float = 1.0
    early_stopping: Literal["heuristic", "first", "never"] = "heuristic"
    no_repeat_ngram_size: Count = 0
    repetition_penalty: float = Field(default=1.0, gt=0)


class AttentionLayout(Schema):
    """The layout of the step graph's cross-attention.

    Attributes:
        layers, heads: sizes; the step graph has one output per layer, `cross_attention_0` and so on, each
            float [requests, heads, beams, source]. 0 for models without a decoder.
        alignment_heads: the (layer, head) pairs whose mean is the alignment by default.
        alignment_method: how they were chosen, in words.
        alignment_shifted: by default a token is aligned at the step that reads it (Chen et al. 2020).
        encoder_layers, encoder_heads: sizes of the encoder's self-attention, where there is a trace graph.
        channel_layers, channels: sizes of the gates of channels; the trace graph has one output per layer,
            `channel_attention_0` and so on, each float [channels].
        spatial_layers: layers of gates of positions; `spatial_attention_0` and so on, each float [source].
    """

    layers: Count
    heads: Count
    encoder_layers: Count = 0
    encoder_heads: Count = 0
    alignment_heads: tuple[tuple[int, int], ...] = ()
    alignment_method: str = UNCHOSEN_HEADS
    alignment_shifted: bool = False
    channel_layers: Count = 0
    channels: Count = 0
    spatial_layers: Count = 0

    @property
    def is_alignment_usable(self) -> bool:
        """Whether the alignment says which words stand for one another: its heads were chosen, or there is only one."""
        return bool(self.layers) and (self.alignment_method != UNCHOSEN_HEADS or self.heads == 1)

    @model_validator(mode="after")
    def _heads_exist(self) -> "AttentionLayout":
        if self.layers and not self.alignment_heads:
            raise ValueError("there is cross-attention, and no alignment head")
        for layer, head in self.alignment_heads:
            if not (0 <= layer < self.layers and 0 <= head < self.heads):
                raise ValueError(f"alignment head {layer, head} is not among {self.layers} layers x {self.heads} heads")
        return self


class Provenance(Schema):
    """The origin and the license of weights and data, and the Regard version and time of the export."""

    source: str
    recipe: str = ""
    data: str = ""
    data_license: str = ""
    weights_license: str = ""
    notes: str = ""
    exporter_version: str = ""
    export_time: AwareDatetime | None = None


class Manifest(Schema):
    """Everything that a bundle states about itself.

    Attributes:
        output: what the model makes of a source. Only a model that writes text has a decoder: `target`, `generation`,
            `max_target_tokens`, cross-attention, and a step graph in every variant.
        max_target_tokens: 0 without a decoder.
        memory: tensors that leave encode and enter step under the same name; without a decoder they are the answer.
        default_truncation: the truncation of requests that set none.
        unit: how much of a text the model reads at a time: a sentence, a passage of `unit_tokens` at most, or the whole
            text; None in bundles of earlier exporters.
        unit_tokens: None stands for `max_source_tokens`.
        length_ratios: how long outputs usually are, by target language.
        confidence: how sure outputs are, by target language; empty in bundles of earlier exporters, and of models that
            were exported without dev examples.
        num_parameters: the number of trained parameters; 0 if unknown.
        shortlist: the file that says which target pieces each source piece may become; variants with a `listed_step`
            choose among these, unless a request decodes over the whole vocabulary.
        files: SHA-256 of every other file, by its name.
        checksum: SHA-256 of the manifest itself (`manifest_checksum`); None in bundles of earlier exporters.
    """

    model_config = ConfigDict(serialize_by_alias=True)

    schema_version: Literal[1] = 1
    name: Name
    version: Version
    task: Task
    family: str
    description: str = ""
    source_languages: tuple[str, ...] = ()
    target_languages: tuple[str, ...] = ()
    styles: tuple[str, ...] = ()
    source: TextSource | ImageSource | QuestionSource
    output: Output = TextOutput()
    decoder_target: Target | None = Field(default=None, alias="target")
    max_source_tokens: Size
    max_target_tokens: Count = 0
    default_truncation: Literal["reject", "truncate"] = "reject"
    unit: Unit | None = None
    unit_tokens: Size | None = None
    length_ratios: dict[str, LengthRatios] = Field(default_factory=dict)
    confidence: dict[str, Confidence] = Field(default_factory=dict)
    num_parameters: int = Field(default=0, ge=0, lt=2**63)
    decoder_generation: GenerationDefaults | None = Field(default=None, alias="generation")
    attention: AttentionLayout
    memory: tuple[TensorSpec, ...] = Field(min_length=1)
    state: tuple[StateSpec, ...] = ()
    variants: tuple[Variant, ...] = Field(min_length=1)
    shortlist: str | None = None
    provenance: Provenance
    scores: dict[str, float] = Field(default_factory=dict)
    verification: dict[str, Any] = Field(default_factory=dict)
    files: dict[str, str]
    checksum: str | None = None

    @property
    def text_source(self) -> TextSource | None:
        """How texts, or questions, are read; None for models that read pictures alone."""
        source = self.source.question if isinstance(self.source, QuestionSource) else self.source
        return source if isinstance(source, TextSource) else None

    @property
    def image_source(self) -> ImageSource | None:
        """How pictures are read; None for models that read none."""
        source = self.source.picture if isinstance(self.source, QuestionSource) else self.source
        return source if isinstance(source, ImageSource) else None

    @property
    def has_decoder(self) -> bool:
        """Whether the model writes text, step by step; requests of all others take one step."""
        return self.decoder_target is not None

    @property
    def target(self) -> Target:
        """How the decoder starts and ends. Raises ValueError for a model without a decoder."""
        if self.decoder_target is None:
            raise ValueError(f"model {self.name!r} writes no text")
        return self.decoder_target

    @property
    def generation(self) -> GenerationDefaults:
        """The decoder's settings. Raises ValueError for a model without a decoder."""
        if self.decoder_generation is None:
            raise ValueError(f"model {self.name!r} writes no text")
        return self.decoder_generation

    def graphs(self) -> Iterator[GraphSpec]:
        """Yields every graph of every variant."""
        for variant in self.variants:
            yield from variant.graphs()

    @property
    def text_unit(self) -> Unit:
        """The unit; without one, a sentence for translators between named languages, and the whole text for others."""
        is_translator = self.task == "translation" and bool(self.source_languages or self.target_languages)
        return self.unit or ("sentence" if is_translator else "whole")

    @property
    def is_traced(self) -> bool:
        """Whether every variant has a trace graph."""
        return all(variant.trace is not None for variant in self.variants)

    @property
    def is_decoder_traced(self) -> bool:
        """Whether every variant's trace graph outputs the decoder's self-attention."""
        return self._is_output_traced(DECODER_MAP)

    @property
    def scores_targets(self) -> bool:
        """Whether the model can score given targets: it reads them, and every variant has the graph for it."""
        can_read = self.has_decoder and self.target_reading_tokenizer is not None and not self.target.copies
        return can_read and self._is_output_traced(LOGPROBS)

    @property
    def target_reading_tokenizer(self) -> str | None:
        """The file that reads given targets; None if the bundle has none."""
        if self.decoder_target is None:
            return None
        is_shared = isinstance(self.source, TextSource) and self.source.tokenizer == self.target.tokenizer
        return self.target.reading_tokenizer or (self.target.tokenizer if is_shared else None)

    def has_contributions(self, side: Literal["encoder", "decoder", "cross"]) -> bool:
        """Whether every variant's trace graph outputs the contributions to an attention's sublayers."""
        return self._is_output_traced(CONTRIBUTIONS.format(side))

    def _is_output_traced(self, name: str) -> bool:
        graphs = (variant.trace for variant in self.variants)
        return all(graph is not None and name in {spec.name for spec in graph.outputs} for graph in graphs)

    @model_validator(mode="after")
    def _decoder_is_whole(self) -> "Manifest":
        """A decoder has all its parts, or there is none of them."""
        parts = {
            "target": self.decoder_target is not None,
            "generation": self.decoder_generation is not None,
            "max_target_tokens above 0": self.max_target_tokens > 0,
            "a step graph": all(variant.step is not None for variant in self.variants),
        }
        if not isinstance(self.output, BoxesOutput):  # whose queries attend to the picture, in the trace graph
            parts["attention.layers"] = self.attention.layers > 0
        writes_text = isinstance(self.output, TextOutput)
        wrong = [name for name, is_there in parts.items() if is_there != writes_text]
        if wrong:
            fault = "misses" if writes_text else "writes no text, yet states"
            raise ValueError(f"a model whose output is {self.output.kind} {fault} {', '.join(wrong)}")
        return self

    @model_validator(mode="after")
    def _mask_can_be_typed(self) -> "Manifest":
        if isinstance(self.output, PiecesOutput):
            tokens = self.source.control_tokens if isinstance(self.source, TextSource) else ()
            if (self.output.mask, self.output.mask_id) not in [(token.content, token.id) for token in tokens]:
                raise ValueError(f"the mask {self.output.mask!r} is none of the source's control tokens")
        return self

    @model_validator(mode="after")
    def _listed_steps_have_a_shortlist(self) -> "Manifest":
        if self.shortlist is None and any(variant.listed_step is not None for variant in self.variants):
            raise ValueError("a variant has a listed_step, and the bundle no shortlist")
        return self

    def of(self, variant: Variant) -> "Manifest":
        """Returns the manifest with memory and state as one variant's graphs declare them: their dtypes may differ."""
        tensors = variant.encode.outputs if variant.step is None else variant.step.inputs
        specs = {spec.name: spec for spec in tensors}
        memory = tuple(specs.get(spec.name, spec) for spec in self.memory)
        state = tuple(s.model_copy(update={"input": specs.get(s.input.name, s.input)}) for s in self.state)
        return self.model_copy(update={"memory": memory, "state": state})

    def named_files(self) -> set[str]:
        """Returns every file that the manifest refers to, relative to the bundle."""
        tokenizers = set() if self.text_source is None else {self.text_source.tokenizer}
        if self.decoder_target is not None:
            tokenizers |= {self.decoder_target.tokenizer, self.decoder_target.reading_tokenizer or ""} - {""}
        graphs = {name for graph in self.graphs() for name in (graph.file, *graph.external_data)}
        return tokenizers | graphs | ({self.shortlist} if self.shortlist else set())
