"""`regard encode`, `regard classify`, `regard fill-mask` and `regard answer`."""

import codecs
import functools
import sys
from collections.abc import Callable, Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import Any, TypeVar

import click

from regard.calls.client import Client
from regard.calls.options import AnswerOptions, ClassifyOptions, EncodeOptions, EncoderOptions, FillMaskOptions
from regard.calls.results import ClassifyResult
from regard.cli.bulk import read_text
from regard.cli.documents import are_files, exists
from regard.cli.explanations import explain_options, explanation_lines
from regard.cli.options import server_options
from regard.cli.outcomes import attempt_together, print_failure, raise_if_all_failed
from regard.cli.output import Printed, escape, print_one_step, write_line
from regard.cli.servers import open_server
from regard.errors import InvalidArgument
from regard.errors.as_json import error_object
from regard.names import AttentionKind, Evidence, Pooling, Truncation
from regard.values.encodings import (
    AnswerResult,
    EncodeResult,
    FillMaskResult,
    LabelScore,
)
from regard.wire import as_json
from regard.wire.enums import POOLING

STDIN = "-"
LINES_AT_ONCE = 32
KINDS = ("encoder_self", "rollout", "channel", "spatial")


ResultT = TypeVar("ResultT", bound=Printed)


def one_step_options(command: Callable[..., None]) -> Callable[..., None]:
    """Adds the flags that these commands share; the command gets `server`, `call` and `as_json`."""

    @functools.wraps(command)
    def with_flags(
        *,
        server: str | None,
        tls_ca: Path | None,
        timeout: float,
        verbose: bool,
        model: str | None,
        truncation: Truncation | None,
        kinds: tuple[AttentionKind, ...],
        json: bool,
        **own: Any,
    ) -> None:
        options = EncoderOptions(model=model, timeout=timeout, truncation=truncation, attention=kinds)
        command(open_server(server, tls_ca, verbose, model), options, is_json=json, **own)

    wrapped: Callable[..., None] = with_flags
    for option in (
        click.option("--json", is_flag=True, help="Print results as JSON: several as an array, with '-' one per line."),
        click.option(
            "--kind", "kinds", multiple=True, type=click.Choice(KINDS), help="Add maps of this kind to the JSON."
        ),
        click.option(
            "--truncation", type=click.Choice(["reject", "truncate"]), help="What to do with a text that is too long."
        ),
        click.option("--model", metavar="NAME", help="Model to use; by default the server's for the task."),
    ):
        wrapped = option(wrapped)
    return server_options(wrapped)


@click.command()
@click.argument("texts", nargs=-1, required=True, metavar="TEXT... | -")
@click.option("--pooling", type=click.Choice(POOLING.names), help="How tokens' states become one vector.")
@click.option("--normalized/--not-normalized", default=None, help="Whether vectors are divided by their length.")
@one_step_options
def encode(
    server: Any,
    options: EncoderOptions,
    *,
    is_json: bool,
    texts: tuple[str, ...],
    pooling: Pooling | None,
    normalized: bool | None,
) -> None:
    """Turn texts into vectors; '-' reads a text from each line of standard input.

    \b
    regard encode "Where is the library?"
    regard encode - --normalized < texts.txt > vectors.jsonl

    Prints an array of numbers for each text, on a line.
    """  # noqa: D301, click's mark for lines to keep
    own = EncodeOptions(**options, pooling=pooling, normalized=normalized)
    _run(server, texts, lambda client, many: client.encode(many, **own), _vector, is_json=is_json)


@click.command()
@click.argument("inputs", nargs=-1, required=True, metavar="TEXT|PICTURE... | -")
@click.option("--label", "labels", multiple=True, metavar="NAME", help="Only this label; may be repeated.")
@click.option("--top-k", type=int, metavar="N", help="Only so many of the likeliest labels.")
@click.option("--threshold", type=float, metavar="P", help="Only labels with at least this probability.")
@explain_options
@one_step_options
def classify(
    server: Any,
    options: EncoderOptions,
    *,
    is_json: bool,
    inputs: tuple[str, ...],
    labels: tuple[str, ...],
    top_k: int | None,
    threshold: float | None,
    explain: tuple[Evidence, ...],
    explain_label: str | None,
) -> None:
    """Label texts or pictures; '-' reads a text from each line of standard input.

    \b
    regard classify "I like this book." --top-k 1
    regard classify photograph.jpg --threshold 0.1
    regard classify photograph.jpg --explain rollout --explain occlusion --explain random

    Prints labels with their probabilities; of a model that labels tokens, each token with its label. With --explain, a
    line for each evidence: high comprehensiveness and low sufficiency are good.
    """  # noqa: D301, click's mark for lines to keep
    own = ClassifyOptions(
        **options,
        labels=labels,
        top_k=top_k,
        threshold=threshold,
        explain=explain,
        explain_label=explain_label,
    )
    are_pictures = inputs != (STDIN,) and are_files(inputs)

    def call(client: Client, many: list[str]) -> list[ClassifyResult]:
        return client.classify_images([*many], **own) if are_pictures else client.classify(many, **own)

    _run(server, inputs, call, _labels, is_json=is_json)


