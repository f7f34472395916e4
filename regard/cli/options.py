"""The options that translate, summarize and caption share."""

import functools
from collections.abc import Callable
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, Literal, cast

import click

from regard.requests import TextOptions
from regard.results import AttentionKind

Truncation = Literal["reject", "truncate", "split_and_join"]


@dataclass(frozen=True)
class Asked:
    """What the shared options say; None leaves it to the model, or to the command."""

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
    early_stopping: Literal["first", "heuristic", "never"] | None
    no_repeat_ngram_size: int | None
    repetition_penalty: float | None
    temperature: float | None
    top_k: int | None
    top_p: float | None
    seed: int | None
    truncation: Truncation | None = None

    @property
    def wanted_maps(self) -> tuple[AttentionKind, ...]:
        """The kinds of map to ask for, each once: --attention is the alignment, --kind adds others."""
        shown: tuple[AttentionKind, ...] = ("alignment",) if self.attention or self.plot else ()
        if self.html:
            shown = ("alignment", "cross")
        return tuple(dict.fromkeys(shown + self.kinds))

    @property
    def by_words(self) -> bool:
        """A person reads words; a program gets the model's tokens, unless it asks for words."""
        return not (self.json or self.jsonl) if self.words is None else self.words

    def call_options(self, bulk: bool = False) -> TextOptions:
        """The options as the client takes them."""
        options = TextOptions(
            model=self.model,
            timeout=self.timeout,
            attention=self.wanted_maps,
            words=self.by_words,
            num_beams=self.num_beams,
            max_new_tokens=self.max_new_tokens,
            min_new_tokens=self.min_new_tokens,
            num_return_sequences=self.num_return_sequences,
            length_penalty=self.length_penalty,
            early_stopping=self.early_stopping,
            no_repeat_ngram_size=self.no_repeat_ngram_size,
            repetition_penalty=self.repetition_penalty,
            temperature=self.temperature,
            top_k=self.top_k,
            top_p=self.top_p,
            seed=self.seed,
            priority="bulk" if bulk else None,
        )
        if self.truncation is not None:
            options["truncation"] = self.truncation
        return options


def _number(name: str, target: str, kind: type, help_text: str) -> Callable[[Any], Any]:
    return click.option(name, target, type=kind, help=help_text)


SERVER_OPTIONS = (
    click.option("--server", envvar="REGARD_SERVER", metavar="HOST:PORT", show_envvar=True, help="The server to ask."),
    click.option(
        "--tls-ca",
        envvar="REGARD_TLS_CA",
        type=click.Path(exists=True, dir_okay=False, path_type=Path),
        metavar="FILE",
        show_envvar=True,
        help="Speak TLS with it: PEM certificates, one of which signed its own. REGARD_TOKEN holds the token for it.",
    ),
    click.option(
        "--timeout",
        type=click.FloatRange(0, min_open=True),
        default=60.0,
        show_default=True,
        metavar="SECONDS",
        help="How long a call may take.",
    ),
    click.option("-v", "--verbose", is_flag=True, help="Say on standard error which server answers."),
)

_OUTPUT_OPTIONS = (
    click.option("--model", metavar="NAME", help='Model to use, such as "everyday" or "everyday@2".'),
    click.option("--json", is_flag=True, help="Print results as JSON; several as an array, those of '-' one a line."),
    click.option("--jsonl", is_flag=True, help="With '-': read one JSON object a line, and print one a line."),
    click.option("--stream", is_flag=True, help="Print the output while it is made."),
    click.option(
        "--concurrency",
        type=click.IntRange(1, 1024),
        default=32,
        show_default=True,
        metavar="N",
        help="With '-': how many calls are in flight.",
    ),
    click.option("-q", "--quiet", is_flag=True, help="No progress bar."),
)

_FILE = click.Path(dir_okay=False, writable=True, path_type=Path)

_ATTENTION_OPTIONS = (
    click.option("--attention", is_flag=True, help="Show the alignment of output and source."),
    click.option("--html", type=_FILE, metavar="FILE", help="Write a page that shows the attention, in one file."),
    click.option(
        "--plot", type=_FILE, metavar="FILE", help="Draw the alignment: .png, .svg or .pdf; .gif and .webp move."
    ),
    click.option(
        "--kind",
        "kinds",
        multiple=True,
        help="Add maps of this kind to the JSON and the page; may be repeated.",
        type=click.Choice(["cross", "alignment", "encoder_self", "decoder_self", "rollout"]),
    ),
    click.option(
        "--words/--tokens",
        "words",
        default=None,
        help="Units of the maps; by default words for people and tokens in JSON.",
    ),
)

_SEARCH_OPTIONS = (
    _number("--beams", "num_beams", int, "Number of beams; 1 is greedy search."),
    _number("--max-new-tokens", "max_new_tokens", int, "Most tokens to make."),
    _number("--min-new-tokens", "min_new_tokens", int, "Fewest tokens to make."),
    _number("--num-return-sequences", "num_return_sequences", int, "How many hypotheses to return."),
    _number("--length-penalty", "length_penalty", float, "Above 0 favours longer outputs, below 0 shorter ones."),
    click.option("--early-stopping", type=click.Choice(["first", "heuristic", "never"]), help="When beam search ends."),
    _number("--no-repeat-ngram-size", "no_repeat_ngram_size", int, "No sequence of so many tokens occurs twice."),
    _number("--repetition-penalty", "repetition_penalty", float, "Above 1 avoids repetition."),
    _number("--temperature", "temperature", float, "Sample; 1 leaves the model's distribution."),
    _number("--top-k", "top_k", int, "Sample among so many likeliest tokens."),
    _number("--top-p", "top_p", float, "Sample among the likeliest tokens of this total probability."),
    _number("--seed", "seed", int, "Make sampling repeatable."),
)

truncation_option = click.option(
    "--truncation",
    type=click.Choice(["reject", "truncate", "split_and_join"]),
    help="What to do with a text longer than the model takes.",
)


def shared_options(command: Callable[..., None]) -> Callable[..., None]:
    """Adds the options, and hands them to the command as one `asked`."""
    names = {field.name for field in fields(Asked)}

    @functools.wraps(command)
    def gathered(**given: Any) -> None:
        own = {name: value for name, value in given.items() if name not in names}
        asked = Asked(**{name: value for name, value in given.items() if name in names})
        command(asked, **own)

    wrapped: Callable[..., None] = gathered
    for option in reversed((*_OUTPUT_OPTIONS, *_ATTENTION_OPTIONS, *_SEARCH_OPTIONS, *SERVER_OPTIONS)):
        wrapped = cast(Callable[..., None], option(wrapped))
    return wrapped
