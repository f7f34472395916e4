"""Reads generation and attention options from their messages."""

from collections.abc import Sequence
from functools import lru_cache

from regard.v1 import regard_pb2 as pb
from regard_service.convert import enums
from regard_service.convert.checks import Checks, shown_number
from regard_service.domain.calls import AttentionKind, AttentionOptions, GenerationOptions, TextOptions
from regard_service.errors import FieldViolation

MAX_INDEXES = 1024
MAX_KINDS = 16  # more than there are
MAX_BEAMS = 16
MAX_TOP_K = 1024
MAX_PROTECTED_SPANS = 10_000

# Bounds of GenerationConfig as the .proto gives them: [lowest, highest].
_GENERATION_BOUNDS: dict[str, tuple[float, float]] = {
    "num_beams": (1, MAX_BEAMS),
    "length_penalty": (-10, 10),
    "num_return_sequences": (1, MAX_BEAMS),
    "no_repeat_ngram_size": (0, 32),
    "repetition_penalty": (0.1, 10),
    "top_k": (0, MAX_TOP_K),
}
_GENERATION_MINIMA = {"max_new_tokens": 1, "min_new_tokens": 0, "seed": 0}

_MAX_KNOWN_BYTES = 128  # of a message that is kept; unknown fields make a message long

# One for all calls that set nothing, which are most.
_DEFAULT_GENERATION, _DEFAULT_ATTENTION, _DEFAULT_TEXT = GenerationOptions(), AttentionOptions(), TextOptions()


def read_generation(checks: Checks, config: pb.GenerationConfig) -> GenerationOptions:
    """Reads GenerationConfig. A scalar that is not set becomes None; 0 stays 0."""
    raw = config.SerializeToString()
    if not raw:
        return _DEFAULT_GENERATION
    read = _known_generation if len(raw) <= _MAX_KNOWN_BYTES else _read_generation
    options, found = read(raw)
    checks.found += found
    return options


def _read_generation(raw: bytes) -> tuple[GenerationOptions, Sequence[FieldViolation]]:
    """Returns the options of a serialized GenerationConfig, and their violations."""
    config, checks = pb.GenerationConfig.FromString(raw), Checks()
    set_values = {spec.name: value for spec, value in config.ListFields() if spec.name != "early_stopping"}
    for name, value in set_values.items():
        if name in _GENERATION_BOUNDS:
            checks.in_range(f"generation.{name}", value, *_GENERATION_BOUNDS[name])
        elif name in _GENERATION_MINIMA:
            checks.at_least(f"generation.{name}", value, _GENERATION_MINIMA[name])
    options = GenerationOptions(
        **set_values,
        early_stopping=checks.enum("generation.early_stopping", enums.EARLY_STOPPING, config.early_stopping),
    )
    _check_sampling(checks, options)
    return options, checks.found


# Most calls of a client set the same.
_known_generation = lru_cache(256)(_read_generation)


def _check_sampling(checks: Checks, options: GenerationOptions) -> None:
    temperature, top_p = options.temperature, options.top_p
    # Rounded, because float32's 0.01 is a little less than 0.01.
    if temperature is not None and temperature != 0 and not 0.01 <= round(temperature, 6) <= 10:
        checks.add("generation.temperature", f"must be 0 or in [0.01, 10]; it is {shown_number(temperature)}")
    if top_p is not None and not 0 < top_p <= 1:
        checks.add("generation.top_p", f"must be in (0, 1]; it is {shown_number(top_p)}")


def read_attention(checks: Checks, config: pb.AttentionConfig) -> AttentionOptions:
    """Reads AttentionConfig."""
    if not config.ByteSize():
        return _DEFAULT_ATTENTION
    kinds = _read_kinds(checks, config.kinds)
    for name, indexes in (("layers", config.layers), ("heads", config.heads)):
        _check_indexes(checks, f"attention.{name}", indexes)
    if config.HasField("top_k"):
        checks.in_range("attention.top_k", config.top_k, 1, MAX_TOP_K)
    encoding = checks.enum("attention.encoding", enums.ENCODING, config.encoding)
    granularity = checks.enum("attention.granularity", enums.GRANULARITY, config.granularity)
    method = checks.enum("attention.alignment_method", enums.ALIGNMENT_METHOD, config.alignment_method)
    weighting = checks.enum("attention.weighting", enums.WEIGHTING, config.weighting)
    return AttentionOptions(
        kinds=kinds,
        layers=tuple(config.layers),
        heads=tuple(config.heads),
        granularity=granularity or "token",
        method=method,
        encoding=encoding or "float32",
        top_k=config.top_k if config.HasField("top_k") else None,
        weighting=weighting or "attention",
    )


def _read_kinds(checks: Checks, numbers: Sequence[pb.AttentionKind.ValueType]) -> tuple[AttentionKind, ...]:
    if len(numbers) > MAX_KINDS:
        checks.add("attention.kinds", f"names {len(numbers)}; the limit is {MAX_KINDS}")
        return ()
    kinds = [checks.enum(f"attention.kinds[{i}]", enums.ATTENTION_KIND, number) for i, number in enumerate(numbers)]
    for index, number in enumerate(numbers):
        if number == pb.ATTENTION_KIND_UNSPECIFIED:
            checks.add(f"attention.kinds[{index}]", "names no kind")
    known = tuple(kind for kind in kinds if kind is not None)
    checks.unique("attention.kinds", known)
    return known


def _check_indexes(checks: Checks, path: str, indexes: Sequence[int]) -> None:
    if len(indexes) > MAX_INDEXES:
        checks.add(path, f"names {len(indexes)}; the limit is {MAX_INDEXES}")
        return
    for position, index in enumerate(indexes):
        checks.at_least(f"{path}[{position}]", index, 0)
    checks.unique(path, indexes)


def read_text_options(checks: Checks, options: pb.TextOptions, texts: Sequence[str]) -> TextOptions:
    """Reads TextOptions. Args: texts: of the request."""
    if not options.ByteSize():
        return _DEFAULT_TEXT
    spans = options.protected_spans
    if len(spans) > MAX_PROTECTED_SPANS:
        checks.add("text_options.protected_spans", f"holds {len(spans)} spans; the limit is {MAX_PROTECTED_SPANS}")
    for index, each in enumerate(spans):
        _check_protected_span(checks, f"text_options.protected_spans[{index}]", each, texts)
    return TextOptions(
        format=checks.enum("text_options.format", enums.FORMAT, options.format) or "plain",
        unit=checks.enum("text_options.unit", enums.UNIT, options.unit),
        raw=options.raw,
        protected_patterns=tuple(options.protected_patterns),
        protected_spans=tuple((each.text, each.span.start, each.span.end) for each in spans),
    )


def _check_protected_span(checks: Checks, path: str, protected: pb.ProtectedSpan, texts: Sequence[str]) -> None:
    if not 0 <= protected.text < len(texts):
        checks.add(f"{path}.text", f"is {protected.text}; there are {len(texts)} texts")
        return
    start, end, length = protected.span.start, protected.span.end, len(texts[protected.text])
    if not 0 <= start <= end <= length:
        checks.add(f"{path}.span", f"is [{start}, {end}); the text has {length} characters")
