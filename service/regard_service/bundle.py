"""A bundle on disk: an exported model's graphs, tokenizer, manifest and checksums. Needs neither torch nor ONNX.

    bundle/
        manifest.json           the Manifest below
        tokenizer.json          of the training (text models)
        int8/encode.onnx        one folder a precision
        int8/step.onnx

`docs/bundle.md` describes the graphs' contract. `Bundle.load` refuses a bundle that is not exactly what its
manifest says, and lists every reason at once.
"""

import hashlib
import importlib.util
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Annotated, Any, Literal

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, ValidationError, model_validator

SCHEMA_VERSION = 1
MANIFEST = "manifest.json"
ZOO_PACKAGE = "regard_zoo"

Task = Literal["translation", "summarization", "captioning"]
Precision = Literal["float32", "float16", "int8", "int4"]
Provider = Literal["CPUExecutionProvider", "CUDAExecutionProvider"]
Dtype = Literal["float32", "float16", "int64", "int32", "uint8", "bool"]
# Whole numbers are told to callers as int32.
TokenId = Annotated[int, Field(ge=0, lt=2**31)]
Size = Annotated[int, Field(gt=0, lt=2**31)]
Count = Annotated[int, Field(ge=0, lt=2**31)]
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
Name = Annotated[str, Field(pattern=f"^{NAME.pattern}$")]


class BundleError(Exception):
    """A bundle that cannot be served.

    Attributes:
        reasons: every reason found, each naming the file or field.
    """

    def __init__(self, folder: Path, reasons: list[str]) -> None:
        super().__init__(f"bundle {folder.name!r} is refused: " + "; ".join(reasons))
        self.reasons = reasons


