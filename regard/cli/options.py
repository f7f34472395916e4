"""The flags that translate, summarize and caption share."""

import functools
import math
from collections.abc import Callable, Sequence
from dataclasses import MISSING, dataclass, fields
from pathlib import Path
from typing import Any, cast

import click

from regard.calls.options import TextOptions, TranslateOptions
from regard.calls.target import checked_target
from regard.names import AttentionKind, EarlyStopping, Format, Truncation, Unit
from regard.values.glossaries import Term
from regard.wire.enums import ATTENTION_KIND, EARLY_STOPPING, FORMAT, TRUNCATION, UNIT


class Seconds(click.FloatRange):
    """A number within bounds. Click lets NaN through, which no comparison finds out of them."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        number = float(super().convert(value, param, ctx))
        if math.isnan(number):
            self.fail(f"{value!r} is not a number of seconds.", param, ctx)
        return number


@dataclass(frozen=True)
class Flags:
    """The values of the shared flags; None leaves the choice to the model, or to the command."""

    server: str | None
    tls_ca: Path | None
    timeout: float
    verbose: bool
    quiet: bool
    model: str | None
    json: bool
    jsonl: bool
    stream: bool
    concurrency: int
    attention: bool
    html: Path | None
    plot: Path | None
    kinds: tuple[AttentionKind, ...]
    words: bool | None
    num_beams: int | None
    max_new_tokens: int | None
    min_new_tokens: int | None
    num_return_sequences: int | None
    length_penalty: float | None
    early_stopping: EarlyStopping | None
    no_repeat_ngram_size: int | None
    repetition_penalty: float | None
    whole_vocabulary: bool
    temperature: float | None
    top_k: int | None
    top_p: float | None
    seed: int | None
    truncation: Truncation | None = None
    raw: bool = False
    unit: Unit | None = None
    format: Format | None = None
    protect: tuple[str, ...] = ()
    control_tokens: tuple[str, ...] = ()
    terms: tuple[Term, ...] = ()
    glossaries: tuple[str, ...] = ()
    suppressed: tuple[str, ...] = ()
    target_prefix: str | None = None
    prefix_bias: float | None = None
    num_alternatives: int | None = None

    @property
    def map_kinds(self) -> tuple[AttentionKind, ...]:
        """Returns the kinds of map to request, each once: the kinds that the output needs, and the kinds of --kind."""
        needed: tuple[AttentionKind, ...] = ("alignment",) if self.attention or self.plot else ()
        if self.html:
            needed = ("alignment", "cross")
        return tuple(dict.fromkeys(needed + self.kinds))

    @property
    def is_by_words(self) -> bool:
        """Whether maps count words: by default for people, but not in JSON."""
        return not (self.json or self.jsonl) if self.words is None else self.words

    def translate_options(self, source_language: str | None, is_bulk: bool = False) -> TranslateOptions:
        """The options of the client's translations."""
        own = TranslateOptions(
            source_language=source_language,
            raw=self.raw,
            unit=self.unit,
            format=self.format,
            protected_patterns=self.protect,
            target_prefix=self.target_prefix,
            prefix_bias=self.prefix_bias,
            terms=self.terms,
            glossaries=self.glossaries,
            suppressed=self.suppressed,
        )
        if self.num_alternatives is not None:  # streams have no such option
            own["num_alternatives"] = self.num_alternatives
        own.update(self.call_options(is_bulk))  # type: ignore[typeddict-item]  # all its keys are among these
        return own

    def call_options(self, is_bulk: bool = False) -> TextOptions:
        """The options of the client's calls."""
        options = TextOptions(
            model=self.model,
            timeout=self.timeout,
            attention=self.map_kinds,
            words=self.is_by_words,
            num_beams=self.num_beams,
            max_new_tokens=self.max_new_tokens,
            min_new_tokens=self.min_new_tokens,
            num_return_sequences=self.num_return_sequences,
            length_penalty=self.length_penalty,
            early_stopping=self.early_stopping,
            no_repeat_ngram_size=self.no_repeat_ngram_size,
            repetition_penalty=self.repetition_penalty,
            whole_vocabulary=self.whole_vocabulary or None,
            temperature=self.temperature,
            top_k=self.top_k,
            top_p=self.top_p,
            seed=self.seed,
            priority="bulk" if is_bulk else None,
        )
        if self.truncation is not None:
            options["truncation"] = self.truncation
        if self.control_tokens:
            options["control_tokens"] = self.control_tokens
        return options


