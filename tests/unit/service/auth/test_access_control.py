"""Admission by token and scope."""

import pytest

from regard_service.auth.access_control import AccessControl
from regard_service.auth.tokens import TokenEntry, TokenFile, hash_token
from regard_service.errors import Forbidden, Unauthenticated

TOKEN = "a token that nobody guesses"


def _entry(**options: object) -> TokenEntry:
    values = {"name": "web", "sha256": hash_token(TOKEN), "scopes": ["infer"], **options}
    return TokenEntry.model_validate(values)


def _guard(**options: object) -> AccessControl:
    return AccessControl(TokenFile(tokens=(_entry(**options),)))


def test_a_known_token_is_admitted() -> None:
    with _guard().admit(f"Bearer {TOKEN}", "infer") as caller:
        assert caller.name == "web"
    with _guard().admit(f"bearer  {TOKEN} ", "infer"):
        pass


@pytest.mark.parametrize("sent", [None, "", TOKEN, f"Basic {TOKEN}", "Bearer", "Bearer x", f"Bearer {TOKEN}x"])
def test_other_headers_are_refused(sent: str | None) -> None:
    with pytest.raises(Unauthenticated) as raised, _guard().admit(sent, "infer"):
        pass
    assert TOKEN not in str(raised.value)


def test_the_error_names_the_missing_scope() -> None:
    with pytest.raises(Forbidden, match=r"'web'.*'admin'"), _guard().admit(f"Bearer {TOKEN}", "admin"):
        pass
    with _guard(scopes=["admin"]).admit(f"Bearer {TOKEN}", "admin"):
        pass
