"""`regard serve`: passes its arguments to the server, which need not be installed."""

import click

from regard.embedded.extras import load, requires_extra


@click.command(add_help_option=False, context_settings={"ignore_unknown_options": True})
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED)
@click.pass_context
def serve(ctx: click.Context, arguments: tuple[str, ...]) -> None:
    """Serve models. `regard serve --help` lists every setting."""
    run = load("regard_service.app.main", "main", "serving", extra="serve")
    with requires_extra("serving", extra="serve"):
        ctx.exit(run(list(arguments)))