@click.command("fill-mask")
@click.argument("texts", nargs=-1, required=True, metavar="TEXT... | -")
@click.option("--top-k", type=int, metavar="N", help="How many of the likeliest pieces to print for each mask.")
@one_step_options
def fill_mask(
    server: Any, options: EncoderOptions, *, is_json: bool, texts: tuple[str, ...], top_k: int | None
) -> None:
    """Fill the masks of texts; '-' reads a text from each line of standard input.

    \b
    regard fill-mask "Where is the [MASK]?" --top-k 3

    Prints the likeliest pieces of each mask on a line, with their probabilities.
    """  # noqa: D301, click's mark for lines to keep
    own = FillMaskOptions(**options, top_k=top_k)
    _run(server, texts, lambda client, many: client.fill_mask(many, **own), _masks, is_json=is_json)


@click.command()
@click.argument("picture", type=click.Path(exists=True, dir_okay=False))
@click.argument("questions", nargs=-1, required=True, metavar="QUESTION... | -")
@click.option("--label", "labels", multiple=True, metavar="NAME", help="Only this answer; may be repeated.")
@click.option("--top-k", type=int, metavar="N", help="How many of the likeliest answers to print; 5 by default.")
@click.option("--threshold", type=float, metavar="P", help="Only answers with at least this probability.")
@explain_options
@one_step_options
def answer(
    server: Any,
    options: EncoderOptions,
    *,
    is_json: bool,
    picture: str,
    questions: tuple[str, ...],
    labels: tuple[str, ...],
    top_k: int | None,
    threshold: float | None,
    explain: tuple[Evidence, ...],
    explain_label: str | None,
) -> None:
    """Answer questions about a picture; '-' reads a question from each line of standard input.

    \b
    regard answer photograph.jpg "How many people are there?"
    regard answer photograph.jpg "What is on the table?" --explain rollout --explain random

    Prints the likeliest answers to each question on a line, with their probabilities. With --explain, a line for each
    evidence in the picture: high comprehensiveness and low sufficiency are good.
    """  # noqa: D301, click's mark for lines to keep
    own = AnswerOptions(
        **options, labels=labels, top_k=top_k, threshold=threshold, explain=explain, explain_label=explain_label
    )
    file = Path(picture).read_bytes()

    def call(client: Client, many: list[str]) -> list[AnswerResult]:
        return client.answer(file, many, **own)

    _run(server, questions, call, _explained, is_json=is_json)


def _run(
    server: Any,
    inputs: Sequence[str],
    call: Callable[[Client, list[str]], list[ResultT]],
    printed: Callable[[ResultT], str],
    *,
    is_json: bool,
) -> None:
    """Calls the server with the inputs, or with the lines of standard input, and prints the results in order."""
    with server as address, address.client() as client:
        if tuple(inputs) == (STDIN,):
            _run_lines(lambda many: call(client, [read_text(line) for line in many]), printed, is_json=is_json)
            return
        outcomes = attempt_together(lambda many: call(client, many), inputs)
    if not any(map(exists, inputs)):
        raise_if_all_failed(outcomes)
    names = [each if exists(each) else f"text {number}" for number, each in enumerate(inputs, 1)]
    print_one_step(outcomes, names, lambda _, result: printed(result), is_json=is_json)


def _run_lines(
    call: Callable[[list[bytes]], list[ResultT]], printed: Callable[[ResultT], str], *, is_json: bool
) -> None:
    """Prints a line for each line of standard input; of one that fails an empty one, or its error as JSON."""
    lines, number, failed = _lines(), 0, False
    while many := list(islice(lines, LINES_AT_ONCE)):
        for outcome in attempt_together(call, many):
            number += 1
            if isinstance(outcome, InvalidArgument | OSError):
                failed = True
                print_failure(f"line {number}", outcome)
                write_line(as_json.dump({"error": error_object(outcome)}) if is_json else "")
            else:
                write_line(outcome.to_json() if is_json else printed(outcome))
    if failed:
        click.get_current_context().exit(1)


def _lines() -> Iterator[bytes]:
    """The lines of standard input, without their ends and without the byte-order mark that some editors write."""
    for number, line in enumerate(sys.stdin.buffer):
        yield (line if number else line.removeprefix(codecs.BOM_UTF8)).rstrip(b"\r\n")


def _vector(result: EncodeResult) -> str:
    return "[" + ", ".join(str(number) for number in result.vector) + "]"


def _labels(result: ClassifyResult) -> str:
    if result.tokens:
        pieces = {index: token.piece for index, token in enumerate(result.input.source_tokens)}
        return "  ".join(f"{escape(pieces[each.token])} {_scores(each.labels)}".rstrip() for each in result.tokens)
    return _explained(result)


def _explained(result: ClassifyResult | AnswerResult) -> str:
    return "\n".join([_scores(result.labels), *explanation_lines(result.explanations)])


def _scores(labels: Sequence[LabelScore]) -> str:
    return ", ".join(f"{escape(each.label)} {each.probability:.3f}" for each in labels)


def _masks(result: FillMaskResult) -> str:
    lines = (", ".join(f"{escape(p.text)} {p.probability:.3f}" for p in mask.pieces) for mask in result.masks)
    return "\n".join(lines)
