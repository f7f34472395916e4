"""`regard models`."""

import json
from pathlib import Path

import click

from regard.cli.options import server_options
from regard.cli.servers import named, open_server
from regard.errors.names import closest
from regard.values.model import Model
from regard.wire import as_json


class _Models(click.Group):
    """A group that says what to do with the name of a model."""

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        name = args[0] if args else ""
        if name not in self.commands and not name.startswith("-") and closest(name, self.commands) is None:
            ctx.fail(f"there is no command {name!r}; for the model of that name: regard models show {name}")
        return super().resolve_command(ctx, args)


@click.group(cls=_Models, invoke_without_command=True)
@click.option("--json", "is_json", is_flag=True, help="Print the models with all their fields, as a JSON array.")
@server_options
@click.pass_context
def models(
    ctx: click.Context, is_json: bool, server: str | None, tls_ca: Path | None, timeout: float, verbose: bool
) -> None:
    """List the models that the server has, describe one, or load and unload them.

    \b
    regard models
    regard models show everyday
    regard models load everyday@3 --server HOST:PORT
    regard models rollback everyday --server HOST:PORT
    """  # noqa: D301, click's mark for lines to keep
    if ctx.invoked_subcommand is not None:
        return
    with open_server(server, tls_ca, verbose) as address, address.client(timeout) as client:
        found = client.models()
    if is_json:
        click.echo(as_json.dump([model.to_dict() for model in found]))
    else:
        _print_table(found)


@models.command()
@click.argument("model", metavar="NAME[@VERSION]")
@server_options
def show(model: str, server: str | None, tls_ca: Path | None, timeout: float, verbose: bool) -> None:
    """Describe a model: all its fields, as JSON."""
    with open_server(server, tls_ca, verbose, model) as address, address.client(timeout) as client:
        click.echo(json.dumps(client.model(model).to_dict(), ensure_ascii=False, indent=2))


@models.command()
@click.argument("model", metavar="NAME[@VERSION]")
@server_options
def load(model: str, server: str | None, tls_ca: Path | None, timeout: float, verbose: bool) -> None:
    """Load a model, or another version of it; without a version the newest.

    The version before serves until this one is ready, and goes on if it cannot be loaded.
    """
    with open_server(named(server), tls_ca, verbose) as address, address.client(timeout) as client:
        _print_loaded(client.load_model(model))


@models.command()
@click.argument("name")
@server_options
def rollback(name: str, server: str | None, tls_ca: Path | None, timeout: float, verbose: bool) -> None:
    """Load the version before the one that serves."""
    with open_server(named(server), tls_ca, verbose) as address, address.client(timeout) as client:
        _print_loaded(client.rollback_model(name))


@models.command()
@click.argument("model", metavar="NAME[@VERSION]")
@server_options
def unload(model: str, server: str | None, tls_ca: Path | None, timeout: float, verbose: bool) -> None:
    """Unload a model once its calls are finished; without a version every version."""
    with open_server(named(server), tls_ca, verbose) as address, address.client(timeout) as client:
        client.unload_model(model)
    click.echo(f"{model} is unloaded")


def _print_loaded(loaded: Model) -> None:
    click.echo(f"{loaded.name}@{loaded.version} serves ({loaded.provider}, {loaded.precision})")


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
