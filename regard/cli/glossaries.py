"""`regard glossaries`."""

from pathlib import Path

import click

from regard.cli.options import server_options
from regard.cli.servers import named, open_server


@click.group(invoke_without_command=True)
@server_options
@click.pass_context
def glossaries(ctx: click.Context, server: str | None, tls_ca: Path | None, timeout: float, verbose: bool) -> None:
    """List the glossaries that the server has, show and change them.

    \b
    regard glossaries put medical terms.tsv --from en --to de
    regard glossaries show medical > terms.tsv
    regard translate "..." --to de --glossary medical
    """  # noqa: D301, click's mark for lines to keep
    if ctx.invoked_subcommand is not None:
        return
    with open_server(named(server), tls_ca, verbose) as address, address.client(timeout) as client:
        for each in client.glossaries():
            click.echo(f"{each.name}  {each.source_language}-{each.target_language}  {each.num_terms} terms")


@glossaries.command()
@click.argument("name")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--from", "source_language", required=True, metavar="LANGUAGE", help="Language of the sources.")
@click.option("--to", "target_language", required=True, metavar="LANGUAGE", help="Language of the targets.")
@server_options
def put(
    name: str,
    file: Path,
    source_language: str,
    target_language: str,
    server: str | None,
    tls_ca: Path | None,
    timeout: float,
    verbose: bool,
) -> None:
    """Keep the terms of a file on the server, in place of a glossary of that name.

    A .tbx file is a term base; any other has a term a line: source, target, and "case" or "part", separated by tabs.
    """
    media_type = "tbx" if file.suffix.lower() in (".tbx", ".xml") else "tsv"
    with open_server(named(server), tls_ca, verbose) as address, address.client(timeout) as client:
        kept = client.put_glossary(
            name, source_language, target_language, file=file.read_bytes(), media_type=media_type
        )
    click.echo(f"{kept.name} has {kept.num_terms} terms")


@glossaries.command()
@click.argument("name")
@server_options
def show(name: str, server: str | None, tls_ca: Path | None, timeout: float, verbose: bool) -> None:
    """Print the terms of a glossary, as a file for `put`."""
    with open_server(named(server), tls_ca, verbose) as address, address.client(timeout) as client:
        found = client.glossary(name)
    for term in found.terms:
        options = ["case"] * term.case_sensitive + ["part"] * term.part_of_word
        click.echo("\t".join([term.source, term.target, *([",".join(options)] if options else [])]))


@glossaries.command()
@click.argument("name")
@server_options
def delete(name: str, server: str | None, tls_ca: Path | None, timeout: float, verbose: bool) -> None:
    """Delete a glossary of the server."""
    with open_server(named(server), tls_ca, verbose) as address, address.client(timeout) as client:
        client.delete_glossary(name)
    click.echo(f"{name} is deleted")
