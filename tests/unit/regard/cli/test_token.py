"""`regard token`."""

import tomllib

from click.testing import CliRunner

from regard.cli.token import token
from regard_service.auth.tokens import TokenFile


def test_the_printed_entry_accepts_the_printed_token() -> None:
    result = CliRunner().invoke(token, ["web", "--scope", "infer", "--scope", "admin"])
    assert result.exit_code == 0
    secret = result.stderr.rpartition(" ")[2].strip()
    entry = TokenFile.model_validate(tomllib.loads(result.stdout)).find(secret)
    assert entry is not None
    assert (entry.name, entry.scopes) == ("web", frozenset({"infer", "admin"}))
    assert secret not in result.stdout
