"""`regard models`."""

from pathlib import Path

import click

from regard.cli.options import SERVER_OPTIONS
from regard.cli.servers import open_server
from regard.values.model import Model
from regard.wire import as_json


def _server_options(command: click.decorators.FC) -> click.decorators.FC:
    for option in reversed(SERVER_OPTIONS):
        command = option(command)
    return command


@click.command()
@click.option("--json", is_flag=True, help="Print the models with all their fields, as a JSON array.")
@_server_options
def models(json: bool, server: str | None, tls_ca: Path | None, timeout: float, verbose: bool) -> None:
    """List the models that the server has."""
    with open_server(server, tls_ca, verbose) as address, address.client(timeout) as client:
        found = client.models()
    if json:
        click.echo(as_json.dump([model.to_dict() for model in found]))
    else:
        _print_table(found)


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
    cells = (
        model.name + ("*" if model.is_default else ""),
        model.version,
        model.task,
        model.state,
        ",".join(model.source_languages),
        ",".join(model.target_languages or model.styles),
        " ".join(part for part in (model.provider, model.precision) if part),
    )
    return tuple(cell or "-" for cell in cells)
