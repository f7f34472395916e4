"""`regard serve`: handed on to the server, which need not be installed."""

import click

from regard.cli.delegation import load


@click.command(add_help_option=False, context_settings={"ignore_unknown_options": True})
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED)
@click.pass_context
def serve(ctx: click.Context, arguments: tuple[str, ...]) -> None:
    """Serve models. `regard serve --help` lists every setting."""
    ctx.exit(load("regard_service.app.main", "main", "serving", extra="serve")(list(arguments)))
