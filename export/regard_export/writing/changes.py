"""Changes of what a written bundle says about itself. What was measured, and what the graphs are, stays as it is."""

import difflib
import json
import math
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from regard_export.errors import ExportError
from regard_service.bundle import Bundle, GenerationDefaults, Manifest

# Fields of the manifest that may be set, in the order in which they are listed.
_FIELDS = (
    "name",
    "version",
    "description",
    "default_truncation",
    *(f"generation.{name}" for name in GenerationDefaults.model_fields),
    *(f"provenance.{name}" for name in ("source", "data", "data_license", "weights_license", "notes")),
)
PRECISION = "precision"
SETTABLE = (*_FIELDS, PRECISION)


def change(folder: Path, assignments: Mapping[str, str]) -> Bundle:
    """Sets fields of a bundle's manifest, and writes it with its checksum; all of them or none.

    Args:
        folder: the bundle; it is checked first, so that a damaged one does not get new checksums.
        assignments: values by the names of `SETTABLE`. A name within another has a dot: "generation.num_beams".
            "precision" is the one that servers take where they have the choice.

    Raises:
        BundleError: the bundle is damaged.
        ExportError: a name cannot be set, or a value is not allowed; each is named.
    """
    manifest = Bundle.load(folder).manifest
    unknown = [_fault(name, manifest) for name in assignments if name not in SETTABLE]
    if unknown:
        raise ExportError(f"{'; '.join(unknown)}; can be set: {', '.join(SETTABLE)}")
    fields = manifest.model_dump(mode="json")
    for name, value in assignments.items():
        _SETTERS.get(name, _set_field)(fields, name, value)
    try:
        changed = Manifest.model_validate(fields)
    except ValidationError as error:
        faults = (f"{'.'.join(map(str, each['loc']))}: {each['msg']}, not {each['input']!r}" for each in error.errors())
        raise ExportError("; ".join(faults)) from error
    return Bundle.write_manifest(folder, changed)


def _fault(name: str, manifest: Manifest) -> str:
    if name.partition(".")[0] in type(manifest).model_fields:
        return f"{name!r} is what the export wrote or measured, and cannot be set"
    meant = difflib.get_close_matches(name.lower(), SETTABLE, n=1)
    return f"there is no {name!r}" + "".join(f", did you mean {each!r}?" for each in meant)


def _set_field(fields: dict[str, Any], name: str, value: str) -> None:
    *outer, last = name.split(".")
    for each in outer:
        fields = fields[each]
    fields[last] = value if isinstance(fields[last], str) else _number(name, value)


def _number(name: str, value: str) -> Any:
    try:
        number = json.loads(value)
    except (ValueError, RecursionError) as error:
        raise ExportError(f"{name}: {value[:80]!r} is no number") from error
    if isinstance(number, float) and not math.isfinite(number):
        raise ExportError(f"{name}: {value[:80]!r} is no finite number")
    return number


def _set_precision(fields: dict[str, Any], name: str, value: str) -> None:
    variants = fields["variants"]
    offered = [variant["precision"] for variant in variants]
    if value not in offered:
        raise ExportError(f"{name}: the bundle has no {value}, only {', '.join(offered)}")
    fields["variants"] = sorted(variants, key=lambda variant: variant["precision"] != value)


_SETTERS: dict[str, Callable[[dict[str, Any], str, str], None]] = {PRECISION: _set_precision}