def _read_terms(_: click.Context, option: click.Parameter, values: tuple[str, ...]) -> tuple[Term, ...]:
    """Reads SOURCE=TARGET, or a source alone, which is not translated."""
    terms = []
    for value in values:
        source, mark, target = value.partition("=")
        if not source.strip() or (mark and not target.strip()):
            raise click.BadParameter(f"{value!r} is not SOURCE=TARGET", param=option)
        terms.append(Term(source.strip(), target.strip() if mark else source.strip()))
    return tuple(terms)


def _number_option(name: str, target: str, kind: type, help_text: str) -> Callable[[Any], Any]:
    own = "--" + target.replace("_", "-")
    return click.option(*dict.fromkeys((name, own)), target, type=kind, help=help_text)


def _check_server(ctx: click.Context, parameter: click.Parameter, server: str | None) -> str | None:
    try:
        return checked_target(server) if server else None
    except ValueError as error:
        raise click.BadParameter(str(error), ctx, parameter) from None


SERVER_OPTIONS = (
    click.option(
        "--server",
        envvar="REGARD_SERVER",
        metavar="HOST:PORT",
        show_envvar=True,
        callback=_check_server,
        help="The server to call.",
    ),
    click.option(
        "--tls-ca",
        envvar="REGARD_TLS_CA",
        type=click.Path(exists=True, dir_okay=False, path_type=Path),
        metavar="FILE",
        show_envvar=True,
        help="Use TLS: PEM file of the authority that signs the server's certificate. REGARD_TOKEN is the token sent.",
    ),
    click.option(
        "--timeout",
        type=Seconds(0, min_open=True),
        default=60.0,
        show_default=True,
        metavar="SECONDS",
        help="Time limit of a call.",
    ),
    click.option("-v", "--verbose", is_flag=True, help="Print on standard error which server answers."),
)

_STREAM_OPTION = click.option("--stream", is_flag=True, help="Print the output while the model generates it.")
_OUTPUT_OPTIONS = (
    click.option("--model", metavar="NAME", help='Model to use, such as "everyday" or "everyday@2".'),
    click.option("--json", is_flag=True, help="Print results as JSON: several as an array, with '-' one per line."),
    click.option("--jsonl", is_flag=True, help="With '-': read and print one JSON object per line."),
    _STREAM_OPTION,
    click.option(
        "--concurrency",
        type=click.IntRange(1, 1024),
        default=32,
        show_default=True,
        metavar="N",
        help="With '-': most calls in flight.",
    ),
    click.option("-q", "--quiet", is_flag=True, help="No progress bar."),
)

_FILE = click.Path(dir_okay=False, writable=True, path_type=Path)

_ATTENTION_OPTIONS = (
    click.option("--attention", is_flag=True, help="Show the alignment of the output with the source."),
    click.option("--html", type=_FILE, metavar="FILE", help="Write a page that shows the attention, as one file."),
    click.option(
        "--plot", type=_FILE, metavar="FILE", help="Draw the alignment: .png, .svg or .pdf; animated as .gif or .webp."
    ),
    click.option(
        "--kind",
        "kinds",
        multiple=True,
        help="Add maps of this kind to the JSON and the page; may be repeated.",
        type=click.Choice(list(ATTENTION_KIND.names)),
    ),
    click.option(
        "--words/--tokens",
        "words",
        default=None,
        help="Units of the maps; by default words, in JSON tokens.",
    ),
)

_SEARCH_OPTIONS = (
    _number_option("--beams", "num_beams", int, "Number of beams; 1 is greedy search."),
    _number_option("--max-new-tokens", "max_new_tokens", int, "Most tokens to generate."),
    _number_option("--min-new-tokens", "min_new_tokens", int, "Fewest tokens to generate."),
    _number_option("--num-return-sequences", "num_return_sequences", int, "Number of hypotheses to return."),
    _number_option(
        "--length-penalty", "length_penalty", float, "Above 0 favours longer outputs, below 0 shorter ones."
    ),
    click.option("--early-stopping", type=click.Choice(list(EARLY_STOPPING.names)), help="When beam search ends."),
    _number_option(
        "--no-repeat-ngram-size", "no_repeat_ngram_size", int, "No sequence of this many tokens occurs twice."
    ),
    _number_option("--repetition-penalty", "repetition_penalty", float, "Above 1 avoids repetition."),
    click.option("--whole-vocabulary", is_flag=True, help="Ignore the model's shortlist: slower, exact scores."),
    _number_option("--temperature", "temperature", float, "Sample; 1 keeps the model's distribution."),
    _number_option("--top-k", "top_k", int, "Sample among this many likeliest tokens."),
    _number_option("--top-p", "top_p", float, "Sample among the likeliest tokens of this total probability."),
    _number_option("--seed", "seed", int, "Make sampling repeatable."),
)

