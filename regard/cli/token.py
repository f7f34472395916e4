"""`regard token`: makes a token for a caller, and the entry of the server's tokens file that accepts it."""

import click

from regard.embedded.extras import load


@click.command()
@click.argument("name")
@click.option("--scope", "scopes", multiple=True, type=click.Choice(["infer", "admin"]), help='"infer" unless given.')
def token(name: str, scopes: tuple[str, ...]) -> None:
    """Make a token for the caller NAME.

    Prints the token to standard error, and to standard output the entry for the server's tokens file (--tokens-file of
    `regard serve`), which has only the token's hash:

    \b
    regard token web >> tokens.toml
    """  # noqa: D301, click's mark for lines to keep
    new_token = load("regard_service.auth.tokens", "new_token", "making tokens", extra="serve")
    hash_token = load("regard_service.auth.tokens", "hash_token", "making tokens", extra="serve")
    secret = new_token()
    click.echo(f"token of {name}: {secret}", err=True)
    quoted_scopes = ", ".join(f'"{scope}"' for scope in scopes or ("infer",))
    click.echo(f'[[tokens]]\nname = "{name}"\nsha256 = "{hash_token(secret)}"\nscopes = [{quoted_scopes}]\n')
