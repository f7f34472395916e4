"""Checks commits out into git worktrees."""

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from benchmarks.harness.checkouts import REPOSITORY, Checkout
from benchmarks.harness.measurement import commit_of

# The server's import package, from 0.2.0 on and before.
SERVER_PACKAGES = ("regard_service", "service")

_PRINT_ORIGINS = """
import importlib.util, json, sys
specs = [importlib.util.find_spec(name) for name in sys.argv[1:]]
print(json.dumps([spec.origin if spec else None for spec in specs]))
"""


class CheckoutFailed(Exception):
    """Git cannot check a revision out, or Python would import other code than its own."""


@contextmanager
def checked_out(revision: str | None) -> Iterator[Checkout]:
    """Checks a revision out into a temporary worktree; None is the working tree as it is.

    Raises:
        CheckoutFailed: the commit does not exist, or Python would import other code than its own.
    """
    if revision is None:
        yield _checked(Checkout(commit_of(REPOSITORY) or "working tree", REPOSITORY))
        return
    name = _git("rev-parse", "--short", f"{revision}^{{commit}}")
    with tempfile.TemporaryDirectory(prefix="regard-") as parent:
        folder = Path(parent).resolve() / name
        _git("worktree", "add", "--detach", str(folder), name)
        try:
            yield _checked(Checkout(name, folder))
        finally:
            _git("worktree", "remove", "--force", str(folder))


def _checked(checkout: Checkout) -> Checkout:
    """Checks that Python imports the checkout's packages and not installed ones."""
    server = SERVER_PACKAGES[0] if len(checkout.import_roots) > 1 else SERVER_PACKAGES[1]
    done = subprocess.run(
        [sys.executable, "-c", _PRINT_ORIGINS, "regard", server, "benchmarks"],
        cwd=checkout.folder, env={**os.environ, **checkout.environment}, check=True, capture_output=True, text=True,
    )  # fmt: skip
    for origin in json.loads(done.stdout):
        if origin is None or not Path(origin).is_relative_to(checkout.folder):
            raise CheckoutFailed(f"{checkout.name}: Python would import a package from {origin}")
    return checkout


def _git(*arguments: str) -> str:
    done = subprocess.run(["git", *arguments], cwd=REPOSITORY, capture_output=True, text=True)
    if done.returncode:
        raise CheckoutFailed(f"git {arguments[0]}: {done.stderr.strip()}")
    return done.stdout.strip()