truncation_option = click.option(
    "--truncation",
    type=click.Choice(list(TRUNCATION.names)),
    help="What to do with a text that is too long for the model.",
)

control_token_option = click.option(
    "--control-token",
    "--control-tokens",
    "control_tokens",
    multiple=True,
    metavar="TOKEN",
    help='Special token of the model, such as "<hl>", which the texts may contain; may be repeated.',
)


_SEGMENT_OPTIONS = (
    click.option("--raw", is_flag=True, help="Translate each text as one sequence, as it stands; no warnings."),
    click.option("--unit", type=click.Choice(list(UNIT.names)), help="How much of a text the model reads at a time."),
    click.option("--format", type=click.Choice(list(FORMAT.names)), help="What the text is written in."),
    click.option(
        "--protect",
        "--protected-patterns",
        "protect",
        multiple=True,
        metavar="PATTERN",
        help="Copy what matches (RE2 syntax); may be repeated.",
    ),
    click.option(
        "--term",
        "terms",
        multiple=True,
        callback=_read_terms,
        metavar="SOURCE=TARGET",
        help="Translate a word or phrase so; SOURCE alone is not translated; may be repeated.",
    ),
    click.option(
        "--glossary", "glossaries", multiple=True, metavar="NAME", help="Use a glossary of the server; may be repeated."
    ),
    click.option(
        "--suppress", "suppressed", multiple=True, metavar="PHRASE", help="Never write this phrase; may be repeated."
    ),
)

_PREFIX_OPTIONS = (
    click.option("--prefix", "target_prefix", metavar="TEXT", help="Begin the translation so, and go on from there."),
    _number_option("--prefix-bias", "prefix_bias", float, "Draw the translation to the prefix, between 0 and 1."),
    _number_option("--alternatives", "num_alternatives", int, "Print this many that differ behind the prefix."),
)


def server_options(command: click.decorators.FC) -> click.decorators.FC:
    """Adds the flags that say which server to call."""
    for option in reversed(SERVER_OPTIONS):
        command = option(command)
    return command


def segment_options(command: Callable[..., None]) -> Callable[..., None]:
    """Adds the flags of translations."""
    for option in reversed((*_SEGMENT_OPTIONS, *_PREFIX_OPTIONS)):
        command = option(command)
    return command


def shared_options(command: Callable[..., None]) -> Callable[..., None]:
    """Adds the flags, and passes them to the command as its first argument."""
    return _with_flags(command, (*_OUTPUT_OPTIONS, *_ATTENTION_OPTIONS, *_SEARCH_OPTIONS, *SERVER_OPTIONS))


def pair_options(command: Callable[..., None]) -> Callable[..., None]:
    """As `shared_options`, without the flags of a search and of streams: a given pair has neither."""
    options = [option for option in _OUTPUT_OPTIONS if option is not _STREAM_OPTION]
    return _with_flags(command, (*options, *_ATTENTION_OPTIONS, *SERVER_OPTIONS))


def _with_flags(command: Callable[..., None], options: Sequence[Callable[[Any], Any]]) -> Callable[..., None]:
    names = {field.name for field in fields(Flags)}
    unset: dict[str, Any] = {field.name: None for field in fields(Flags) if field.default is MISSING}
    unset |= {"stream": False, "whole_vocabulary": False}

    @functools.wraps(command)
    def with_flags(**given: Any) -> None:
        own = {name: value for name, value in given.items() if name not in names}
        flags = Flags(**(unset | {name: value for name, value in given.items() if name in names}))
        command(flags, **own)

    wrapped: Callable[..., None] = with_flags
    for option in reversed(options):
        wrapped = cast(Callable[..., None], option(wrapped))
    return wrapped