class Schema(BaseModel):
    """Frozen, and strict about unknown fields: a typing error in a manifest is an error."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class TensorSpec(Schema):
    """A graph's input or output.

    Attributes:
        shape: sizes; a string names an axis that changes from call to call: `requests`, `slots` (requests x
            beams), `source` (padded source length), `tokens` (source tokens of all requests), `capacity`
            (longest target the caches hold), `candidates`.
    """

    name: str
    dtype: Dtype
    shape: tuple[int | str, ...]


class StateSpec(Schema):
    """What a step hands to the next one.

    Attributes:
        input: the tensor that goes in; its first axis is `slots`.
        output: name of the tensor that comes out, of the same shape.
        in_place: input and output are bound to one buffer (a KV cache), which the step writes at `lengths`;
            otherwise the output replaces the input (an LSTM's h and c).
    """

    input: TensorSpec
    output: str
    in_place: bool


class GraphSpec(Schema):
    """One ONNX file. `external_data` names the weights' files beside it, if any."""

    file: str
    inputs: tuple[TensorSpec, ...]
    outputs: tuple[TensorSpec, ...]
    external_data: tuple[str, ...] = ()


class Variant(Schema):
    """The graphs of one precision and the execution providers that can run them, best first.

    Attributes:
        narrow_weights: no 8-bit weight is above 63, so that the sum of two products with 8-bit activations fits in 16
            bits, in which CPUs without VNNI instructions add.
    """

    precision: Precision
    providers: tuple[Provider, ...] = Field(min_length=1)
    encode: GraphSpec
    step: GraphSpec
    trace: GraphSpec | None = None
    narrow_weights: bool = False


class TextSource(Schema):
    """How text becomes the encoder's ids: prefix of the target language, pieces, suffix.

    Attributes:
        tokenizer: file of the `tokenizers` library.
        prefix_ids: ids in front of the pieces, by target language or style; the key "" stands for any.
        suffix_ids: ids behind the pieces, customarily the end token.
        language_prefix_ids, language_suffix_ids: further ids, outside of those, by source language, for models that are
            told which language they read.
    """

    tokenizer: str
    prefix_ids: dict[str, tuple[TokenId, ...]] = Field(default_factory=dict)
    suffix_ids: tuple[TokenId, ...] = ()
    language_prefix_ids: dict[str, tuple[TokenId, ...]] = Field(default_factory=dict)
    language_suffix_ids: dict[str, tuple[TokenId, ...]] = Field(default_factory=dict)

    @property
    def is_told_the_language(self) -> bool:
        return bool(self.language_prefix_ids or self.language_suffix_ids)


class ImageSource(Schema):
    """How a picture becomes `pixels`: float32 [requests, 3, height, width], (value - mean) / std, RGB, values from 0
    to 255.

    Attributes:
        resize: "squash" changes the aspect ratio; "crop" scales the shorter side and cuts the middle out.
        crop_fraction: of that, what part of each side is kept, around the middle: 0.875 where pictures are resized to
            256 pixels and 224 of them are cut out.
        resample: the filter, by Pillow's name.
        grid: rows and columns of the source axis, row by row.
        first_position: of the grid on that axis; before it stand positions that are no part of the picture, such as
            a class token.
    """

    height: Size
    width: Size
    mean: tuple[float, float, float]
    std: tuple[float, float, float]
    resize: Literal["squash", "crop"]
    crop_fraction: float = Field(default=1.0, gt=0, le=1)
    resample: Literal["bilinear", "bicubic", "lanczos"] = "bicubic"
    grid: tuple[Size, Size]
    first_position: Count = 0

    @property
    def num_positions(self) -> int:
        """Length of the source axis."""
        return self.first_position + self.grid[0] * self.grid[1]


class Target(Schema):
    """How the decoder starts and ends, and how its ids become text.

    Attributes:
        tokenizer: file of the `tokenizers` library.
        start_id: the token that stands before the first one.
        forced_first_ids: the first token that a target language or style forces, by its name; "" stands for any.
        end_ids: tokens that end a hypothesis.
        special_ids: tokens that are never text.
        copies: candidate ids from `vocab_size` on are words of the source: `vocab_size + p` stands for the word
            at position p of the source's tokens, see "Copying" in docs/bundle.md.
    """

    tokenizer: str
    vocab_size: Size
    start_id: TokenId
    pad_id: TokenId
    end_ids: tuple[TokenId, ...] = Field(min_length=1)
    forced_first_ids: dict[str, TokenId] = Field(default_factory=dict)
    special_ids: tuple[TokenId, ...] = ()
    copies: bool = False

    def forced_first_id(self, key: str) -> int | None:
        """What every output for a target language or style begins with, if the model forces a token."""
        return self.forced_first_ids.get(key, self.forced_first_ids.get(""))


class GenerationDefaults(Schema):
    """The model's own generation settings; the meaning of each is `transformers` generate's."""

    num_beams: int = Field(default=1, ge=1, le=16)
    max_new_tokens: Size
    min_new_tokens: Count = 0
    length_penalty: float = 1.0
    early_stopping: Literal["heuristic", "first", "never"] = "heuristic"
    no_repeat_ngram_size: Count = 0
    repetition_penalty: float = Field(default=1.0, gt=0)


class AttentionLayout(Schema):
    """What the step graph's cross-attention looks like.

    Attributes:
        layers, heads: sizes; the step graph has one output a layer, `cross_attention_0` and so on, each
            float [requests, heads, beams, source].
        alignment_heads: the (layer, head) pairs whose mean is the alignment by default.
        alignment_method: how they were chosen, in words.
        alignment_shifted: whether a token is aligned at the step that reads it (Chen et al. 2020) by default.
        encoder_layers, encoder_heads: of the encoder's self-attention, where there is a trace graph.
    """

    layers: Size
    heads: Size
    encoder_layers: Count = 0
    encoder_heads: Count = 0
    alignment_heads: tuple[tuple[int, int], ...] = Field(min_length=1)
    alignment_method: str = "mean of all heads of the last layer"
    alignment_shifted: bool = False

    @model_validator(mode="after")
    def _heads_exist(self) -> "AttentionLayout":
        for layer, head in self.alignment_heads:
            if not (0 <= layer < self.layers and 0 <= head < self.heads):
                raise ValueError(f"alignment head {layer, head} is not among {self.layers} layers x {self.heads} heads")
        return self


class Provenance(Schema):
    """Where weights and data come from, under which terms, and which version of Regard exported them when."""

    source: str
    recipe: str = ""
    data: str = ""
    data_license: str = ""
    weights_license: str = ""
    notes: str = ""
    exporter_version: str = ""
    export_time: AwareDatetime | None = None


class Manifest(Schema):
    """What a bundle says of itself.

    Attributes:
        memory: tensors that leave encode and enter step under the same name.
        default_truncation: what happens to a text that is too long where a request does not say.
        num_parameters: how many numbers were trained; 0 if unknown.
        files: SHA-256 of every other file, by its name.
        checksum: SHA-256 of the manifest itself, as `manifest_checksum` takes it; None in bundles of earlier exporters.
    """

    schema_version: Literal[1] = 1
    name: Name
    version: str = Field(min_length=1, max_length=64)
    task: Task
    family: str
    description: str = ""
    source_languages: tuple[str, ...] = ()
    target_languages: tuple[str, ...] = ()
    styles: tuple[str, ...] = ()
    source: TextSource | ImageSource
    target: Target
    max_source_tokens: Size
    max_target_tokens: Size
    default_truncation: Literal["reject", "truncate"] = "reject"
    num_parameters: int = Field(default=0, ge=0, lt=2**63)
    generation: GenerationDefaults
    attention: AttentionLayout
    memory: tuple[TensorSpec, ...] = Field(min_length=1)
    state: tuple[StateSpec, ...]
    variants: tuple[Variant, ...] = Field(min_length=1)
    provenance: Provenance
    scores: dict[str, float] = Field(default_factory=dict)
    verification: dict[str, Any] = Field(default_factory=dict)
    files: dict[str, str]
    checksum: str | None = None

    def graphs(self) -> Iterator[GraphSpec]:
        """Every graph of every variant."""
        for variant in self.variants:
            yield from (graph for graph in (variant.encode, variant.step, variant.trace) if graph is not None)

    @property
    def is_traced(self) -> bool:
        """Whether every variant has a trace graph."""
        return all(variant.trace is not None for variant in self.variants)

    def of(self, variant: Variant) -> "Manifest":
        """The manifest with memory and state as the graphs of one variant have them, which may be of another type."""
        specs = {spec.name: spec for spec in variant.step.inputs}
        memory = tuple(specs.get(spec.name, spec) for spec in self.memory)
        state = tuple(s.model_copy(update={"input": specs.get(s.input.name, s.input)}) for s in self.state)
        return self.model_copy(update={"memory": memory, "state": state})

    def named_files(self) -> set[str]:
        """Every file that the manifest refers to, relative to the bundle."""
        tokenizers = {self.target.tokenizer} | (
            {self.source.tokenizer} if isinstance(self.source, TextSource) else set()
        )
        graphs = {name for graph in self.graphs() for name in (graph.file, *graph.external_data)}
        return tokenizers | graphs


@dataclass(frozen=True)
class Bundle:
    """A bundle that passed every check of `load`."""

    folder: Path
    manifest: Manifest

    def path(self, file: str) -> Path:
        return self.folder / file

    @classmethod
    def load(cls, folder: Path) -> "Bundle":
        """Reads and checks a bundle.

        Raises:
            BundleError: with every reason: no, malformed or altered manifest, files missing, outside the bundle,
                reached over a link, not listed, or with another checksum.
        """
        try:
            content = (folder / MANIFEST).read_bytes()
            manifest = Manifest.model_validate_json(content)
        except OSError as error:
            raise BundleError(folder, [f"{MANIFEST}: {error.strerror}"]) from error
        except ValidationError as error:
            reasons = [f"{MANIFEST}: {'.'.join(map(str, e['loc']))}: {e['msg']}" for e in error.errors()]
            raise BundleError(folder, reasons) from error
        is_whole = manifest.checksum in (None, manifest_checksum(json.loads(content)))
        reasons = [] if is_whole else [f"{MANIFEST}: does not match its checksum"]
        reasons += _file_faults(folder, manifest)
        if reasons:
            raise BundleError(folder, reasons)
        return cls(folder, manifest)

    @classmethod
    def write_manifest(cls, folder: Path, manifest: Manifest) -> "Bundle":
        """Writes the manifest last, with the checksums of the files it names and its own, and loads the bundle back."""
        files = {name: sha256(folder / name) for name in sorted(manifest.named_files())}
        fields = manifest.model_copy(update={"files": files}).model_dump(mode="json")
        fields["checksum"] = manifest_checksum(fields)
        text = json.dumps(fields, indent=1, ensure_ascii=False) + "\n"
        (folder / MANIFEST).write_text(text, encoding="utf-8")
        return cls.load(folder)


def zoo_folder() -> Path:
    """The shipped bundles.

    Raises:
        ModuleNotFoundError: the distribution `regard-zoo`, which holds them, is not installed.
    """
    found = importlib.util.find_spec(ZOO_PACKAGE)
    if found is None or found.origin is None:
        raise ModuleNotFoundError(f"No module named {ZOO_PACKAGE!r}", name=ZOO_PACKAGE)
    return Path(found.origin).parent


def manifest_checksum(fields: dict[str, Any]) -> str:
    """Hexadecimal SHA-256 of a manifest: of its JSON without `checksum`, keys sorted, no white space, in UTF-8.

    Of what is written rather than of what is understood: a field that a later version adds with a default changes
    nothing, and neither does other white space.
    """
    rest = {name: value for name, value in fields.items() if name != "checksum"}
    text = json.dumps(rest, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def sha256(file: Path) -> str:
    """Hexadecimal SHA-256 of a file's bytes."""
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def _file_faults(folder: Path, manifest: Manifest) -> Iterator[str]:
    """Yields what is wrong with the files that a manifest names or lists."""
    for name in sorted(manifest.named_files() - manifest.files.keys()):
        yield f"{name}: has no checksum in the manifest"
    for name, checksum in manifest.files.items():
        try:
            fault = _file_fault(folder, name, checksum)
        except OSError as error:  # a name too long, a disk that fails, no permission
            fault = f"cannot be read: {error.strerror}"
        if fault is not None:
            yield f"{name}: {fault}"


def _file_fault(folder: Path, name: str, checksum: str) -> str | None:
    """What is wrong with one file; None if nothing is."""
    path = PurePosixPath(name)
    if path.is_absolute() or ".." in path.parts or "\\" in name:
        return "names a file outside the bundle"
    if not (folder / name).is_file():
        return "is missing"
    if (folder / name).resolve() != folder.resolve() / name:
        return "is reached over a link"
    return None if sha256(folder / name) == checksum else "does not match its checksum"
