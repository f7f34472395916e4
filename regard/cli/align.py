"""`regard align`."""

from collections.abc import Sequence
from contextlib import AbstractContextManager
from typing import NamedTuple

import click

from regard.calls.aio import AsyncClient
from regard.calls.options import AlignOptions
from regard.calls.results import Result
from regard.cli import output
from regard.cli.options import Flags, pair_options
from regard.cli.servers import Address, open_server
from regard.names import AlignmentMethod, Symmetrization, Weighting
from regard.wire.enums import ALIGNMENT_METHOD, SYMMETRIZATION, WEIGHTING

STDIN = "-"


class PairTexts(NamedTuple):
    """A pair to align."""

    source: str
    target: str


@click.command()
@click.argument("texts", nargs=-1, required=True, metavar="SOURCE TARGET | -")
@click.option("--to", default="", metavar="LANGUAGE", help='Language of the targets, such as "de".')
@click.option("--from", "source_language", metavar="LANGUAGE", help="Language of the sources.")
@click.option("--reverse-model", metavar="NAME", help="A model of the other direction: links of both are joined.")
@click.option("--symmetrization", type=click.Choice(SYMMETRIZATION.names), help="How links of both are joined.")
@click.option("--weighting", type=click.Choice(WEIGHTING.names), help="What a weight of the alignment is.")
@click.option("--method", type=click.Choice(ALIGNMENT_METHOD.names), help="Which decoder step a token is aligned at.")
@click.option("--layers", metavar="N,N", help="Layers whose attention is averaged; by default the model's.")
@click.option("--heads", metavar="N,N", help="Heads whose attention is averaged; by default the model's.")
@pair_options
def align(
    flags: Flags,
    texts: tuple[str, ...],
    to: str,
    source_language: str | None,
    reverse_model: str | None,
    symmetrization: Symmetrization | None,
    weighting: Weighting | None,
    method: AlignmentMethod | None,
    layers: str | None,
    heads: str | None,
) -> None:
    """Align the words of a pair; '-' with --jsonl reads pairs from standard input.

    \b
    regard align "Where is the library?" "Wo ist die Bibliothek?" --to de
    regard align - --to de --jsonl < pairs.jsonl > aligned.jsonl

    Prints links in Pharaoh format: "0-0 1-1", positions of words. With --attention the alignment is drawn.

    With --jsonl each line is {"source": ..., "target": ...}; the output line of a failed one is {"error": ...}.
    """  # noqa: D301, click's mark for lines to keep
    is_bulk = texts == (STDIN,)
    options = AlignOptions(
        model=flags.model,
        timeout=flags.timeout,
        attention=flags.kinds,
        source_language=source_language,
        reverse_model=reverse_model,
        symmetrization=symmetrization,
        weighting=weighting,
        alignment_method=method,
        layers=_numbers(layers, "--layers"),
        heads=_numbers(heads, "--heads"),
        priority="bulk" if is_bulk else None,
    )
    if flags.words is not None:
        options["words"] = flags.words
    if is_bulk:
        _run_bulk(flags, to, options)
    elif len(texts) == 2:
        _run(flags, PairTexts(*texts), to, options)
    else:
        raise click.UsageError("give a source and a target, or '-' with --jsonl")


def _run(flags: Flags, pair: PairTexts, to: str, options: AlignOptions) -> None:
    output.check_files(flags)
    with _open_server(flags, options) as address, address.client() as client:
        result = client.align((pair.source, pair.target), to, **options)
    if flags.json:
        click.echo(result.to_json())
    else:
        click.echo(result.best.pharaoh)
        output.print_grid(result, flags)
    output.write_files(result, flags, None)


def _open_server(flags: Flags, options: AlignOptions) -> AbstractContextManager[Address]:
    reverse = options.get("reverse_model")
    models = [flags.model, *([reverse] if reverse else [])]
    return open_server(flags.server, flags.tls_ca, flags.verbose, *models)


def _run_bulk(flags: Flags, to: str, options: AlignOptions) -> None:
    """Aligns each line of standard input and prints the results in order; ends with status 1 if any line failed."""
    from regard.cli import bulk

    if not flags.jsonl:
        raise click.UsageError("'-' needs --jsonl")

    async def run_one(client: AsyncClient, pair: PairTexts) -> Result:
        return await client.align((pair.source, pair.target), to, **options)

    def read(line: bytes) -> PairTexts:
        return PairTexts(bulk.read_field(line, "source"), bulk.read_field(line, "target"))

    with _open_server(flags, options) as address:
        num_failed = bulk.run(address, read, run_one, flags)
    if num_failed:
        click.get_current_context().exit(1)


def _numbers(text: str | None, option: str) -> Sequence[int] | None:
    if text is None:
        return None
    parts = [part.strip() for part in text.split(",")]
    if not all(part.isascii() and part.isdecimal() for part in parts):
        raise click.UsageError(f"{option} takes numbers from 0 on, separated by commas; not {text!r}")
    return [int(part) for part in parts]
