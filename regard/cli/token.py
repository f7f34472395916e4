"""`regard token`: a token for a caller, and the entry of the server's file that knows it."""

import click

from regard.cli.delegation import load


@click.command()
@click.argument("name")
@click.option("--scope", "scopes", multiple=True, type=click.Choice(["infer", "admin"]), help='"infer" unless given.')
def token(name: str, scopes: tuple[str, ...]) -> None:
    """Make a token for the caller NAME.

    Prints the token, which nobody can read from the server's file, to standard error, and to standard output the entry
    of that file (see --tokens-file of `regard serve`):

    \b
    regard token web >> tokens.toml
    """  # noqa: D301, click's mark for lines to keep
    new_token = load("regard_service.auth.tokens", "new_token", "making tokens", extra="serve")
    hash_token = load("regard_service.auth.tokens", "hash_token", "making tokens", extra="serve")
    made = new_token()
    click.echo(f"token of {name}: {made}", err=True)
    listed = ", ".join(f'"{scope}"' for scope in scopes or ("infer",))
    click.echo(f'[[tokens]]\nname = "{name}"\nsha256 = "{hash_token(made)}"\nscopes = [{listed}]\n')
