"""`regard bulk --ray ADDRESS`: corpora on a cluster of Ray."""

from dataclasses import replace
from pathlib import Path

import click
from click.core import ParameterSource

from regard.cli.corpora import BulkTask, CorpusFlags, Plan, bulk_options, corpus_options
from regard.cli.options import Flags, control_token_option, segment_options, shared_options, truncation_option
from regard.cli.tasks import Caption, Summarize, Translate
from regard.names import Task


@click.command()
@click.argument("files", nargs=-1, required=True, metavar="CORPUS...")
@click.option(
    "--ray",
    "address",
    default="auto",
    show_default=True,
    metavar="ADDRESS",
    help='Head of the cluster; "auto" is the one that this machine belongs to, "local" one inside this command.',
)
@click.option("--actors", type=click.IntRange(1), default=1, show_default=True, metavar="N", help="Engines to start.")
@click.option(
    "--cpus-per-actor", type=click.IntRange(1), default=1, show_default=True, metavar="N", help="Threads of an engine."
)
@click.option(
    "--task",
    "kind",
    type=click.Choice(["translation", "summarization", "captioning"]),
    default="translation",
    show_default=True,
    help="What to do.",
)
@click.option("--to", default="", metavar="LANGUAGE", help='Language to translate into, such as "de".')
@click.option("--from", "source_language", metavar="LANGUAGE", help="Language of the texts.")
@click.option("--style", metavar="NAME", help="Kind of summary.")
@click.option("-o", "--output", metavar="FOLDER", help="The folder for the results.")
@truncation_option
@segment_options
@control_token_option
@corpus_options
@shared_options
def bulk(
    flags: Flags,
    files: tuple[str, ...],
    address: str,
    actors: int,
    cpus_per_actor: int,
    kind: Task,
    to: str,
    source_language: str | None,
    style: str | None,
    output: str | None,
    corpus_flags: CorpusFlags,
) -> None:
    """Run corpora on a cluster of Ray, by actors that each hold an engine.

    \b
    regard bulk "corpus/*.parquet" --to de --model everyday -o results/ --ray auto --actors 8

    Files and results are those of `regard translate corpus.jsonl -o results/`, read and written by this machine. The
    same command goes on after an interruption; an actor that dies is started again. --model is a shipped model, or the
    folder of a bundle on every machine.
    """  # noqa: D301, click's mark for lines to keep
    if flags.server and click.get_current_context().get_parameter_source("server") is ParameterSource.COMMANDLINE:
        raise click.UsageError("--server is for `regard translate`; here the engines are actors of Ray.")
    from regard.ray.driver import BATCH_ROWS, Cluster, RayRunner

    bundle = flags.model
    is_folder = bundle is not None and Path(bundle).is_dir()
    named = replace(flags, model=None) if is_folder else flags
    task = _task(kind, named, to, source_language, style, corpus_flags)
    plan = Plan.of(flags, files, task, kind, output, corpus_flags)
    cluster = Cluster(address, actors, cpus_per_actor)
    runner = RayRunner(cluster, task, kind, str(Path(bundle).absolute()) if bundle and is_folder else bundle)
    plan.run(runner, BATCH_ROWS, cluster.concurrency)


def _task(
    kind: Task, flags: Flags, to: str, source_language: str | None, style: str | None, corpus_flags: CorpusFlags
) -> BulkTask:
    if kind == "translation":
        return Translate(to, bulk_options(flags.translate_options(source_language, is_bulk=True), flags, corpus_flags))
    options = bulk_options(flags.call_options(is_bulk=True), flags, corpus_flags)
    return Summarize(style, options) if kind == "summarization" else Caption(options)
