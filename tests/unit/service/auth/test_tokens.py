"""The token file."""

from pathlib import Path

import pytest

from regard_service.auth.tokens import TokenFile, TokensError, hash_token, new_token

TOKEN = "a token that nobody guesses"


def test_a_file_is_read(tmp_path: Path) -> None:
    file = tmp_path / "tokens.toml"
    file.write_text(f'[[tokens]]\nname = "web"\nsha256 = "{hash_token(TOKEN)}"\nscopes = ["infer", "admin"]\n')
    entry = TokenFile.load(file).find(TOKEN)
    assert entry is not None
    assert entry.scopes == {"infer", "admin"}
    assert TokenFile.load(file).find("other") is None


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "No such file"),
        ("tokens = 3", "tokens"),
        ("tokens = []", r"tokens: must not be empty; each token begins with the line \[\[tokens\]\]$"),
        ("[[token]]", r"token: there is no such key; \[\[tokens\]\] has name, sha256, scopes"),
        ("a = " + "[" * 5000, "nested too deeply"),
        ("[[tokens", "array declaration"),
        ('[[tokens]]\nname = "web"\nsha256 = "my-secret-token"\nscopes = ["infer"]', "sha256"),
        (
            '[[tokens]]\nname = "web"\nsha256 = "HASH"\nscopes = ["root"]',
            r"tokens\[0\].scopes\[0\]: must be 'infer' or 'admin'$",
        ),
        ('[[tokens]]\nname = "web"\nsha256 = "HASH"\nscopes = []', r"tokens\[0\].scopes: must not be empty$"),
        ('[[tokens]]\nname = "web"\nsha256 = "HASH"\nscopes = "infer"', r"scopes: must be a list, such as"),
        ('[[tokens]]\nname = "a b"\nsha256 = "HASH"\nscopes = ["infer"]', r"name: must be 1 to 64 letters, digits"),
        ('[[tokens]]\nname = "web"\nsha256 = "HASH"\nscopes = ["infer"]\nweight = true', "weight: must not be true"),
        ('[[tokens]]\nname = "web"\nsha256 = my-secret-token', "line 3: sha256: must be a text in quotes"),
        ('[[tokens]]\nname = "web"\nsha256 = "HASH"\nscopes = ["infer"]\nrate = 3', "rate"),
        ('[[tokens]]\nname = "web"\nsha256 = "HASH"\nscopes = ["infer"]\n' * 2, "same name"),
    ],
)
def test_a_bad_file_is_refused_without_its_secrets_in_the_message(
    tmp_path: Path, content: str | None, message: str
) -> None:
    file = tmp_path / "tokens.toml"
    if content is not None:
        file.write_text(content.replace("HASH", hash_token(TOKEN)))
    with pytest.raises(TokensError, match=message) as raised:
        TokenFile.load(file)
    assert "my-secret-token" not in str(raised.value)
    assert hash_token(TOKEN) not in str(raised.value)


def test_new_tokens_are_long_and_differ() -> None:
    tokens = {new_token() for _ in range(100)}
    assert len(tokens) == 100
    assert min(map(len, tokens)) >= 43
