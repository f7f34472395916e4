"""`python sbom.py FILE`: lists the packages of this Python environment as CycloneDX 1.6.

Needs Python only, since it runs within the image that it describes and reads pip's records there. The list omits the
system packages of the base image, whose publisher lists them.
"""

import importlib.metadata
import json
import re
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any


def component(package: importlib.metadata.Distribution) -> dict[str, Any]:
    """A package as a CycloneDX component, with its licence if the package declares one."""
    name = re.sub(r"[-_.]+", "-", package.name).lower()  # as package URLs spell it (PEP 503)
    url = f"pkg:pypi/{name}@{package.version}"
    found: dict[str, Any] = {"type": "library", "bom-ref": url, "name": name, "version": package.version, "purl": url}
    if "License-Expression" in package.metadata:
        found["licenses"] = [{"expression": package.metadata["License-Expression"]}]
    return found


def bill(packages: Iterable[importlib.metadata.Distribution]) -> dict[str, Any]:
    """The whole document, sorted by name."""
    components = sorted((component(package) for package in packages), key=lambda each: str(each["name"]))
    return {"bomFormat": "CycloneDX", "specVersion": "1.6", "version": 1, "components": components}


if __name__ == "__main__":
    Path(sys.argv[1]).write_text(json.dumps(bill(importlib.metadata.distributions()), indent=1) + "\n")
