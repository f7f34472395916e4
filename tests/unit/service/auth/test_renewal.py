"""Tokens that are changed while the server runs."""

from pathlib import Path

import pytest

from regard_service.auth.access_control import AccessControl
from regard_service.auth.renewal import TokenRenewal
from regard_service.auth.tokens import TokenFile, hash_token
from regard_service.errors import Unauthenticated


def write(file: Path, *names: str) -> None:
    entries = [
        f'[[tokens]]\nname = "{n}"\nsha256 = "{hash_token(n)}"\nscopes = ["infer"]\nmax_concurrent = 1\n' for n in names
    ]
    file.write_text("\n".join(entries))


def test_a_removed_token_stops_working_and_the_others_keep_their_quota(tmp_path: Path) -> None:
    file, now = tmp_path / "tokens.toml", [0.0]
    write(file, "old", "kept")
    control = AccessControl(TokenFile.load(file), TokenRenewal(file, lambda: now[0]).renewed)
    with control.admit("Bearer old", "infer"):
        pass
    with control.admit("Bearer kept", "infer"):
        write(file, "kept", "newer")
        now[0] += 2
        with pytest.raises(Unauthenticated):
            control.admit("Bearer old", "infer").__enter__()
        with control.admit("Bearer newer", "infer") as caller:
            assert caller.name == "newer"


def test_a_file_that_cannot_be_used_leaves_the_old_tokens(tmp_path: Path) -> None:
    file, now = tmp_path / "tokens.toml", [0.0]
    write(file, "old")
    control = AccessControl(TokenFile.load(file), TokenRenewal(file, lambda: now[0]).renewed)
    file.write_text("[[tokens]")
    now[0] += 2
    with control.admit("Bearer old", "infer") as caller:
        assert caller.name == "old"
    file.unlink()
    now[0] += 2
    with control.admit("Bearer old", "infer") as caller:
        assert caller.name == "old"
