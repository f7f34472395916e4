"""Tokens, scopes and limits; nothing here needs a server."""

from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from regard_service.auth.access_control import AccessControl
from regard_service.auth.quota import CallerQuota
from regard_service.auth.tokens import TokenEntry, TokenFile, TokensError, hash_token, new_token
from regard_service.errors import Forbidden, QuotaExceeded, Unauthenticated

TOKEN = "a token that nobody guesses"


def _entry(**options: object) -> TokenEntry:
    values = {"name": "web", "sha256": hash_token(TOKEN), "scopes": ["infer"], **options}
    return TokenEntry.model_validate(values)


def _guard(**options: object) -> AccessControl:
    return AccessControl(TokenFile(tokens=(_entry(**options),)))


class Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


def test_a_known_token_is_let_in() -> None:
    with _guard().admit(f"Bearer {TOKEN}", "infer") as name:
        assert name == "web"
    with _guard().admit(f"bearer  {TOKEN} ", "infer"):
        pass


@pytest.mark.parametrize("sent", [None, "", TOKEN, f"Basic {TOKEN}", "Bearer", "Bearer x", f"Bearer {TOKEN}x"])
def test_anything_else_is_not(sent: str | None) -> None:
    with pytest.raises(Unauthenticated) as raised, _guard().admit(sent, "infer"):
        pass
    assert TOKEN not in str(raised.value)


def test_a_scope_that_is_missing_is_told() -> None:
    with pytest.raises(Forbidden, match=r"'web'.*'admin'"), _guard().admit(f"Bearer {TOKEN}", "admin"):
        pass
    with _guard(scopes=["admin"]).admit(f"Bearer {TOKEN}", "admin"):
        pass


def test_calls_at_a_time_are_limited_and_come_back() -> None:
    limits = CallerQuota(_entry(max_concurrent=2))
    with limits.admit(), limits.admit(), pytest.raises(QuotaExceeded, match="2 calls"), limits.admit():
        pass
    with limits.admit(), limits.admit():
        pass


def test_a_call_that_fails_is_over_too() -> None:
    limits = CallerQuota(_entry(max_concurrent=1))
    for _ in range(3):
        with pytest.raises(KeyError), limits.admit():
            raise KeyError


def test_a_burst_is_a_seconds_worth_and_tells_when_to_return() -> None:
    clock = Clock()
    limits = CallerQuota(_entry(requests_per_s=4), clock)
    for _ in range(4):
        with limits.admit():
            pass
    with pytest.raises(QuotaExceeded) as raised, limits.admit():
        pass
    assert raised.value.retry_after_s == pytest.approx(0.25)
    clock.now += 0.25
    with limits.admit():
        pass


@given(
    rate=st.floats(0.5, 50),
    waits=st.lists(st.floats(0, 2), min_size=1, max_size=60),
)
def test_no_more_is_let_in_than_the_rate_allows(rate: float, waits: list[float]) -> None:
    clock = Clock()
    limits = CallerQuota(_entry(requests_per_s=rate), clock)
    num_admitted = 0
    for wait in waits:
        clock.now += wait
        with suppress(QuotaExceeded), limits.admit():
            num_admitted += 1
    assert num_admitted <= max(1.0, rate) + rate * sum(waits) + 1e-6


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
        ("tokens = []", "at least 1"),
        ("[[tokens", "array declaration"),
        ('[[tokens]]\nname = "web"\nsha256 = "my-secret-token"\nscopes = ["infer"]', "sha256"),
        ('[[tokens]]\nname = "web"\nsha256 = "HASH"\nscopes = ["root"]', "scopes"),
        ('[[tokens]]\nname = "web"\nsha256 = "HASH"\nscopes = ["infer"]\nrate = 3', "rate"),
        ('[[tokens]]\nname = "web"\nsha256 = "HASH"\nscopes = ["infer"]\n' * 2, "same name"),
    ],
)
def test_a_file_that_is_wrong_is_refused_and_tells_no_secret(tmp_path: Path, content: str | None, message: str) -> None:
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
