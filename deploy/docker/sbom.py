"""`python sbom.py FILE`: lists what this environment has installed, as CycloneDX 1.6.

Needs nothing but Python, since it runs within the image that it describes, with what pip has recorded there. The base
image's own packages are not among it: its makers publish their list.
"""

import importlib.metadata
import json
import re
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any


def component(package: importlib.metadata.Distribution) -> dict[str, Any]:
    """A package as CycloneDX names it, with its licence where the package tells one."""
    name = re.sub(r"[-_.]+", "-", package.name).lower()  # as package URLs spell it (PEP 503)
    url = f"pkg:pypi/{name}@{package.version}"
    found: dict[str, Any] = {"type": "library", "bom-ref": url, "name": name, "version": package.version, "purl": url}
    if "License-Expression" in package.metadata:
        found["licenses"] = [{"expression": package.metadata["License-Expression"]}]
    return found


def bill(packages: Iterable[importlib.metadata.Distribution]) -> dict[str, Any]:
    """The whole document, in the order of the names."""
    components = sorted((component(package) for package in packages), key=lambda each: str(each["name"]))
    return {"bomFormat": "CycloneDX", "specVersion": "1.6", "version": 1, "components": components}


if __name__ == "__main__":
    Path(sys.argv[1]).write_text(json.dumps(bill(importlib.metadata.distributions()), indent=1) + "\n")
