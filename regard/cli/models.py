"""`regard models`."""

from pathlib import Path

import click

from regard.calls.client import Client
from regard.cli.options import server_options
from regard.cli.servers import named, open_server
from regard.values.model import Model
from regard.wire import as_json


@click.group(invoke_without_command=True)
@click.option("--json", is_flag=True, help="Print the models with all their fields, as a JSON array.")
@server_options
@click.pass_context
def models(
    ctx: click.Context, json: bool, server: str | None, tls_ca: Path | None, timeout: float, verbose: bool
) -> None:
    """List the models that the server has, or load and unload them.

    \b
    regard models
    regard models load everyday@3 --server HOST:PORT
    regard models rollback everyday --server HOST:PORT
    """  # noqa: D301, click's mark for lines to keep
    if ctx.invoked_subcommand is not None:
        return
    with open_server(server, tls_ca, verbose) as address, address.client(timeout) as client:
        found = client.models()
    if json:
        click.echo(as_json.dump([model.to_dict() for model in found]))
    else:
        _print_table(found)


@models.command()
@click.argument("model", metavar="NAME[@VERSION]")
@server_options
def load(model: str, server: str | None, tls_ca: Path | None, timeout: float, verbose: bool) -> None:
    """Load a model, or another version of it; without a version the newest.

    The version before serves until this one is ready, and goes on if it cannot be loaded.
    """
    with open_server(named(server), tls_ca, verbose) as address, address.client(timeout) as client:
        _load(client, *_split(model))


@models.command()
@click.argument("name")
@server_options
def rollback(name: str, server: str | None, tls_ca: Path | None, timeout: float, verbose: bool) -> None:
    """Load the version before the one that serves."""
    with open_server(named(server), tls_ca, verbose) as address, address.client(timeout) as client:
        versions = [model for model in client.models() if model.name == name]  # newest first
        serving = next((index for index, model in enumerate(versions) if model.state == "ready"), None)
        if serving is None:
            raise click.ClickException(f"no version of {name!r} serves")
        if serving + 1 == len(versions):
            raise click.ClickException(f"there is no version of {name!r} before {versions[serving].version!r}")
        _load(client, name, versions[serving + 1].version)


@models.command()
@click.argument("model", metavar="NAME[@VERSION]")
@server_options
def unload(model: str, server: str | None, tls_ca: Path | None, timeout: float, verbose: bool) -> None:
    """Unload a model once its calls are finished; without a version every version."""
    with open_server(named(server), tls_ca, verbose) as address, address.client(timeout) as client:
        client.unload_model(*_split(model))
    click.echo(f"{model} is unloaded")


def _load(client: Client, name: str, version: str | None) -> None:
    loaded = client.load_model(name, version)
    click.echo(f"{loaded.name}@{loaded.version} serves ({loaded.provider}, {loaded.precision})")


def _split(model: str) -> tuple[str, str | None]:
    name, _, version = model.partition("@")
    return name, version or None


def _print_table(found: list[Model]) -> None:
    """Prints plain columns, which people and `awk` can read."""
    header = ("NAME", "VERSION", "TASK", "STATE", "FROM", "TO", "RUNS ON")
    rows = [header, *(_row(model) for model in found)]
    widths = [max(len(row[column]) for row in rows) for column in range(len(header))]
    for row in rows:
        click.echo("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())
    for model in found:
        for reason in model.state_reasons:
            click.echo(f"regard: {model.name}@{model.version}: {reason}", err=True)


def _row(model: Model) -> tuple[str, ...]:
    shortlist = "with shortlist" if model.has_shortlist else ""
    cells = (
        model.name + ("*" if model.is_default else ""),
        model.version,
        model.task,
        model.state,
        ",".join(model.source_languages),
        ",".join(model.target_languages or model.styles),
        " ".join(part for part in (model.provider, model.precision, shortlist) if part),
    )
    return tuple(cell or "-" for cell in cells)
