"""`python -m deploy.locks.check SBOM LOCK`: whether all that a bill of materials lists is what the lock names.

Needs Python only, so that it runs where what it checks is installed.
"""

import json
import re
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

OURS = frozenset(("regard", "regard-service", "regard-models", "regard-zoo", "regard-export"))
TOOLS = frozenset(("pip", "wheel"))  # of the virtual environment

_PIN = re.compile(r"^([A-Za-z0-9._-]+)==([^\s;\\]+)", re.MULTILINE)


def pins(lock: str) -> dict[str, str]:
    """Returns the versions of a lock by normalized name (PEP 503)."""
    return {re.sub(r"[-_.]+", "-", name).lower(): version for name, version in _PIN.findall(lock)}


def unlocked(bill: Mapping[str, Any], locked: Mapping[str, str]) -> list[str]:
    """Returns the components of a bill that the lock does not name in this version."""
    others = [each for each in bill["components"] if each["name"] not in OURS | TOOLS]
    return [f"{each['name']} {each['version']}" for each in others if locked.get(each["name"]) != each["version"]]


def main() -> int:
    """Prints what is not locked; returns the exit status."""
    bill, lock = (Path(name).read_text(encoding="utf-8") for name in sys.argv[1:])
    found = unlocked(json.loads(bill), pins(lock))
    for each in found:
        print(f"{each} is not in the lock", file=sys.stderr)
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
